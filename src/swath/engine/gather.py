"""The map step over all shards of an execution: what was extracted before is taken, the rest is extracted.

Shards pass through one by one, so that memory grows neither with them nor with rows. What only all of them
together show decides whether they are extracted again: objects whose keys are data, rows that came before in
another item, and columns over the budget, for which a CSV file needs the values' types.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec

from swath.engine.extract import MapJob, Mapped, list_frames, map_shard
from swath.engine.repeats import RepeatJob, find_repeated
from swath.engine.workers import Workers
from swath.flow.bodies import list_paths
from swath.flow.definition import Definition
from swath.flow.files.index import IndexWriter
from swath.flow.files.workbook import MOST_COLUMNS
from swath.flow.filters import bind_filters
from swath.flow.layout import Absent, arrange_all, find_absent
from swath.flow.rows import Counts, Extraction
from swath.flow.rows.dynamic import find_dynamic
from swath.flow.rows.fragments import Part
from swath.flow.rows.names import CollectionPath
from swath.flow.shard import ShardProgress
from swath.flow.table import Table, Union, order_tables
from swath.store import shards
from swath.store.database import Database, Row
from swath.store.disk import naming_ailments
from swath.store.objects import Objects

#: Rounds of finding objects that are really lists of keys; each round looks one level deeper.
MOST_ROUNDS = 5
#: Shards whose parts are read at a time.
BATCH = 32
#: So many unparsable pages are named.
MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """The execution whose files are made."""

    row: Row[Any]
    definition: Definition

    @property
    def id(self) -> str:
        return str(self.row.id)


@dataclass(frozen=True, slots=True)
class Way:
    """How shards are extracted, once all of them have been seen."""

    key_value_paths: tuple[CollectionPath, ...] = ()
    #: Rows that came before in another shard, by shard (see `repeats`).
    dropped: Mapping[int, bytes] = field(default_factory=dict)
    #: Extract JSON, though the files are CSV.
    typed: bool = False


@dataclass(slots=True)
class Harvest:
    """What came of all shards: what is listed in the index, and what extraction met."""

    way: Way
    index: IndexWriter = field(default_factory=IndexWriter)
    counts: Counts = field(default_factory=Counts)
    unparsable: list[tuple[int, int, str]] = field(default_factory=list)
    #: How many rows have the key of `unique_by`.
    told_apart: int = 0
    dynamic: dict[CollectionPath, None] = field(default_factory=dict)
    #: The marks of rows: shard, object, offset, length.
    marks: list[tuple[int, str, int, int]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    absent: Absent = field(default_factory=Absent)

    def add(self, number: int, mapped: Mapped) -> None:
        """Take what came of the next shard."""
        self.index.add(mapped.object, mapped.parts)
        self.counts.add(mapped.counts)
        self.told_apart += mapped.told_apart
        self.unparsable += mapped.unparsable[: MOST_NOTES - len(self.unparsable)]
        self.dynamic.update(dict.fromkeys(path for part in mapped.parts for path in part.dynamic))
        if mapped.marks[1]:
            self.marks.append((number, mapped.object, *mapped.marks))

    def lay_out(self, definition: Definition) -> None:
        """Settle the tables and their columns as the files show them, the primary one first."""
        self.tables, self.absent = lay_out(definition, self.index.union)

    def columns(self) -> Iterator[Part]:
        """Yield parts with all columns that there are, for `find_dynamic`."""
        yield Part((), dynamic=list(self.dynamic))
        for table in self.index.union.tables():
            yield Part(table.path, own=table.own, ancestors=table.ancestors)


def lay_out(definition: Definition, union: Union) -> tuple[list[Table], Absent]:
    """Return the tables as the files show them, and what was named and has no rows."""
    workflow = definition.workflow
    primary, wanted, chosen = workflow.primary_collection, workflow.result_collections, workflow.columns
    shape = shape_rows(definition)
    tables = order_tables(union.tables(), primary, shape.input_names if shape.include_inputs else ())
    absent = find_absent(tables, [primary or ""], wanted or (), chosen or ())
    tables = tables if workflow.children else tables[:1]
    is_workbook = definition.options.output_aggregation_format == "xlsx"
    most = min(workflow.column_budget, MOST_COLUMNS) if is_workbook else workflow.column_budget
    return tables, Absent(absent, arrange_all(tables, chosen, most))


def shape_rows(definition: Definition, key_value_paths: tuple[CollectionPath, ...] = ()) -> Extraction:
    """Return how the rows of an execution are to be extracted."""
    workflow, variables = definition.workflow, definition.endpoint.variables
    names = dict.fromkeys(mapping.target_variable_name for mapping in workflow.mappings)
    names.update(dict.fromkeys(source.variable for axis in definition.axes for source in axis.sources))
    shown = (name for name in names if not (name in variables and variables[name].secret))
    return Extraction(
        filters=bind_filters(workflow.filters, {**definition.constants, **definition.parameters}),
        include_inputs=workflow.include_inputs,
        input_names=tuple(shown),
        result_collections=workflow.result_collections,
        key_value_paths=key_value_paths,
        unique_by=workflow.unique_by,
        unique_within=workflow.unique_within,
        key_value_threshold=workflow.key_value_threshold,
        spreadsheet_safe=workflow.spreadsheet_safe,
        answer_format=workflow.answer_format,
        list_paths=list_paths(workflow),
    )


def is_csv(definition: Definition) -> bool:
    return definition.options.output_aggregation_format == "csv"


#: The shards of an execution in order, each with what came of it, if that is known.
Known = AsyncIterator[tuple[int, Mapped | None]]


class Gatherer:
    """Extracts shards in the worker processes."""

    def __init__(self, database: Database, objects: Objects, scratch: Path, workers: Workers) -> None:
        self._database = database
        self._objects = objects
        self._scratch = scratch
        self._workers = workers

    async def extract(self, subject: Subject, number: int, way: Way | None = None) -> Mapped:
        """Extract one shard, the way that is right as long as others have not been seen, or another."""
        way = way or Way()
        rows = await self._database.read(shards.find_frames, subject.id, number)
        stored = await self._database.read(shards.find_progress, subject.id, number)
        progress = ShardProgress.decode(stored) if stored else None
        definition = subject.definition
        extraction = shape_rows(definition, way.key_value_paths)
        shows_inputs = extraction.include_inputs and extraction.input_names
        constants = definition.constants
        job = MapJob(
            place=self._objects.place,
            scratch=str(self._scratch),
            target=f"parts/{subject.id}/{number}-{uuid4().hex}.parts",
            frames=list_frames(rows, progress),
            cuts=progress.cuts if progress else {},
            axes=definition.axes if shows_inputs else (),
            join=definition.workflow.join,
            constants={name: constants[name] for name in extraction.input_names if name in constants},
            extraction=extraction,
            output_format="jsonl" if way.typed else definition.options.output_aggregation_format,
            dropped=way.dropped.get(number, b""),
        )
        return await self._workers.run(map_shard, job)

    async def gather(self, subject: Subject, reused: bool) -> Harvest:
        """Return what comes of all shards, of those extracted before (unless not `reused`) as it was."""
        definition = subject.definition
        with naming_ailments(), TemporaryDirectory(dir=self._scratch) as folder:
            passes = _Passes(self, subject, Path(folder), self._workers.count)
            harvest = await passes.run(self._stored(subject, reused), Way())
            for _ in range(MOST_ROUNDS):
                more = find_dynamic(harvest.columns(), definition.workflow.key_value_threshold)
                if not more:
                    break
                paths = harvest.way.key_value_paths + more
                harvest = await passes.again(replace(harvest.way, key_value_paths=paths))
            if repeated := await self._find_repeated(harvest):
                way = replace(harvest.way, dropped=repeated)
                harvest = await passes.again(way, lambda number: number not in repeated)
            harvest.lay_out(definition)
            if is_csv(definition) and any(table.more for table in harvest.tables):
                harvest = await passes.again(replace(harvest.way, typed=True))
                harvest.lay_out(definition)
        kept = harvest.index.objects
        await self._objects.delete([name for name in passes.made if name not in kept])
        return harvest

    async def _stored(self, subject: Subject, reused: bool) -> Known:
        """Yield what shards were found to be as they finished."""
        last = -1
        while batch := await self._database.read(shards.find_parts, subject.id, last, BATCH):
            for number, parts in batch:
                last = number
                yield number, msgspec.json.decode(parts, type=Mapped) if parts and reused else None

    async def _find_repeated(self, harvest: Harvest) -> dict[int, bytes]:
        if not harvest.marks:
            return {}
        job = RepeatJob(place=self._objects.place, scratch=str(self._scratch), marks=harvest.marks)
        return await self._workers.run(find_repeated, job)


class _Passes:
    """Goes through all shards, again and again; what came of them waits for the next pass in a file."""

    def __init__(self, gatherer: Gatherer, subject: Subject, folder: Path, window: int) -> None:
        #: The objects that were made on the way.
        self.made: list[str] = []
        self._gatherer = gatherer
        self._subject = subject
        self._folder = folder
        self._window = window
        self._count = 0

    async def again(self, way: Way, is_right: Callable[[int], bool] = lambda _: False) -> Harvest:
        """Extract another way all shards but those that are right as they were."""
        return await self.run(self._last(self._count, is_right), way)

    async def run(self, known: Known, way: Way) -> Harvest:
        """Take what is known of the shards and extract the others, as many at a time as there are workers."""
        self._count += 1
        harvest = Harvest(way)
        waiting: deque[tuple[int, asyncio.Task[Mapped]]] = deque()
        with (self._folder / str(self._count)).open("wb") as file:
            try:
                async for number, mapped in known:
                    waiting.append((number, asyncio.create_task(self._find(number, mapped, way))))
                    if len(waiting) > self._window:
                        await _take(waiting, harvest, file)
                while waiting:
                    await _take(waiting, harvest, file)
            finally:
                for _, task in waiting:
                    task.cancel()
        return harvest

    async def _find(self, number: int, mapped: Mapped | None, way: Way) -> Mapped:
        if mapped is None:
            mapped = await self._gatherer.extract(self._subject, number, way)
            self.made.append(mapped.object)
        return mapped

    async def _last(self, count: int, is_right: Callable[[int], bool]) -> Known:
        """Yield the shards of a pass, with what came of those that are right."""
        with (self._folder / str(count)).open("rb") as file:
            for line in file:
                number, mapped = msgspec.json.decode(line, type=tuple[int, Mapped])
                yield number, mapped if is_right(number) else None


async def _take(waiting: deque[tuple[int, asyncio.Task[Mapped]]], harvest: Harvest, file: BinaryIO) -> None:
    number, task = waiting.popleft()
    mapped = await task
    harvest.add(number, mapped)
    file.write(msgspec.json.encode((number, mapped)) + b"\n")
