"""Secrets are masked by value: wherever the text came from, the value does not pass."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from swath.flow.definition import Endpoint, Json

MASK = "********"
#: Shorter values would mask ordinary words; they are kept out by place instead.
SHORTEST = 4
#: Characters of base64 that are taken for a secret's amid others.
SHORTEST_CORE = 8


class Masker:
    """Replaces the values it was made of, plain or encoded, by a mask."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True)
        forms = [form for secret in known for form in (_as_text(secret), *_as_base64(secret))]
        self._pattern = re.compile("|".join(forms)) if forms else None

    def mask(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def __repr__(self) -> str:
        return "Masker()"


def visible(inputs: Mapping[str, Json], endpoint: Endpoint) -> dict[str, Json]:
    """Return inputs without those that are secret variables of the endpoint."""
    secret = {name for name, variable in endpoint.variables.items() if variable.secret}
    return {name: value for name, value in inputs.items() if name not in secret}


def _as_text(secret: str) -> str:
    """Return a pattern of how a value looks plain, in URLs, forms, JSON and markup, however these mix."""
    return "".join(map(_as_character, secret))


@cache
def _as_character(char: str) -> str:
    """Return a pattern of how one character looks: who encodes decides which of them are."""
    if char.isascii() and (char.isalnum() or char in "-._~"):
        return re.escape(char)
    octets = char.encode(errors="surrogatepass")
    units = char.encode("utf-16-be", errors="surrogatepass").hex()
    forms = {
        re.escape(char),
        re.escape(html.escape(char)),
        "".join(f"%{_any_case(f'{octet:02x}')}" for octet in octets),
        "".join(rf"\\+u{_any_case(units[n : n + 4])}" for n in range(0, len(units), 4)),
        rf"\\+{re.escape(json.dumps(char, ensure_ascii=False)[1:-1].removeprefix(chr(92)))}",
    }
    if char == " ":
        forms.add(r"\+")
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def _any_case(digits: str) -> str:
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits)


def _as_base64(secret: str) -> Iterator[str]:
    """Yield patterns of a value in base64: alone, and behind other bytes, as a password is behind a user."""
    octets = secret.encode(errors="surrogatepass")
    for write in (base64.b64encode, base64.urlsafe_b64encode):
        yield f"{_as_text(write(octets).decode().rstrip('='))}{_as_character('=')}*"
        for before in range(3):
            text = write(bytes(before) + octets).decode()
            core = text[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6]
            if len(core) >= SHORTEST_CORE:
                yield _as_text(core)
