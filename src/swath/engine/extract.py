"""The work of the worker processes: rows out of a shard's segments, and files out of row parts.

This module and what it imports stay small: every worker process loads them, and nothing else of Swath.
"""

import gc
import heapq
import os
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

import msgspec

from swath.engine.blocks import Elements
from swath.engine.heap import keep_small
from swath.errors import Damaged, Torn
from swath.flow.bodies import Decode, Flaws, NotJsonError, Number, decoder
from swath.flow.definition import Axis, Compression, Join, Json, OutputFormat
from swath.flow.files.index import Index
from swath.flow.files.output import Source, Written, measure
from swath.flow.files.packing import compress, pack
from swath.flow.files.parquet import combine_parquet
from swath.flow.files.workbook import combine_xlsx
from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.filters import Sieve, compile_filters
from swath.flow.plan import Plan
from swath.flow.rows import Counts, Extraction, Extractor, SourcePage
from swath.flow.rows.fragments import Part
from swath.flow.rows.repeats import Repeats, read_key
from swath.flow.segment import PageRecord, open_frame
from swath.flow.shard import ShardProgress
from swath.flow.table import Table
from swath.store.objects import Objects

Writer = Callable[[Table | None, Any, BinaryIO], Written]
WRITERS: dict[str, Writer] = {
    "csv": combine_csv,
    "json": combine_json,
    "jsonl": combine_jsonl,
    "parquet": combine_parquet,
    "xlsx": combine_xlsx,
}
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Frame(msgspec.Struct, frozen=True):
    """Where a shard's frame is, and its smallest (item, page)."""

    object: str
    offset: int
    length: int
    first: tuple[int, int]
    #: Items whose pages in it do not count: they were begun anew since.
    without: frozenset[int] = frozenset()


class MapJob(msgspec.Struct, frozen=True, kw_only=True):
    """All that is needed to extract one shard."""

    place: str
    scratch: str
    target: str
    frames: list[Frame]
    #: Items of which only the first pages count.
    cuts: dict[int, int]
    axes: tuple[Axis, ...]
    join: Join
    #: Constant inputs that rows are to show.
    constants: dict[str, Json]
    extraction: Extraction
    output_format: OutputFormat
    #: Rows told apart by a key that came before in another shard: ascending numbers of four bytes each.
    dropped: bytes = b""


class Mapped(msgspec.Struct, kw_only=True):
    """What came of a shard: the object that holds its parts' bytes, and what is in it."""

    object: str
    parts: list[Part]
    counts: Counts
    unparsable: list[tuple[int, int, str]]
    #: How many rows have the key of `unique_by`.
    told_apart: int = 0
    #: Where in the object the marks of rows told apart over the whole execution are: offset, length.
    marks: tuple[int, int] = (0, 0)


class ReduceJob(msgspec.Struct, frozen=True, kw_only=True):
    """One table to write; without a table a file that holds nothing."""

    place: str
    scratch: str
    #: The index that lists the table's parts, and the table's number there.
    index: str
    table: int | None
    output_format: OutputFormat
    compression: Compression = "none"
    spreadsheet_safe: bool = False


class PackJob(msgspec.Struct, frozen=True, kw_only=True):
    """Files to put together into an archive: objects, and the names that they have there."""

    place: str
    scratch: str
    files: list[tuple[str, str]]


def start_worker() -> None:
    """Prepare a worker process: it ends when the process that began it is gone, however that ended.

    The cyclic collector hardly ever runs there: rows are not cyclic, and looking for rings among all the
    values of a batch took a quarter of the time.
    """
    keep_small()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def map_shard(job: MapJob) -> Mapped:
    """Extract the rows of a shard's pages into one object of row parts."""
    objects = Objects(job.place)
    plan = Plan(job.axes, job.join, job.constants, Elements(objects))
    with NamedTemporaryFile(dir=job.scratch, suffix=".parts") as file:
        extractor = Extractor(job.extraction, cast(BinaryIO, file), job.output_format)
        marks = bytearray()
        repeats = _open_repeats(job, marks)
        for page in _pages(objects, plan, job, repeats):
            extractor.feed(page)
        parts = extractor.finish()
        place = file.tell(), len(marks)
        file.write(marks)
        file.flush()
        objects.write_file(job.target, Path(file.name))
    return Mapped(
        object=job.target,
        parts=parts,
        counts=extractor.counts,
        unparsable=extractor.unparsable,
        told_apart=repeats.told_apart if repeats else 0,
        marks=place,
    )


def _pages(objects: Objects, plan: Plan, job: MapJob, repeats: Repeats | None) -> Iterator[SourcePage]:
    item, inputs = -1, dict[str, Json]()
    sieve = compile_filters(job.extraction.filters)
    decode = decoder(Number, job.extraction.answer_format, job.extraction.list_paths)
    for record in merge_frames(objects, job.frames):
        if record.page >= job.cuts.get(record.item, record.page + 1):
            continue
        if record.item != item:
            item, inputs = record.item, plan.inputs(record.item)
        kind = _content_type(record)
        repeated = _find_repeated(repeats, record, kind, decode, sieve) if repeats else frozenset()
        yield SourcePage(record.item, record.page, inputs, record.body, kind, repeated)


def _open_repeats(job: MapJob, marks: bytearray) -> Repeats | None:
    extraction = job.extraction
    if not extraction.unique_by:
        return None
    key = read_key(extraction.unique_by)
    return Repeats(key, marks if extraction.unique_within == "execution" else None, array("I", job.dropped))


def _find_repeated(
    repeats: Repeats, record: PageRecord, kind: str, decode: Decode, sieve: Sieve | None
) -> frozenset[int]:
    """Return which rows of those that the filters leave came before."""
    if not record.body:
        return frozenset()
    try:
        value = decode(record.body, kind, Flaws())
    except NotJsonError:  # the extractor will say so
        return frozenset()
    return frozenset() if sieve is not None and not sieve(value) else repeats.find(record.item, value)


def _content_type(record: PageRecord) -> str:
    return next((value for name, value in record.headers if name == "content-type"), "")


def list_frames(rows: Iterable[Any], progress: ShardProgress | None) -> list[Frame]:
    """Return a shard's frames from their rows, without what its progress says no longer counts."""
    without = progress.superseded if progress else lambda _: frozenset[int]()
    return [
        Frame(row.object, row.offset, row.length, (row.first_item, row.first_page), without(row.generation))
        for row in rows
    ]


def _open(objects: Objects, frame: Frame) -> Iterator[PageRecord]:
    """Yield a frame's pages that count. Raises Torn where they are not as they were recorded."""
    try:
        for record in open_frame(objects.read_range(frame.object, frame.offset, frame.length)):
            if record.item not in frame.without:
                yield record
    except Damaged as damage:
        raise Torn(frame.object, frame.offset, str(damage)) from None


def merge_frames(objects: Objects, frames: Sequence[Frame]) -> Iterator[PageRecord]:
    """Yield the pages of all frames in the order of (item, page), opening each frame only when it is due."""
    waiting = sorted(frames, key=lambda frame: frame.first, reverse=True)
    opened: list[tuple[tuple[int, int], int, PageRecord, Iterator[PageRecord]]] = []
    while waiting or opened:
        while waiting and (not opened or waiting[-1].first <= opened[0][0]):
            _push(opened, _open(objects, waiting.pop()), len(waiting))
        if opened:
            _, number, record, records = heapq.heappop(opened)
            _push(opened, records, number)
            yield record


def _push(opened: list[Any], records: Iterator[PageRecord], number: int) -> None:
    record = next(records, None)
    if record is not None:
        heapq.heappush(opened, ((record.item, record.page), number, record, records))


def reduce_table(job: ReduceJob) -> tuple[str, Written]:
    """Write one table's file into the scratch folder; return its path and what is in it."""
    objects = Objects(job.place)
    index = open_index(objects, job.index)
    table: Table | None = None
    sources: Iterable[Source] = ()
    if job.table is not None:
        table, (sources, _) = index.tables[job.table], index.sources(job.table, objects.read_range)
    with _result_file(job.scratch) as file:
        write = WRITERS[job.output_format]
        if job.output_format == "csv":
            write = partial(combine_csv, spreadsheet_safe=job.spreadsheet_safe, typed=index.typed)
        written = write(table, sources, file)
    return (file.name, written) if job.compression == "none" else _compress(job, file.name, written)


def _compress(job: ReduceJob, name: str, written: Written) -> tuple[str, Written]:
    try:
        with open(name, "rb") as plain, _result_file(job.scratch) as file:
            compress(plain, file, job.compression)
            return file.name, replace(measure(file, written.rows), cut=written.cut)
    finally:
        os.unlink(name)


def pack_files(job: PackJob) -> tuple[str, Written]:
    """Write an archive into the scratch folder; return its path and what is in it."""
    objects = Objects(job.place)
    files = ((name, objects.size(stored), objects.chunks(stored)) for stored, name in job.files)
    with _result_file(job.scratch) as file:
        pack(files, file)
        return file.name, measure(file, 0)


@contextmanager
def _result_file(scratch: str) -> Iterator[BinaryIO]:
    """Give a file that stays unless writing it fails: a disk that is full should not become fuller."""
    with NamedTemporaryFile(dir=scratch, suffix=".result", delete=False) as file:
        try:
            yield cast(BinaryIO, file)
            file.flush()
        except BaseException:
            os.unlink(file.name)
            raise


def open_index(objects: Objects, name: str) -> Index:
    return Index(partial(objects.read_range, name), objects.size(name))


def index_name(execution_id: str, revision: int) -> str:
    return f"results/{execution_id}/{revision}/index"


def manifest_name(execution_id: str, revision: int) -> str:
    return f"results/{execution_id}/{revision}/manifest.json"
