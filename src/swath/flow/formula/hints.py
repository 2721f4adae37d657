"""Fields that nobody knows, and which one was meant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from swath.flow.definition import Json
from swath.flow.formula.text import Path

#: What a formula may say beside a dataclass's own fields, or in their place.
_ALIASES = {
    "endpoint_id": "endpoint",
    "source_collection_id": "source_collection",
    "workflow_id": "workflow",
}
#: Fields that are not written: names are keys, and ids of mappings are the store's.
_UNWRITTEN = {"VariableMapping": ("id",), "Endpoint": ("name",), "Workflow": ("name",)}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence: which of the known names was meant, or which there are."""
    names = sorted(known)
    found = get_close_matches(name.lower(), [each.lower() for each in names], 1, 0.6)
    meant = next((each for each in names if found and each.lower() == found[0]), None)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return f"; there are: {', '.join(names[:40])}." if names else "; there are none."


def find_strangers(kind: Any, value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the keys of `value` that a dataclass `kind` has no field for, at any depth."""
    if not isinstance(value, dict) or not is_dataclass(kind):
        return
    hints: dict[str, Any] = _hints(kind)  # type: ignore[arg-type]
    for key, part in value.items():
        if key in hints:
            for inner, below in _inside(hints[key], part):
                yield from find_strangers(inner, below[1], (*path, key, *below[0]))
        else:
            yield (*path, key), f"There is no field {key!r} here{nearest(key, _written(kind, hints))}"


def _written(kind: Any, hints: Mapping[str, Any]) -> list[str]:
    hidden = _UNWRITTEN.get(kind.__name__, ())
    return [_ALIASES.get(name, name) for name in hints if name not in hidden]


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _inside(hint: Any, value: Json) -> Iterator[tuple[Any, tuple[Path, Json]]]:
    """Yield the dataclasses that a field's type names, each with the values that should be of it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        yield hint, ((), value)
    elif origin in (Union, UnionType):
        for each in arguments:
            yield from _inside(each, value)
    elif origin is tuple and isinstance(value, list) and arguments:
        for number, part in enumerate(value):
            yield from (
                (kind, ((number, *below), found)) for kind, (below, found) in _inside(arguments[0], part)
            )
    elif isinstance(value, dict) and len(arguments) == 2:  # a mapping
        for key, part in value.items():
            yield from (
                (kind, ((key, *below), found)) for kind, (below, found) in _inside(arguments[1], part)
            )
