"""From responses to row parts: the map step, one Extractor per shard.

Pages are fed in the order of (item, page); rows keep that order. Each result collection becomes one Part,
whose blocks of rows are written to the shard's file as they fill up, so that memory stays flat. How pages
are spread over shards changes neither the order of rows nor the order of columns of what is united later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from swath.flow.bodies import TOO_DEEP, Flaws, NotJsonError, Number, count_doubled, decoder, format_of
from swath.flow.definition import AnswerFormat, Filter, Json, OutputFormat, UniqueWithin
from swath.flow.filters import compile_filters, text_of
from swath.flow.rows.cells import CellWriter
from swath.flow.rows.columns import Columnar, SurpriseError
from swath.flow.rows.dynamic import find_dynamic
from swath.flow.rows.fragments import Part, quote
from swath.flow.rows.names import CollectionPath, write_path
from swath.flow.rows.repeats import Repeats, read_key
from swath.flow.rows.shapes import MISFIT, Mould
from swath.flow.rows.sheets import Blocks, CsvLines, JsonLines, Sheet
from swath.flow.rows.walk import Walk

#: All blocks are written when together they hold so many bytes.
TOTAL_SIZE = 4 * 1024 * 1024
#: So many bytes, or pages, are worked on at once.
BATCH_SIZE = 256 * 1024
BATCH_PAGES = 256
#: So many pages that are walked are looked through for keys that stand twice in an object.
PROBES = 4
#: So many unparsable pages are named.
MAX_NOTES = 100

NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A stored page of an input item, and the inputs (of the variables to show) that it was fetched with."""

    item: int
    page: int
    inputs: Mapping[str, Json]
    body: bytes
    content_type: str = "application/json"
    #: Of the rows that the filters leave, those that came before (see `repeats`).
    repeated: frozenset[int] = frozenset()


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
    #: The paths of a key that no two rows have in common: of an item, or of the execution.
    unique_by: str | tuple[str, ...] | None = None
    unique_within: UniqueWithin = "item"
    #: Guard texts that a spreadsheet would run as formulas.
    spreadsheet_safe: bool = False
    #: How bodies are read, and where in XML ones lists stand.
    answer_format: AnswerFormat = "auto"
    list_paths: frozenset[str] = frozenset()


class Counts(msgspec.Struct):
    """What an Extractor met, beside rows."""

    pages: int = 0
    #: Bodies that are not JSON.
    unparsable: int = 0
    #: Bodies with nothing in them.
    empty: int = 0
    #: Responses that the filters dropped whole.
    filtered: int = 0
    #: Elements of arrays that they dropped.
    thinned: int = 0
    #: Rows that came twice by `unique_by`, and were dropped.
    duplicates: int = 0
    flaws: Flaws = msgspec.field(default_factory=Flaws)

    def add(self, more: "Counts") -> None:
        for name in ("pages", "unparsable", "empty", "filtered", "thinned", "duplicates"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.flaws.add(more.flaws)


class Extractor:
    """Turns a shard's pages into parts, whose blocks it appends to `out`.

    Responses of a shape seen before are decoded straight into it and gathered into batches, which become
    rows column by column; all others are walked. Both ways lead to the same bytes (`compiled=False` walks
    them all).
    """

    def __init__(
        self,
        extraction: Extraction,
        out: BinaryIO,
        output_format: OutputFormat = "csv",
        *,
        compiled: bool = True,
    ) -> None:
        self.counts = Counts()
        #: The pages that are not JSON, with the reason; the first 100.
        self.unparsable: list[tuple[int, int, str]] = []
        self._extraction = extraction
        self._out = Blocks(out)
        self._csv = output_format == "csv"
        self._cells = CellWriter(extraction.spreadsheet_safe)
        number = Number if self._csv else msgspec.Raw
        self._decode = decoder(number, extraction.answer_format, extraction.list_paths)
        self._sieve = compile_filters(extraction.filters, self._note_thinned)
        self._thinned = 0
        self._probes = PROBES
        self._repeats = Repeats(read_key(extraction.unique_by)) if extraction.unique_by else None
        self._root_wanted = extraction.result_collections is not None and self._is_wanted(())
        self._walk = Walk(extraction.key_value_paths, leads_on=self._leads_on, root_wanted=self._root_wanted)
        self._sheets: dict[CollectionPath, Sheet | None] = {}
        self._mould = Mould(number) if compiled and not extraction.key_value_paths else None
        self._input_names = extraction.input_names if extraction.include_inputs else ()
        self._batch: list[tuple[SourcePage, Any]] = []
        self._batch_size = 0
        self._columns_judged = 0
        self._dynamic: tuple[CollectionPath, ...] = ()

    def feed(self, page: SourcePage) -> None:
        """Take the rows of one page. Pages come in the order of (item, page)."""
        self.counts.pages += 1
        whole = self._sieve is None and not page.repeated and self._is_json(page)
        fitting = self._mould.decode(page.body) if self._mould is not None and whole else MISFIT
        if fitting is MISFIT:
            value = self._read(page, self.counts)
            if value is NOTHING:
                return
            if self._mould is not None and not whole:
                fitting = self._mould.convert(value)
            if fitting is MISFIT:
                self._write_batch()
                self._take(page, value)
                return
        self._gather(page, fitting)

    def _is_json(self, page: SourcePage) -> bool:
        return format_of(self._extraction.answer_format, page.content_type) == "json"

    def finish(self) -> list[Part]:
        """Write what is left and return the parts, in the order in which their collections appeared."""
        self._write_batch()
        parts = [sheet.finish() for sheet in self._sheets.values() if sheet is not None]
        for part in parts:
            part.dynamic = list(self._dynamic)
        return parts

    def _read(self, page: SourcePage, counts: Counts) -> Json:
        """Return what the page says and the filters leave of it, or NOTHING."""
        if not page.body or page.body.isspace():
            counts.empty += 1
            return NOTHING
        try:
            value = self._decode_page(page, counts.flaws)
            if not self._sift(value, counts):
                return NOTHING
            if page.repeated and self._repeats is not None:
                counts.duplicates += len(page.repeated)
                self._repeats.drop(value, page.repeated)
            return value
        except NotJsonError as error:
            self._note_unparsable(page, str(error))
        except RecursionError:
            self._note_unparsable(page, TOO_DEEP)
        return NOTHING

    def _decode_page(self, page: SourcePage, flaws: Flaws) -> Json:
        """Decode a page; the fast decoder does not tell of doubled keys, so the first ones are read twice."""
        known = flaws.duplicate_keys
        value = self._decode(page.body, page.content_type, flaws)
        if self._probes and flaws.duplicate_keys == known and self._is_json(page):
            self._probes -= 1
            if len(page.body) <= BATCH_SIZE:
                flaws.duplicate_keys += count_doubled(page.body, page.content_type)
        return value

    def _sift(self, value: Json, counts: Counts) -> bool:
        """Leave of a page what the filters do; False: nothing."""
        self._thinned = 0
        keeps = self._sieve is None or self._sieve(value)
        counts.thinned += self._thinned
        counts.filtered += not keeps
        return keeps

    def _note_thinned(self, dropped: int) -> None:
        self._thinned += dropped

    def _take(self, page: SourcePage, value: Json) -> None:
        """Walk one response."""
        try:
            while crowded := self._walk.find_crowded(value, self._extraction.key_value_threshold):
                self._turn_dynamic(crowded)
        except NotJsonError as error:
            self._note_unparsable(page, str(error))
            return
        inputs = self._write_inputs(page.inputs)
        for row in self._walk.rows(value):
            sheet = self._sheet(row.path)
            if sheet is not None:
                sheet.add(row, inputs)
        if self._mould is not None:
            self._mould.learn(value)
        self._keep_narrow()
        self._keep_flat()

    def _note_unparsable(self, page: SourcePage, reason: str) -> None:
        self.counts.unparsable += 1
        if len(self.unparsable) < MAX_NOTES:
            self.unparsable.append((page.item, page.page, reason))

    def _gather(self, page: SourcePage, fitting: Any) -> None:
        self._batch.append((page, fitting))
        self._batch_size += len(page.body)
        if self._batch_size > BATCH_SIZE or len(self._batch) >= BATCH_PAGES:
            self._write_batch()

    def _write_batch(self) -> None:
        """Write the rows of the responses gathered: by the column, or one by one where that does not do."""
        batch, self._batch, self._batch_size = self._batch, [], 0
        if not batch or self._mould is None:
            return
        columnar = Columnar(self._mould.plan, self._known_sheet, self._leads_on, self._root_wanted)
        inputs = [self._write_inputs(page.inputs) for page, _ in batch]
        try:
            columnar.write([fitting for _, fitting in batch], inputs)
        except SurpriseError:
            for page, _ in batch:
                self._take(page, self._read(page, Counts()))
        self._keep_flat()

    def _keep_flat(self) -> None:
        """Write all blocks where many small ones take much memory together."""
        if self._out.waiting > TOTAL_SIZE:
            for sheet in self._sheets.values():
                if sheet is not None:
                    sheet.flush()

    def _keep_narrow(self) -> None:
        """Stop adding columns where the keys of many responses together are data.

        The rows written so far have them still; the parts say so, and the caller extracts the shard again.
        """
        parts = [sheet.part for sheet in self._sheets.values() if sheet is not None]
        columns = sum(len(part.own) for part in parts) + len(parts)
        if columns >= self._columns_judged + self._extraction.key_value_threshold:
            self._columns_judged = columns
            self._turn_dynamic(find_dynamic(parts, self._extraction.key_value_threshold))

    def _turn_dynamic(self, paths: tuple[CollectionPath, ...]) -> None:
        """Read objects at these paths as keys and values from now on."""
        if paths:
            self._dynamic += paths
            self._mould = None
            self._walk = self._make_walk(self._extraction.key_value_paths + self._dynamic)

    def _make_walk(self, key_values: tuple[CollectionPath, ...]) -> Walk:
        return Walk(key_values, leads_on=self._leads_on, root_wanted=self._root_wanted)

    def _sheet(self, path: CollectionPath) -> Sheet | None:
        if path not in self._sheets:
            self._sheets[path] = self._open_sheet(path) if self._is_wanted(path) else None
        return self._sheets[path]

    def _known_sheet(self, path: CollectionPath) -> Sheet | None:
        try:
            return self._sheets[path]
        except KeyError:
            raise SurpriseError("A collection that was not there before.") from None

    def _open_sheet(self, path: CollectionPath) -> Sheet:
        part = Part(path, inputs=list(self._input_names))
        return Sheet(part, self._out, CsvLines(self._cells) if self._csv else JsonLines(part))

    def _is_wanted(self, path: CollectionPath) -> bool:
        wanted = self._extraction.result_collections
        return wanted is None or write_path(path) in wanted or (not path and "" in wanted)

    def _leads_on(self, path: CollectionPath) -> bool:
        """Tell whether the array at `path`, or one below it, is wanted."""
        name = write_path(path)
        wanted = self._extraction.result_collections
        return wanted is None or any(each == name or each.startswith(f"{name}.") for each in wanted)

    def _write_inputs(self, inputs: Mapping[str, Json]) -> str:
        """Write an item's inputs as the end of its rows."""
        if self._csv:
            return ",".join(self._write_input(inputs.get(name)) for name in self._input_names)
        given = {name: inputs[name] for name in self._input_names if name in inputs}
        return msgspec.json.encode(given).decode()

    def _write_input(self, value: Json) -> str:
        return self._cells.write(value) if isinstance(value, str) else quote(text_of(value))
