"""Bodies as they were written: JSON and forms, where Swath would send the same; else they stay text."""

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from swath.flow.definition import Json
from swath.flow.request.encoding import dump
from swath.flow.request.pairs import encode_form

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|x9Hole\d+x9|\s+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class ReadJson:
    """A JSON body. `bare` are holes outside of strings; `rewritten`: Swath writes it with other bytes."""

    value: Json
    bare: tuple[str, ...]
    rewritten: bool


def read_json(text: str) -> ReadJson | None:
    """Read a covered text as JSON; None where it is none, or Swath would send another value.

    Holes outside of strings are put into quotes: a JSON string that is one variable keeps the value's type.
    """
    bare: list[str] = []

    def quote_bare(token: re.Match[str]) -> str:
        if token[0].startswith("x9"):
            bare.append(token[0])
            return f'"{token[0]}"'
        return token[0]

    quoted = _TOKEN.sub(quote_bare, text)
    try:
        value = json.loads(quoted)
        compact = _TOKEN.sub(_compact, quoted).encode()
    except (ValueError, RecursionError):
        return None
    if compact != dump(value):
        return None
    return ReadJson(value, tuple(bare), rewritten=compact != quoted.encode())


def _compact(token: re.Match[str]) -> str:
    return "" if token[0].isspace() else dump(json.loads(token[0])).decode()


def read_form(text: str) -> dict[str, Json] | None:
    """Read a covered text as a form; None where Swath would send other bytes."""
    form: dict[str, Json] = {}
    last = None
    for part in text.split("&"):
        raw_name, mark, raw = part.partition("=")
        name, value = unquote_plus(raw_name), unquote_plus(raw)
        if not mark or encode_form(name) != raw_name or encode_form(value) != raw:
            return None
        if name not in form:
            form[name] = value
        elif name == last:
            known = form[name]
            form[name] = [*(known if isinstance(known, list) else [known]), value]
        else:
            return None
        last = name
    return form
