"""The bodies that hold a formula: the text itself, or an object with the text and what goes beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.formula import SourceText
from swath.wire.bodies import refuse_seals


@dataclass(frozen=True, slots=True)
class FormulaBody:
    """A formula, the secrets that were given with it, and the other keys of the body."""

    source: SourceText
    secrets: Mapping[str, Json] = field(default_factory=dict)
    given: Mapping[str, Json] = field(default_factory=dict)


def read_formula_body(body: bytes) -> FormulaBody:
    """Read a body, whatever its content type says. Raises InvalidInput."""
    try:
        source = SourceText(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidInput("formula", "Not UTF-8.") from None
    value = source.value
    if value is None:
        raise InvalidInput("formula", "Blank.")
    refuse_seals(value)
    if not isinstance(value, dict) or "formula" not in value:
        return FormulaBody(source)
    secrets = value.get("secrets") or {}
    if not isinstance(secrets, dict):
        raise InvalidInput("secrets", "Must be an object of values by name.")
    return FormulaBody(read_source(value["formula"]), secrets, value)


def read_source(value: Json) -> SourceText:
    """Return the formula that is one value of a body: its text, or the formula itself."""
    if value is None:
        raise InvalidInput("formula", "Blank.")
    if not isinstance(value, str):
        return SourceText.of(value)
    source = SourceText(value)
    refuse_seals(source.value)
    return source


def read_import_body(body: bytes) -> str:
    """Return what is to be imported: the only key `source` of a JSON object, else the body itself."""
    text = body.decode("utf-8-sig", "replace")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
    if isinstance(value, dict) and set(value) == {"source"}:
        source = value["source"]
        return source if isinstance(source, str) else msgspec.json.encode(source).decode()
    return text
