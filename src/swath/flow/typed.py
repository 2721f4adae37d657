"""From plain JSON values to the dataclasses of the house, with one message for each field that is wrong.

Unknown keys are ignored, and null stands for a field's default. The dataclasses are validated as they are
declared; nothing is described a second time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from swath.errors import InvalidInput
from swath.flow.definition import Json

T = TypeVar("T")
Place = tuple[str | int, ...]


def parse(kind: type[T], given: Mapping[str, Json]) -> T:
    """Return `given` as the dataclass `kind`. Raises InvalidInput with everything that does not fit."""
    wanted = {name: value for name, value in given.items() if value is not None or not _defaults(kind, name)}
    try:
        read: T = _adapter(cast(Any, kind)).validate_python(wanted)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False), wanted) from None
    numbers = [(_write(place), "Must be a number.") for place in _find_bools(read, wanted, ())]
    if numbers:
        raise InvalidInput(*numbers[0], *numbers[1:])
    return read


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _defaults(kind: Any, name: str) -> bool:
    """Tell whether the field has a default to stand for null."""
    return any(
        field.name == name and (field.default, field.default_factory) != (MISSING, MISSING)
        for field in fields(kind)
    )


def _find_bools(read: Any, given: Json, place: Place) -> Iterator[Place]:
    """Yield where a truth value was taken for a number."""
    if isinstance(given, bool):
        if not isinstance(read, bool):
            yield place
    elif is_dataclass(read) and isinstance(given, dict):
        for field in fields(read):
            if field.name in given:
                yield from _find_bools(getattr(read, field.name), given[field.name], (*place, field.name))
    elif isinstance(read, tuple) and isinstance(given, list):
        for number, (part, raw) in enumerate(zip(read, given, strict=False)):
            yield from _find_bools(part, raw, (*place, number))


def _explain(errors: list[ErrorDetails], given: Json) -> InvalidInput:
    """Return one message for each field, alternatives of a union joined."""
    found: dict[str, list[str]] = {}
    for error in errors:
        wanted = found.setdefault(_write(_real_place(error, given)), [])
        message = explain_one(error)
        if message not in wanted:
            wanted.append(message)
    messages = [(field, _join(texts)) for field, texts in found.items()]
    return InvalidInput(*messages[0], *messages[1:])


def _real_place(error: ErrorDetails, given: Json) -> Place:
    """Return an error's place in the input, without the names of union members between."""
    place: list[str | int] = []
    for number, part in enumerate(error["loc"]):
        is_last = number == len(error["loc"]) - 1
        if isinstance(given, dict) and (part in given or (is_last and error["type"] == "missing")):
            given = given.get(part)
        elif isinstance(given, list) and isinstance(part, int) and part < len(given):
            given = given[part]
        else:
            continue
        place.append(part)
    return tuple(place)


def _write(place: Place) -> str:
    """Write a place with dots and indices: `mappings[0].source_collection_id`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".") or "body"


_EXPECTED = {
    "string": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "dict": "an object",
    "mapping": "an object",
    "dataclass": "an object",
    "tuple": "a list",
    "list": "a list",
    "finite": "a finite number",
    "none": "null",
}


def explain_one(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "Blank."
    if error["type"] == "literal_error":
        choices = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        return f"Must be one of: {choices}."
    expected = _EXPECTED.get(error["type"].split("_")[0])
    told = error["msg"].replace("Input should be", "Must be")
    return f"Must be {expected}." if expected else f"{told}."


def _join(messages: list[str]) -> str:
    if len(messages) == 1:
        return messages[0]
    parts = [message.removeprefix("Must be ").removesuffix(".") for message in messages]
    return f"Must be {' or '.join(parts)}."
