"""The shape of responses, learned from those seen, as a type that msgspec decodes straight into.

A typed decoder checks the shape while it parses and builds tuples of values instead of dictionaries, which
is most of what makes extraction fast. Any response that does not fit is refused, and read the slow way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Union

import msgspec
from msgspec import UNSET

from swath.errors import SwathError
from swath.flow.definition import Json

#: More places than this and a shape is no longer worth a type.
MAX_PLACES = 4000
#: Deeper than this it is left to the slow way.
MAX_DEPTH = 60

_NOTHING = Annotated[list[Any], msgspec.Meta(max_length=0)]


class ShapelessError(SwathError):
    """A response has no shape that the fast way can handle."""


@dataclass(slots=True, eq=False)
class Place:
    """What was seen at one place: scalars, null, an object's fields, an array's items, in any mixture."""

    scalar: bool = False
    null: bool = False
    fields: "dict[str, Place] | None" = None
    array: bool = False
    items: "Place | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The same, frozen as a type to decode into. A leaf has neither fields nor items."""

    type: Any
    #: Whether scalars or null may stand here.
    scalar: bool
    #: The struct that an object here is decoded into, and its fields in order.
    struct: type[msgspec.Struct] | None = None
    fields: "Mapping[str, Plan]" = field(default_factory=dict)
    items: "Plan | None" = None

    @property
    def is_leaf(self) -> bool:
        return self.type is Any


class Shape:
    """The union of the shapes of all responses learned from."""

    def __init__(self) -> None:
        self.root = Place()
        self._places = 0

    def learn(self, value: Json) -> None:
        """Widen the shape by one response. Raises ShapelessError where that cannot be done."""
        self._learn(self.root, value, 0)

    def _learn(self, place: Place, value: Json, depth: int) -> None:
        if isinstance(value, dict):
            self._learn_object(place, value, depth + 1)
        elif isinstance(value, list):
            self._learn_array(place, value, depth + 1)
        elif value is None:
            place.null = True
        else:
            place.scalar = True

    def _learn_object(self, place: Place, value: dict[str, Json], depth: int) -> None:
        if place.fields is None:
            place.fields = {}
        for key, child in value.items():
            below = place.fields.get(key)
            if below is None:
                below = place.fields[key] = self._new(depth)
            self._learn(below, child, depth)

    def _learn_array(self, place: Place, value: list[Json], depth: int) -> None:
        place.array = True
        for element in value:
            if isinstance(element, list):
                raise ShapelessError("An array inside of an array.")
            if place.items is None:
                place.items = self._new(depth)
            self._learn(place.items, element, depth)

    def _new(self, depth: int) -> Place:
        self._places += 1
        if self._places > MAX_PLACES or depth > MAX_DEPTH:
            raise ShapelessError("Too many places, or too deep.")
        return Place()

    def plan(self) -> Plan:
        """Return the type that exactly the responses of this shape decode into. Raises ShapelessError."""
        try:
            return _plan(self.root)
        except ValueError as error:
            raise ShapelessError(str(error)) from None


def _plan(place: Place) -> Plan:
    """A leaf is Any, so that its numbers keep their text; that it holds a scalar is checked afterwards."""
    if place.fields is None and not place.array:
        return Plan(Any, scalar=True)
    kinds: list[Any] = []
    fields = {key: _plan(child) for key, child in (place.fields or {}).items()}
    items = _plan(place.items) if place.items else None
    struct = None if place.fields is None else _struct(fields)
    if struct is not None:
        kinds.append(struct)
    if place.array:
        kinds.append(_NOTHING if items is None else list[items.type])  # type: ignore[name-defined]
    if place.scalar:
        kinds += [str, int, bool]
    if place.null:
        kinds.append(None)
    return Plan(Union[tuple(kinds)], place.scalar or place.null, struct, fields, items)  # noqa: UP007


def _struct(fields: Mapping[str, Plan]) -> type[msgspec.Struct]:
    """Make the struct; a key that msgspec cannot rename a field to raises ValueError."""
    names = {f"f{number}": key for number, key in enumerate(fields)}
    return msgspec.defstruct(
        "Shape",
        [(name, fields[key].type, UNSET) for name, key in names.items()],
        rename=names,
        forbid_unknown_fields=True,
        gc=False,
    )


#: What a response that does not fit is decoded as.
MISFIT: Any = object()


class Mould:
    """Decodes the responses that fit the shape of those it learned from.

    The type is made anew as responses widen the shape, ever less often, for an upstream that never repeats
    itself would otherwise cost more than the slow way.
    """

    #: So many times the type follows the shape at once.
    EAGER = 8

    def __init__(self, number: Callable[[str], Any]) -> None:
        self._number = number
        self._shape = Shape()
        self._decoder: msgspec.json.Decoder[Any] | None = None
        #: How what was decoded is laid out.
        self.plan = Plan(Any, scalar=True)
        self._made = 0
        self._learned = 0

    def decode(self, body: bytes) -> Any:
        """Return the response as structs, or MISFIT."""
        if self._decoder is None:
            return MISFIT
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return MISFIT

    def convert(self, value: Json) -> Any:
        """Return a response that is decoded already as structs, or MISFIT."""
        if self._decoder is None:
            return MISFIT
        try:
            return msgspec.convert(value, self.plan.type)
        except (msgspec.ValidationError, RecursionError):
            return MISFIT

    def learn(self, value: Json) -> None:
        """Widen the shape by a response that did not fit."""
        self._learned += 1
        try:
            self._shape.learn(value)
            if self._learned >= 1 << max(0, self._made - self.EAGER):
                self._remake()
        except ShapelessError:
            return

    def _remake(self) -> None:
        self._learned = 0
        self._made += 1
        self._decoder = None
        self.plan = self._shape.plan()
        self._decoder = msgspec.json.Decoder(self.plan.type, float_hook=self._number)
