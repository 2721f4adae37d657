"""Which input item is the i-th of N: arithmetic, never a list.

An execution's axes are frozen lists; item *i* is one combination of their elements, decoded from *i*
in mixed radix with the first axis varying slowest, or row by row when the axes are zipped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import prod

import msgspec

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import (
    Axis,
    Batch,
    DateWindows,
    Drawn,
    Join,
    Json,
    Source,
    VariableMapping,
    Workflow,
)
from swath.flow.spans import count_numbers, lay_windows

#: Gives the element at a position of an axis.
Element = Callable[[Axis, int], Json]

#: A queue of more shards than this is slower to keep than to work on.
MOST_SHARDS = 10_000
SMALLEST_SHARD = 16
LARGEST_USUAL_SHARD = 1_000
#: Shards worked on at a time by one process, and how many shards there are for each of these places.
USUAL_PLACES = 4
SHARDS_A_PLACE = 2


def count_items(axes: Sequence[Axis], join: Join) -> int:
    """Return N, the number of input items; without any axis there is one item, of constants only."""
    if not axes:
        return 1
    if join == "zip":
        return min(axis.count for axis in axes)
    return prod(axis.count for axis in axes)


def decode(index: int, axes: Sequence[Axis], join: Join) -> tuple[int, ...]:
    """Return the position on each axis of input item `index`."""
    if join == "zip" or len(axes) == 1:
        return (index,) * len(axes)
    positions = []
    for axis in reversed(axes):
        index, position = divmod(index, axis.count)
        positions.append(position)
    return tuple(reversed(positions))


def encode(positions: Sequence[int], axes: Sequence[Axis]) -> int:
    """Return the index whose positions these are: the reverse of `decode` for a product."""
    index = 0
    for axis, position in zip(axes, positions, strict=True):
        index = index * axis.count + position
    return index


@dataclass(frozen=True, slots=True)
class Plan:
    """The input items of an execution, by index."""

    axes: tuple[Axis, ...]
    join: Join
    constants: Mapping[str, Json]
    element: Element

    def __len__(self) -> int:
        return count_items(self.axes, self.join)

    def inputs(self, index: int) -> dict[str, Json]:
        """Return the variables of input item `index`. Raises ItemFailed where an item lacks a key."""
        values = dict(self.constants)
        for axis, position in zip(self.axes, decode(index, self.axes, self.join), strict=True):
            values.update(self._draw(axis, position))
        return values

    def _draw(self, axis: Axis, position: int) -> dict[str, Json]:
        """Return the variables that an axis gives at a position."""
        if axis.batch is None:
            item = self._at(axis, position)
            return {source.variable: _take(item, source) for source in axis.sources}
        start, joint = position * axis.batch.size, axis.batch.separator
        items = [self._at(axis, number) for number in range(start, min(start + axis.batch.size, axis.items))]
        return {
            source.variable: joint.join(_write(_take(item, source)) for item in items)
            for source in axis.sources
        }

    def _at(self, axis: Axis, position: int) -> Json:
        if axis.numbers is not None:
            first, step = axis.numbers
            return first + position * step
        return self.element(axis, position) if axis.values is None else axis.values[position]


def _write(value: Json) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _take(item: Json, source: Source) -> Json:
    if source.key is None:
        return item
    if isinstance(item, dict) and source.key in item:
        return item[source.key]
    value = item
    for part in source.key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ItemFailed("input_missing", f"The item has no key {source.key!r} for {source.variable!r}.")
        value = value[part]
    return value


def lay_axes(
    workflow: Workflow,
    parameters: Mapping[str, Json],
    listable: frozenset[str],
    look_up: Callable[[VariableMapping], Axis],
    now: datetime,
) -> tuple[Axis, ...]:
    """Return the axes of an execution: of its mappings, its ranges, its date windows, in this order.

    A scalar parameter takes its variable's list away, a list takes its place. A list for a variable
    of `listable` that has none is an axis of its own, after the others. `look_up` tells the axis that a
    mapping's list makes. Raises InvalidInput where zipped axes differ in length.
    """
    layout = _Layout(workflow, parameters)
    for mapping in workflow.mappings:
        layout.map(mapping, look_up)
    for span in workflow.ranges:
        axis = Axis(count=count_numbers(span), sources=(), numbers=(span.first, span.step))
        layout.add(f"range {span.variable}", axis, Source(variable=span.variable))
    for rule in workflow.date_windows:
        axis = _inline_windows(rule, now)
        layout.add(f"windows {rule.from_variable}", axis, Source(variable=rule.from_variable, key="from"))
        if rule.until_variable is not None:
            until = Source(variable=rule.until_variable, key="until")
            layout.add(f"windows {rule.from_variable}", axis, until)
    layout.list_rest(listable)
    return layout.finish()


class _Layout:
    """The axes while they are laid, by what their elements are."""

    def __init__(self, workflow: Workflow, parameters: Mapping[str, Json]) -> None:
        self._workflow, self._parameters = workflow, parameters
        self._axes: dict[tuple[str, Batch | None], Axis] = {}
        self._seen: set[str] = set()

    def map(self, mapping: VariableMapping, look_up: Callable[[VariableMapping], Axis]) -> None:
        """Feed a variable from a list, which is asked for only where it is needed."""
        name, column = mapping.target_variable_name, mapping.from_result
        place, key = mapping.source_collection_id or "", mapping.source_collection_json_key
        if column is not None:
            place, key = f"result {column.collection or ''}", column.column
        axis = Axis(count=0, sources=())
        if name not in self._parameters and (place, self._batch(name)) not in self._axes:
            axis = look_up(mapping)
        self.add(place, axis, Source(variable=name, key=key))

    def add(self, key: str, axis: Axis, source: Source) -> None:
        """Feed a variable from an axis, unless a parameter does."""
        name = source.variable
        self._seen.add(name)
        if name in self._parameters:
            if not isinstance(self._parameters[name], list):
                return
            key, axis, source = f"parameter {name}", _inline(self._parameters[name]), Source(variable=name)
        place = key, self._batch(name)
        known = self._axes.get(place, axis)
        self._axes[place] = replace(known, sources=(*known.sources, source))

    def list_rest(self, listable: frozenset[str]) -> None:
        """Make axes of the lists that take nothing's place."""
        for name in sorted(listable & self._parameters.keys() - self._seen):
            if isinstance(self._parameters[name], list):
                self.add(name, Axis(count=0, sources=()), Source(variable=name))

    def finish(self) -> tuple[Axis, ...]:
        laid = tuple(_gather(axis, batch) for (_, batch), axis in self._axes.items())
        check_lengths(laid, self._workflow.join)
        return laid

    def _batch(self, variable: str) -> Batch | None:
        return self._workflow.batches.get(variable)


def is_drawn(axes: Sequence[Axis]) -> bool:
    """Tell whether it is known how long all axes are: that of a result is not before its rows were read."""
    return all(axis.result is None or axis.result.drawn is not None for axis in axes)


def check_lengths(axes: Sequence[Axis], join: Join) -> None:
    """Raise InvalidInput where zipped axes differ in length, as far as that is known."""
    if join == "zip" and is_drawn(axes) and len({axis.count for axis in axes}) > 1:
        counts = ", ".join(f"{axis.sources[0].variable} {axis.count}" for axis in axes)
        raise InvalidInput("join", f"Zipped inputs must be equally long, but are: {counts}.")


def list_columns(axis: Axis) -> list[str]:
    """Return the columns of a result that an axis takes its variables from."""
    return list(dict.fromkeys(str(source.key) for source in axis.sources))


def settle_drawn(axis: Axis, count: int, drawn: Drawn) -> Axis:
    """Return the axis of a result once its rows were read: texts of one column, objects of several."""
    assert axis.result is not None
    sources = axis.sources
    if len(list_columns(axis)) == 1:
        sources = tuple(replace(source, key=None) for source in sources)
    settled = replace(axis, count=count, sources=sources, result=replace(axis.result, drawn=drawn))
    return _gather(settled, axis.batch)


def _gather(axis: Axis, batch: Batch | None) -> Axis:
    if batch is None:
        return axis
    return replace(axis, count=-(-axis.count // batch.size), batch=batch, items=axis.count)


def _inline(values: Sequence[Json]) -> Axis:
    """Make an axis of a list parameter: like a collection it is ordered and unique by value."""
    seen: dict[str, Json] = {}
    for value in values:
        seen.setdefault(repr(value), value)
    return Axis(count=len(seen), sources=(), values=tuple(seen.values()))


def _inline_windows(rule: DateWindows, now: datetime) -> Axis:
    windows = lay_windows(rule, now)
    return Axis(count=len(windows), sources=(), values=windows)


def choose_shard_size(items: int, places: int = USUAL_PLACES, smallest: int = SMALLEST_SHARD) -> int:
    """Return how many input items make a shard: two shards for each place where one is worked on, of at
    most 1,000 items; larger only where there would be more than 10,000 shards."""
    usual = min(max(-(-items // (SHARDS_A_PLACE * places)), smallest), LARGEST_USUAL_SHARD)
    return max(usual, -(-items // MOST_SHARDS))


def shard_bounds(items: int, size: int, number: int) -> tuple[int, int]:
    """Return the first item of shard `number` and how many it has."""
    first = number * size
    return first, min(size, items - first)


def count_shards(items: int, size: int) -> int:
    return -(-items // size)


def shards_of(items: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, first item and count of every shard."""
    for number in range(count_shards(items, size)):
        yield number, *shard_bounds(items, size, number)
