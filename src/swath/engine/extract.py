"""The work of the worker processes: rows out of a shard's segments, and files out of row parts.

This module and what it imports stay small: every worker process loads them, and nothing else of Swath.
"""

import heapq
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

import msgspec

from swath.engine.blocks import Elements
from swath.flow.bodies import Decode, Flaws, NotJsonError, Number, decoder
from swath.flow.definition import Axis, Join, Json, OutputFormat
from swath.flow.files.output import Written
from swath.flow.files.parquet import combine_parquet
from swath.flow.files.workbook import combine_xlsx
from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.plan import Plan
from swath.flow.rows import Counts, Extraction, Extractor, SourcePage
from swath.flow.rows.fragments import Part
from swath.flow.rows.names import CollectionPath
from swath.flow.rows.repeats import Repeats
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


class Mapped(msgspec.Struct, kw_only=True):
    """What came of a shard: the object that holds its parts' bytes, and what is in it."""

    object: str
    parts: list[Part]
    counts: Counts
    unparsable: list[tuple[int, int, str]]


class Index(msgspec.Struct, kw_only=True):
    """What a revision's files were made of, kept beside them: for looking at rows."""

    mapped: list[Mapped]
    tables: list[Table]
    #: Whether the parts hold JSON.
    typed: bool


class ReduceJob(msgspec.Struct, frozen=True, kw_only=True):
    """One table to write, from parts in the order of their shards."""

    place: str
    scratch: str
    table: Table | None
    sources: list[tuple[Part, str]]
    output_format: OutputFormat
    spreadsheet_safe: bool = False
    #: Whether the parts hold JSON though the file is CSV.
    typed: bool = False


def start_worker() -> None:
    """Prepare a worker process: it ends when the process that began it is gone, however that ended."""
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
        for page in _pages(objects, plan, job):
            extractor.feed(page)
        parts = extractor.finish()
        file.flush()
        objects.write_file(job.target, Path(file.name))
    return Mapped(object=job.target, parts=parts, counts=extractor.counts, unparsable=extractor.unparsable)


def _pages(objects: Objects, plan: Plan, job: MapJob) -> Iterator[SourcePage]:
    item, inputs = -1, dict[str, Json]()
    repeats = Repeats(job.extraction.unique_by) if job.extraction.unique_by else None
    decode = decoder(Number, job.extraction.answer_format, job.extraction.list_paths)
    for record in merge_frames(objects, job.frames):
        if record.page >= job.cuts.get(record.item, record.page + 1):
            continue
        if record.item != item:
            item, inputs = record.item, plan.inputs(record.item)
        kind = _content_type(record)
        repeated = _find_repeated(repeats, record, kind, decode) if repeats else frozenset()
        yield SourcePage(record.item, record.page, inputs, record.body, kind, repeated)


def _find_repeated(repeats: Repeats, record: PageRecord, kind: str, decode: Decode) -> frozenset[int]:
    if not record.body:
        return frozenset()
    try:
        return repeats.find(record.item, decode(record.body, kind, Flaws()))
    except NotJsonError:  # the extractor will say so
        return frozenset()


def _content_type(record: PageRecord) -> str:
    return next((value for name, value in record.headers if name == "content-type"), "")


def list_frames(rows: Iterable[Any], progress: ShardProgress | None) -> list[Frame]:
    """Return a shard's frames from their rows, without what its progress says no longer counts."""
    without = progress.superseded if progress else lambda _: frozenset[int]()
    return [
        Frame(row.object, row.offset, row.length, (row.first_item, row.first_page), without(row.generation))
        for row in rows
    ]


def merge_frames(objects: Objects, frames: Sequence[Frame]) -> Iterator[PageRecord]:
    """Yield the pages of all frames in the order of (item, page), opening each frame only when it is due."""
    waiting = sorted(frames, key=lambda frame: frame.first, reverse=True)
    opened: list[tuple[tuple[int, int], int, PageRecord, Iterator[PageRecord]]] = []
    while waiting or opened:
        while waiting and (not opened or waiting[-1].first <= opened[0][0]):
            frame = waiting.pop()
            records = open_frame(objects.read_range(frame.object, frame.offset, frame.length))
            if frame.without:
                records = (record for record in records if record.item not in frame.without)
            _push(opened, records, len(waiting))
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
    sources = ((part, _reader(objects, name)) for part, name in job.sources)
    with NamedTemporaryFile(dir=job.scratch, suffix=".result", delete=False) as file:
        write = WRITERS[job.output_format]
        if job.output_format == "csv":
            write = partial(combine_csv, spreadsheet_safe=job.spreadsheet_safe, typed=job.typed)
        written = write(job.table, sources, cast(BinaryIO, file))
    return file.name, written


def index_name(execution_id: str, revision: int) -> str:
    return f"results/{execution_id}/{revision}/index"


def manifest_name(execution_id: str, revision: int) -> str:
    return f"results/{execution_id}/{revision}/manifest.json"


def read_sources(
    objects: Objects, mapped: Sequence[Mapped], path: CollectionPath
) -> Iterator[tuple[Part, Callable[[int, int], bytes]]]:
    """Yield a collection's parts in the order of the shards, each with what reads its object."""
    for each in mapped:
        for part in each.parts:
            if part.path == path:
                yield part, _reader(objects, each.object)


def _reader(objects: Objects, name: str) -> Callable[[int, int], bytes]:
    return lambda offset, length: objects.read_range(name, offset, length)
