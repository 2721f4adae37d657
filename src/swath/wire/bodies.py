"""From a request's bytes to the dataclasses of the operations, as `flow.typed` reads them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.typed import explain_one, parse
from swath.store.vault import SEAL

__all__ = ["explain_query", "parse", "read_object", "refuse_seals", "reviser"]

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_DEEPEST = 100


def read_object(body: bytes) -> dict[str, Json]:
    """Return the JSON object of a body, an empty body being an empty object. Raises InvalidInput."""
    value = _decode(body.removeprefix(_BOM)) if body.strip() else {}
    if not isinstance(value, dict):
        raise InvalidInput("body", "Must be a JSON object.")
    refuse_seals(value)
    return value


def _decode(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput("body", f"Not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidInput("body", "Nested too deeply.") from None


def refuse_seals(value: Json, depth: int = 0) -> None:
    """Keep out what the store takes for a sealed secret."""
    if depth > _DEEPEST:
        raise InvalidInput("body", "Nested too deeply.")
    if isinstance(value, dict):
        if SEAL in value:
            raise InvalidInput("body", f"The key {SEAL} is reserved.")
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            refuse_seals(part, depth + 1)


def reviser(kind: type[T], changes: Mapping[str, Json]) -> Callable[[T], T]:
    """Return a function that replaces the given keys of a dataclass `kind`; null sets back to the default."""

    def revise(old: T) -> T:
        known: dict[str, Json] = msgspec.to_builtins(old)
        return parse(kind, {**known, **changes})

    return revise


def explain_query(errors: Sequence[Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the parameters of a query."""
    return [(str(error["loc"][-1]), explain_one(error)) for error in errors]
