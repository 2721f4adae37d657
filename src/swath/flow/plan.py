"""Which input item is the i-th of N: arithmetic, never a list.

An execution's axes are frozen lists; item *i* is one combination of their elements, decoded from *i*
in mixed radix with the first axis varying slowest, or row by row when the axes are zipped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Axis, Join, Json, Source, VariableMapping

#: Gives the element at a position of an axis.
Element = Callable[[Axis, int], Json]

#: A queue of more shards than this is slower to keep than to work on.
MOST_SHARDS = 10_000
SMALLEST_SHARD = 16
USUAL_SHARDS = 8
LARGEST_USUAL_SHARD = 1_000


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
            item = self.element(axis, position)
            for source in axis.sources:
                values[source.variable] = _take(item, source)
        return values


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
    mappings: Sequence[VariableMapping],
    parameters: Mapping[str, Json],
    listable: frozenset[str],
    collection: Callable[[str], tuple[int, int, int]],
    join: Join,
) -> tuple[Axis, ...]:
    """Return the axes of an execution, in the order of its mappings.

    A scalar parameter takes its variable's mapping away, a list takes its place. A list for a variable
    of `listable` that nothing maps is an axis of its own, after the others. `collection` tells an id's
    number, version and count. Raises InvalidInput where zipped axes differ in length.
    """
    axes: dict[str, Axis] = {}
    for mapping in mappings:
        name = mapping.target_variable_name
        source = Source(variable=name, key=mapping.source_collection_json_key)
        if name not in parameters:
            _add_source(axes, mapping.source_collection_id, source, collection)
        elif isinstance(parameters[name], list):
            axes[f"parameter {name}"] = _inline(name, parameters[name])
    for name in sorted(listable & parameters.keys() - {m.target_variable_name for m in mappings}):
        if isinstance(parameters[name], list):
            axes[f"parameter {name}"] = _inline(name, parameters[name])
    laid = tuple(axes.values())
    if join == "zip" and len({axis.count for axis in laid}) > 1:
        counts = ", ".join(f"{axis.sources[0].variable} {axis.count}" for axis in laid)
        raise InvalidInput("join", f"Zipped inputs must be equally long, but are: {counts}.")
    return laid


def _add_source(
    axes: dict[str, Axis],
    collection_id: str,
    source: Source,
    collection: Callable[[str], tuple[int, int, int]],
) -> None:
    if collection_id in axes:
        axis = axes[collection_id]
        axes[collection_id] = replace(axis, sources=(*axis.sources, source))
        return
    number, version, count = collection(collection_id)
    axes[collection_id] = Axis(count=count, sources=(source,), snapshot=(number, version))


def _inline(name: str, values: Sequence[Json]) -> Axis:
    """Make an axis of a list parameter: like a collection it is ordered and unique by value."""
    seen: dict[str, Json] = {}
    for value in values:
        seen.setdefault(repr(value), value)
    return Axis(count=len(seen), sources=(Source(variable=name),), values=tuple(seen.values()))


def choose_shard_size(items: int) -> int:
    """Return how many input items make a shard: 8 shards of at least 16 and at most 1,000 items,
    larger only where there would be more than 10,000 of them."""
    usual = min(max(-(-items // USUAL_SHARDS), SMALLEST_SHARD), LARGEST_USUAL_SHARD)
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
