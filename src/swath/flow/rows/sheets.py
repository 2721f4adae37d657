"""The rows of one collection in one shard, gathered into blocks of equal columns.

A sheet takes rows one by one, as `walk` finds them, or whole columns, and writes the same lines for both.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, BinaryIO, Protocol

import msgspec
from msgspec import UNSET, Raw

from swath.flow.rows.cells import CellWriter
from swath.flow.rows.columns import Column, Columns, Commit, SurpriseError, spread
from swath.flow.rows.fragments import ANCESTORS_END, OWN_END, ROW_END, Block, Part, write_row
from swath.flow.rows.names import ColumnPath, relative_name, write_path
from swath.flow.rows.tallies import Tallies
from swath.flow.rows.walk import Cell, Row
from swath.flow.unique import make_unique

#: A block is written when it holds so many characters.
BLOCK_SIZE = 256 * 1024


class Blocks:
    """The shard's file, and how many characters wait to be written to it."""

    def __init__(self, out: BinaryIO) -> None:
        self.waiting = 0
        self._out = out
        self._offset = 0

    def append(self, text: bytes) -> tuple[int, int]:
        """Write a block; return its offset and length."""
        self.waiting -= len(text)
        offset = self._offset
        self._out.write(text)
        self._offset += len(text)
        return offset, len(text)


class LineWriter(Protocol):
    """Writes rows as a format wants them, as UTF-8."""

    def learn(self, column: ColumnPath, own: bool) -> None:
        """Note a new column."""

    def write(
        self, row: Row, own: Mapping[ColumnPath, int], ancestors: Mapping[ColumnPath, int], inputs: str
    ) -> bytes:
        """Write one row."""

    def write_many(
        self,
        rows: int,
        own: list[Column | None],
        ancestors: list[Column | None],
        counts: list[int] | None,
        inputs: Sequence[str],
    ) -> bytes:
        """Write so many rows, whose columns come in the order of the sheet's; None: no row has a value."""


class Sheet:
    """Collects rows and knows the columns that they had so far, in order of first appearance."""

    def __init__(self, part: Part, out: Blocks, writer: LineWriter) -> None:
        self.part = part
        self._out = out
        self._writer = writer
        self._lines: list[bytes] = []
        self._rows = 0
        self._size = 0
        self._own: dict[ColumnPath, int] = {}
        self._ancestors: dict[ColumnPath, int] = {}
        self._own_tallies = Tallies()
        self._ancestor_tallies = Tallies()

    def add(self, row: Row, inputs: str) -> None:
        """Take one row."""
        for column, _ in row.cells:
            if column not in self._own:
                self._learn(column, self._own, self.part.own)
        for column, _ in row.ancestors:
            if column not in self._ancestors:
                self._learn(column, self._ancestors, self.part.ancestors)
        self._own_tallies.add(row.cells, self._own)
        self._ancestor_tallies.add(row.ancestors, self._ancestors)
        self._put(self._writer.write(row, self._own, self._ancestors, inputs), 1, row.depth)

    def prepare(
        self,
        rows: int,
        depth: int,
        own: Columns,
        ancestors: Columns,
        counts: list[int] | None,
        inputs: Sequence[str],
    ) -> Commit:
        """Make lines of columns, and return what will take them (see `columns.Sink`)."""
        mine = _order(own, self._own)
        theirs = _order(ancestors, self._ancestors)
        lines = self._writer.write_many(rows, mine, theirs, counts, inputs)

        def commit() -> None:
            self._own_tallies.add_columns(mine, rows, None)
            self._ancestor_tallies.add_columns(theirs, rows, counts)
            self._put(lines, rows, depth)

        return commit

    def flush(self) -> None:
        """Write the waiting rows as a block."""
        if self._rows:
            part, text = self.part, b"".join(self._lines)
            counts = self._rows, len(part.own), len(part.ancestors), len(part.inputs)
            offset, length = self._out.append(text)
            part.blocks.append(Block(offset, length, *counts, escaped=b"\x1b" in text))
            self._lines.clear()
            self._rows = self._size = 0

    def finish(self) -> Part:
        self.flush()
        self.part.own_kinds = self._own_tallies.write()
        self.part.ancestor_kinds = self._ancestor_tallies.write()
        return self.part

    def _learn(self, column: ColumnPath, known: dict[ColumnPath, int], listed: list[ColumnPath]) -> None:
        self.flush()
        known[column] = len(known)
        listed.append(column)
        (self._own_tallies if known is self._own else self._ancestor_tallies).learn()
        self._writer.learn(column, own=known is self._own)

    def _put(self, lines: bytes, rows: int, depth: int) -> None:
        self._lines.append(lines)
        self._rows += rows
        self._size += len(lines)
        self._out.waiting += len(lines)
        self.part.rows += rows
        if depth:
            self.part.elements += rows
            self.part.depth = min(self.part.depth or depth, depth)
        if self._size > BLOCK_SIZE:
            self.flush()


class CsvLines:
    """Writes rows as cells of CSV with marks between the groups (see `fragments`)."""

    def __init__(self, cells: CellWriter) -> None:
        self._cells = cells

    def learn(self, column: ColumnPath, own: bool) -> None:
        """Cells carry no names."""

    def write(
        self, row: Row, own: Mapping[ColumnPath, int], ancestors: Mapping[ColumnPath, int], inputs: str
    ) -> bytes:
        around = ",".join(self._place(row.ancestors, ancestors))
        return write_row(self._place(row.cells, own), around, inputs).encode()

    def write_many(
        self,
        rows: int,
        own: list[Column | None],
        ancestors: list[Column | None],
        counts: list[int] | None,
        inputs: Sequence[str],
    ) -> bytes:
        texts = self._join(own, rows)
        if not ancestors and not any(inputs):
            end = OWN_END + ANCESTORS_END + ROW_END
            return (end.join(texts) + end).encode()
        ends = [
            f"{OWN_END}{ancestor}{ANCESTORS_END}{given}{ROW_END}"
            for ancestor, given in zip(self._join(ancestors, len(inputs)), inputs, strict=True)
        ]
        return "".join(chain.from_iterable(zip(texts, spread(ends, counts), strict=True))).encode()

    def _place(self, cells: list[Cell], known: Mapping[ColumnPath, int]) -> list[str]:
        placed = [""] * len(known)
        for column, value in cells:
            placed[known[column]] = self._cells.write(value)
        return placed

    def _join(self, columns: list[Column | None], rows: int) -> Sequence[str]:
        """Join the cells of each row."""
        blank = [""] * rows
        texts = [blank if column is None else column.texts(self._cells.write_column) for column in columns]
        if len(texts) <= 1:
            return texts[0] if texts else blank
        return list(map(",".join, zip(*texts, strict=True)))


class JsonLines:
    """Writes rows as lines `{"input": {...}, "response": {...}}`, keys in the order of the part's columns."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._names: dict[ColumnPath, str] = {}
        self._taken: set[str] = set()
        self._row: type[msgspec.Struct] | None = None
        self._encoder = msgspec.json.Encoder()

    def learn(self, column: ColumnPath, own: bool) -> None:
        name = relative_name(column, self._part.path) if own else write_path(column)
        unique = make_unique(name, self._taken)
        self._taken.add(unique)
        self._names[column] = unique
        (self._part.own_keys if own else self._part.ancestor_keys).append(unique)
        self._row = None

    def write(
        self, row: Row, own: Mapping[ColumnPath, int], ancestors: Mapping[ColumnPath, int], inputs: str
    ) -> bytes:
        cells = sorted(row.cells, key=lambda cell: own[cell[0]])
        cells += sorted(row.ancestors, key=lambda cell: ancestors[cell[0]])
        response = {self._names[column]: value for column, value in cells}
        return self._encoder.encode({"input": Raw(inputs), "response": response}) + b"\n"

    def write_many(
        self,
        rows: int,
        own: list[Column | None],
        ancestors: list[Column | None],
        counts: list[int] | None,
        inputs: Sequence[str],
    ) -> bytes:
        columns = [_values(column, rows) for column in own]
        columns += [spread(_values(column, len(inputs)), counts) for column in ancestors]
        row = self._row or self._make_row()
        given: Iterable[Any] = spread([Raw(each) for each in inputs], counts)
        cells: Iterable[tuple[Any, ...]] = zip(*columns, strict=True) if columns else [()] * rows
        lines = [_Line(each, row(*values)) for each, values in zip(given, cells, strict=True)]
        return self._encoder.encode_lines(lines)

    def _make_row(self) -> type[msgspec.Struct]:
        keys = self._part.own_keys + self._part.ancestor_keys
        names = {f"f{number}": key for number, key in enumerate(keys)}
        try:
            self._row = msgspec.defstruct(
                "Row", [(name, Any, UNSET) for name in names], rename=names, gc=False
            )
        except ValueError as error:
            raise SurpriseError(f"A key that needs escapes: {error}") from None
        return self._row


class _Line(msgspec.Struct, gc=False):
    input: Raw
    response: Any


def _values(column: Column | None, rows: int) -> Sequence[Any]:
    return [UNSET] * rows if column is None else column.values


def _order(columns: Columns, known: Mapping[ColumnPath, int]) -> list[Column | None]:
    """Return the columns in the order of the sheet's. Raises SurpriseError for a value in an unknown one."""
    ordered: list[Column | None] = [None] * len(known)
    for name, column in columns.items():
        place = known.get(name)
        if place is not None:
            ordered[place] = column
        elif not column.is_unset():
            raise SurpriseError("A column that was not there before.")
    return ordered
