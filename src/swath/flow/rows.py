"""From responses to row parts: the map step, one Extractor per shard.

Pages are fed in the order of (item, page); rows keep that order. Each result collection becomes one Part,
whose blocks of rows are written to the shard's file as they fill up, so that memory stays flat. How pages
are spread over shards changes neither the order of rows nor the order of columns of what is united later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from swath.flow.bodies import Flaws, NotJsonError, decoder
from swath.flow.definition import Filter, Json, OutputFormat
from swath.flow.filters import compile_filters, text_of
from swath.flow.fragments import Block, Part, escape_marks, has_marks, quote, write_row
from swath.flow.names import CollectionPath, ColumnPath, make_unique, relative_name, write_path
from swath.flow.walk import Cell, Row, Walk

#: A block is written when it holds so many characters.
BLOCK_SIZE = 256 * 1024
#: All blocks are written when together they hold so many.
TOTAL_SIZE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A stored page of an input item, and the inputs (of the variables to show) that it was fetched with."""

    item: int
    page: int
    inputs: Mapping[str, Json]
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Everything that shapes rows; the same for all shards of an execution."""

    #: Filters with their parameters bound.
    filters: tuple[Filter, ...] = ()
    include_inputs: bool = True
    #: The variables whose inputs are shown, in order. Secret ones are left out by the caller.
    input_names: tuple[str, ...] = ()
    #: Names of the result collections wanted (`response`: the root); None: all.
    result_collections: tuple[str, ...] | None = None
    #: An object with more different keys than this, over the execution, becomes rows of keys and values.
    key_value_threshold: int = 500
    #: The objects for which that is settled (see `table.find_dynamic`).
    key_value_paths: tuple[CollectionPath, ...] = ()
    #: Guard texts that a spreadsheet would run as formulas.
    spreadsheet_safe: bool = False


class Counts(msgspec.Struct):
    """What an Extractor met, beside rows."""

    pages: int = 0
    #: Bodies that are not JSON.
    unparsable: int = 0
    #: Bodies with nothing in them.
    empty: int = 0
    #: Responses that the filters dropped whole.
    filtered: int = 0
    flaws: Flaws = msgspec.field(default_factory=Flaws)


class Extractor:
    """Turns a shard's pages into parts, whose blocks it appends to `out`."""

    def __init__(self, extraction: Extraction, out: BinaryIO, output_format: OutputFormat = "csv") -> None:
        self.counts = Counts()
        #: The pages that are not JSON, with the reason; the first 100.
        self.unparsable: list[tuple[int, int, str]] = []
        self._extraction = extraction
        self._out = _Blocks(out)
        self._csv = output_format == "csv"
        self._decode = decoder(str if self._csv else msgspec.Raw)
        self._sieve = compile_filters(extraction.filters)
        self._walk = Walk(extraction.key_value_paths, root_wanted=self._is_root_asked_for())
        self._sheets: dict[CollectionPath, _Sheet | None] = {}
        self._inputs = _Inputs(extraction, self._csv)

    def feed(self, page: SourcePage) -> None:
        """Take the rows of one page. Pages come in the order of (item, page)."""
        self.counts.pages += 1
        if not page.body.strip():
            self.counts.empty += 1
            return
        try:
            value = self._decode(page.body, page.content_type, self.counts.flaws)
        except NotJsonError as error:
            self._note_unparsable(page, str(error))
            return
        if self._sieve is not None and not self._sieve(value):
            self.counts.filtered += 1
            return
        self._take(self._walk.rows(value), self._inputs.write(page.inputs))

    def finish(self) -> list[Part]:
        """Write what is left and return the parts, in the order in which their collections appeared."""
        sheets = [sheet for sheet in self._sheets.values() if sheet is not None]
        return [sheet.finish() for sheet in sheets]

    def _take(self, rows: Iterable[Row], inputs: str) -> None:
        for row in rows:
            sheet = self._sheet(row.path, row.depth)
            if sheet is not None:
                sheet.add(row, inputs)
        if self._out.waiting > TOTAL_SIZE:
            for sheet in self._sheets.values():
                if sheet is not None:
                    sheet.flush()

    def _sheet(self, path: CollectionPath, depth: int) -> "_Sheet | None":
        try:
            return self._sheets[path]
        except KeyError:
            sheet = self._open_sheet(path, depth) if self._is_wanted(path) else None
            self._sheets[path] = sheet
            return sheet

    def _open_sheet(self, path: CollectionPath, depth: int) -> "_Sheet":
        part = Part(path, depth, inputs=list(self._inputs.names))
        if self._csv:
            return _CsvSheet(part, self._out, self._extraction.spreadsheet_safe)
        return _JsonSheet(part, self._out)

    def _is_wanted(self, path: CollectionPath) -> bool:
        wanted = self._extraction.result_collections
        return wanted is None or write_path(path) in wanted or (not path and "" in wanted)

    def _is_root_asked_for(self) -> bool:
        return self._extraction.result_collections is not None and self._is_wanted(())

    def _note_unparsable(self, page: SourcePage, reason: str) -> None:
        self.counts.unparsable += 1
        if len(self.unparsable) < 100:
            self.unparsable.append((page.item, page.page, reason))


class _Inputs:
    """Writes the inputs of an item as the end of its rows."""

    def __init__(self, extraction: Extraction, csv: bool) -> None:
        self.names = extraction.input_names if extraction.include_inputs else ()
        self._csv = csv
        self._guard = extraction.spreadsheet_safe

    def write(self, inputs: Mapping[str, Json]) -> str:
        if not self._csv:
            given = {name: inputs[name] for name in self.names if name in inputs}
            return msgspec.json.encode(given).decode()
        return ",".join(quote(escape_marks(self._text(inputs.get(name)))) for name in self.names)

    def _text(self, value: Json) -> str:
        return guard(text_of(value)) if self._guard and isinstance(value, str) else text_of(value)


class _Blocks:
    """The shard's file, and how many characters wait to be written to it."""

    def __init__(self, out: BinaryIO) -> None:
        self.waiting = 0
        self._out = out
        self._offset = 0

    def append(self, text: str) -> tuple[int, int]:
        """Write a block; return its offset and length."""
        self.waiting -= len(text)
        offset, encoded = self._offset, text.encode()
        self._out.write(encoded)
        self._offset += len(encoded)
        return offset, len(encoded)


class _Sheet:
    """Collects the rows of one collection into blocks of equal columns."""

    def __init__(self, part: Part, out: _Blocks) -> None:
        self.part = part
        self._out = out
        self._lines: list[str] = []
        self._size = 0
        self._own: dict[ColumnPath, int] = {}
        self._ancestors: dict[ColumnPath, int] = {}

    def add(self, row: Row, inputs: str) -> None:
        self._learn(row)
        self._put(self._write(row, inputs))
        self.part.rows += 1
        self.part.elements += row.depth > 0

    def flush(self) -> None:
        """Write the waiting rows as a block."""
        if self._lines:
            part, text = self.part, "".join(self._lines)
            offset, length = self._out.append(text)
            counts = len(self._lines), len(part.own), len(part.ancestors), len(part.inputs)
            part.blocks.append(Block(offset, length, *counts, escaped="\x1b" in text))
            self._lines.clear()
            self._size = 0

    def finish(self) -> Part:
        self.flush()
        return self.part

    def _write(self, row: Row, inputs: str) -> str:
        raise NotImplementedError

    def _name(self, column: ColumnPath, own: bool) -> None:
        """Note what a new column is called, where rows carry names."""

    def _put(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        self._out.waiting += len(line)
        if self._size > BLOCK_SIZE:
            self.flush()

    def _learn(self, row: Row) -> None:
        """Add the columns that the row is the first to have."""
        for known, listed, cells in (
            (self._own, self.part.own, row.cells),
            (self._ancestors, self.part.ancestors, row.ancestors),
        ):
            for column, _ in cells:
                if column not in known:
                    self.flush()
                    known[column] = len(known)
                    listed.append(column)
                    self._name(column, own=known is self._own)


class _CsvSheet(_Sheet):
    def __init__(self, part: Part, out: _Blocks, guarded: bool) -> None:
        super().__init__(part, out)
        self._guarded = guarded

    def _write(self, row: Row, inputs: str) -> str:
        ancestors = ",".join(self._place(row.ancestors, self._ancestors))
        return write_row(self._place(row.cells, self._own), ancestors, inputs)

    def _place(self, cells: list[Cell], known: dict[ColumnPath, int]) -> list[str]:
        placed = [""] * len(known)
        for column, value in cells:
            placed[known[column]] = self._cell(value)
        return placed

    def _cell(self, value: Json) -> str:
        text = cell_text(value)
        if self._guarded and type(value) is str:
            text = guard(text)
        return quote(escape_marks(text) if has_marks(text) else text)


class _JsonSheet(_Sheet):
    def __init__(self, part: Part, out: _Blocks) -> None:
        super().__init__(part, out)
        self._keys: dict[ColumnPath, str] = {}
        self._taken: set[str] = set()

    def _name(self, column: ColumnPath, own: bool) -> None:
        name = relative_name(column, self.part.path) if own else write_path(column)
        unique = make_unique(name, self._taken)
        self._taken.add(unique)
        self._keys[column] = unique
        (self.part.own_keys if own else self.part.ancestor_keys).append(unique)

    def _write(self, row: Row, inputs: str) -> str:
        response = {self._keys[column]: value for column, value in row.cells + row.ancestors}
        return f'{{"input":{inputs},"response":{msgspec.json.encode(response).decode()}}}\n'


def cell_text(value: Json) -> str:
    """Return a scalar as a cell's text. Numbers with a fraction come as the text that they are."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula. Numbers stay numbers."""
    if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(text):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text
