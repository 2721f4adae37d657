"""How many values of which kind a column has: for the manifest, and to know the emptiest columns."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from swath.flow.bodies import Number
from swath.flow.definition import Json
from swath.flow.rows.columns import Column, spread
from swath.flow.rows.fragments import Kinds
from swath.flow.rows.names import ColumnPath

_NAMES = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    Number: "number",
    msgspec.Raw: "number",
    str: "string",
}
#: What stands where there is no value, by its type.
_GAPS = {type(None): None, UnsetType: UNSET}


class Tallies:
    """Counts the values of a sheet's columns, in the order in which it learned them."""

    def __init__(self) -> None:
        self._counts: list[Counter[type]] = []

    def learn(self) -> None:
        """Note that there is another column."""
        self._counts.append(Counter())

    def add(self, cells: Sequence[tuple[ColumnPath, Json]], known: Mapping[ColumnPath, int]) -> None:
        """Count the cells of one row."""
        for column, value in cells:
            self._counts[known[column]][type(value)] += 1

    def add_columns(self, columns: Sequence[Column | None], rows: int, counts: list[int] | None) -> None:
        """Count whole columns, whose n-th value stands in `counts[n]` rows (None: one each)."""
        for counter, column in zip(self._counts, columns, strict=True):
            if column is None:
                continue
            if len(column.kinds) == 1:
                (kind,) = column.kinds
                counter[kind] += rows
            else:
                _count(counter, column.kinds, spread(column.values, counts))

    def write(self) -> list[Kinds]:
        """Return the counts by the kinds' names."""
        return [
            {_NAMES[kind]: count for kind, count in counter.items() if kind is not UnsetType}
            for counter in self._counts
        ]


def _count(counter: Counter[type], kinds: set[type], values: Sequence[Json]) -> None:
    """Count values by type: where all but the gaps are of one, only the gaps, in a third of the time."""
    others = kinds - _GAPS.keys()
    if len(others) > 1 or not kinds <= counter.keys():  # they are listed in the order of their coming
        counter.update(map(type, values))
        return
    left = len(values)
    for kind in kinds & _GAPS.keys():
        gaps = values.count(_GAPS[kind])
        counter[kind] += gaps
        left -= gaps
    for kind in others:
        counter[kind] += left
