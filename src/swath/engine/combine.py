"""From segments to files: shards are extracted as they finish, the last step unites and writes.

Both are pure functions of what is stored, so both can be repeated at will; the work itself is done by
worker processes, for the event loop has requests to send.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from swath.engine.extract import (
    Index,
    MapJob,
    Mapped,
    ReduceJob,
    index_name,
    list_frames,
    manifest_name,
    map_shard,
    reduce_table,
    start_worker,
)
from swath.engine.frozen import Opened
from swath.engine.manifest import Findings, write_manifest
from swath.engine.times import now_ms
from swath.flow.bodies import list_paths
from swath.flow.definition import Definition
from swath.flow.execution import TERMINAL, Status, judge_end
from swath.flow.files.output import Written
from swath.flow.files.workbook import MOST_COLUMNS
from swath.flow.filters import bind_filters
from swath.flow.layout import Absent, arrange_all
from swath.flow.recipe import Recipe, apply_recipe
from swath.flow.rows import Extraction
from swath.flow.rows.dynamic import find_dynamic
from swath.flow.rows.names import CollectionPath
from swath.flow.shard import ShardProgress
from swath.flow.table import Table, name_files, order_tables, unite
from swath.store import executions, recipes, shards
from swath.store.database import Database, Row
from swath.store.objects import Objects

T = TypeVar("T")

#: Rounds of finding objects that are really lists of keys; each round looks one level deeper.
MOST_ROUNDS = 5


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
        key_value_threshold=workflow.key_value_threshold,
        spreadsheet_safe=workflow.spreadsheet_safe,
        answer_format=workflow.answer_format,
        list_paths=list_paths(workflow),
    )


@dataclass(frozen=True, slots=True)
class Subject:
    """The execution whose files are made."""

    row: Row[Any]
    definition: Definition

    @property
    def id(self) -> str:
        return str(self.row.id)


#: The parts of all shards, in order, and the objects that became key/value rows.
Extracted = tuple[list[Mapped], tuple[CollectionPath, ...]]


class Combiner:
    """Makes row parts and files in worker processes, started when first needed."""

    def __init__(self, database: Database, objects: Objects, opened: Opened, scratch: Path) -> None:
        self._database = database
        self._objects = objects
        self._opened = opened
        self._scratch = scratch
        self._pool: ProcessPoolExecutor | None = None

    async def close(self) -> None:
        """Let the worker processes end what they are at, and go."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    async def extract(self, execution_id: str, number: int) -> None:
        """Extract a finished shard and remember its parts; again where that was done before."""
        subject = await self._open(execution_id)
        mapped = await self._map(subject, number, ())
        stored = msgspec.json.encode(mapped).decode()
        await self._database.write(shards.set_parts, execution_id, number, stored)

    async def combine(self, execution_id: str, revision: int) -> int:
        """Write the files and end the execution. Returns how many files there are."""
        subject = await self._open(execution_id)
        if subject.row.status in TERMINAL:
            return 0
        files, findings = await self._write_files(subject, revision, await self._map_all(subject))
        await self._end(subject, revision, files, findings)
        return len(files)

    async def combine_again(self, execution_id: str, revision: int) -> int:
        """Write the files of a later revision, by its own recipe. Returns how many files there are."""
        first = await self._open(execution_id)
        kept = await self._database.read(recipes.find, execution_id, revision)
        recipe = msgspec.json.decode(kept.recipe, type=Recipe)
        subject = Subject(first.row, apply_recipe(recipe, first.definition))
        reused = _extract_alike(first.definition, subject.definition)
        files, findings = await self._write_files(subject, revision, await self._map_all(subject, reused))
        warnings = await self._describe(subject, revision, files, findings)
        await self.end_again(execution_id, revision, warnings=warnings, files=files)
        return len(files)

    async def end_again(
        self,
        execution_id: str,
        revision: int,
        *,
        error: str | None = None,
        warnings: Sequence[str] = (),
        files: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Say what became of a later revision."""
        await self._database.write(
            recipes.end, execution_id, revision, error=error, warnings=warnings, files=files, now=now_ms()
        )

    async def _write_files(
        self, subject: Subject, revision: int, extracted: Extracted
    ) -> tuple[list[dict[str, Any]], Findings]:
        """Write a revision's files and its index; return the rows that will name the files."""
        mapped, dynamic = extracted
        tables, absent = lay_out(subject.definition, mapped)
        typed = any(table.more for table in tables) or not _is_csv(subject.definition)
        if typed and _is_csv(subject.definition):
            mapped = await self._gather(subject, dict.fromkeys(range(len(mapped))), dynamic, typed)
        written = [
            await self._write_file(subject, revision, place, table, name, mapped, typed)
            for place, (table, name) in enumerate(_named(tables))
        ]
        index = Index(mapped=mapped, tables=tables, typed=typed)
        await self._objects.put(index_name(subject.id, revision), msgspec.msgpack.encode(index))
        return [file for file, _ in written], Findings(
            mapped, tables, dynamic, absent, sum(cut for _, cut in written)
        )

    async def _open(self, execution_id: str) -> Subject:
        row = await self._database.read(executions.find, execution_id)
        assert row is not None
        return Subject(row, self._opened.of(row).definition)

    # --- map

    async def _map_all(self, subject: Subject, reused: bool = True) -> Extracted:
        """Return the parts of all shards, of those extracted before (unless not `reused`) what came of it."""
        found = await self._database.read(shards.find_shards, subject.id)
        stored = {row.number: row.parts if reused else None for row in found}
        mapped = await self._gather(subject, stored, ())
        dynamic: tuple[CollectionPath, ...] = ()
        for _ in range(MOST_ROUNDS):
            parts = (part for each in mapped for part in each.parts)
            more = find_dynamic(parts, shape_rows(subject.definition).key_value_threshold)
            if not more:
                break
            dynamic += more
            mapped = await self._gather(subject, dict.fromkeys(stored), dynamic)
        return mapped, dynamic

    async def _gather(
        self,
        subject: Subject,
        stored: dict[int, str | None],
        dynamic: tuple[CollectionPath, ...],
        typed: bool = False,
    ) -> list[Mapped]:
        async def get(number: int, parts: str | None) -> Mapped:
            if parts is not None:
                return msgspec.json.decode(parts, type=Mapped)
            return await self._map(subject, number, dynamic, typed)

        return list(await asyncio.gather(*(get(*shard) for shard in sorted(stored.items()))))

    async def _map(
        self, subject: Subject, number: int, dynamic: tuple[CollectionPath, ...], typed: bool = False
    ) -> Mapped:
        rows = await self._database.read(shards.find_frames, subject.id, number)
        stored = await self._database.read(shards.find_progress, subject.id, number)
        progress = ShardProgress.decode(stored) if stored else None
        definition = subject.definition
        extraction = shape_rows(definition, dynamic)
        constants = definition.constants
        job = MapJob(
            place=self._objects.place,
            scratch=str(self._scratch),
            target=f"parts/{subject.id}/{number}-{uuid4().hex}.parts",
            frames=list_frames(rows, progress),
            cuts=progress.cuts if progress else {},
            axes=definition.axes,
            join=definition.workflow.join,
            constants={name: constants[name] for name in extraction.input_names if name in constants},
            extraction=extraction,
            output_format="jsonl" if typed else definition.options.output_aggregation_format,
        )
        return await self._run(map_shard, job)

    # --- reduce

    async def _write_file(
        self,
        subject: Subject,
        revision: int,
        place: int,
        table: Table | None,
        name: str,
        mapped: Sequence[Mapped],
        typed: bool,
    ) -> tuple[dict[str, Any], int]:
        """Write one table's file and keep it; return the row that will name it, and the cells cut."""
        output_format = subject.definition.options.output_aggregation_format
        sources = [(part, each.object) for each in mapped for part in each.parts if _is_of(part.path, table)]
        job = ReduceJob(
            place=self._objects.place,
            scratch=str(self._scratch),
            table=table,
            sources=sources,
            output_format=output_format,
            spreadsheet_safe=subject.definition.workflow.spreadsheet_safe,
            typed=typed,
        )
        path, written = await self._run(reduce_table, job)
        stored = f"results/{subject.id}/{revision}/{uuid4().hex}.{output_format}"
        await self._objects.move_file(stored, Path(path))
        row = {
            "id": str(uuid4()),
            "execution_id": subject.id,
            "revision": revision,
            "position": place,
            "collection": table.name if table else "",
            "name": f"{name}.{output_format}",
            "format": output_format,
            "object": stored,
            "secret": uuid4().hex,
            "columns": json.dumps(table.header if table else []),
            **_measures(written),
        }
        return row, written.cut

    async def _end(
        self, subject: Subject, revision: int, files: list[dict[str, Any]], findings: Findings
    ) -> None:
        """Write the manifest, then make the end true in one transaction."""
        counts = await self._database.read(executions.count_reasons, subject.row)
        cancelled = subject.row.status == Status.STOPPING and subject.row.error is None
        warnings = await self._describe(subject, revision, files, findings)
        status = Status.FAILED if subject.row.error else judge_end(counts, cancelled=cancelled)
        await self._database.write(
            executions.end,
            subject.id,
            status=status,
            error=None,
            warnings=warnings,
            rows=sum(file["rows"] for file in files),
            files=files,
            now=now_ms(),
        )

    async def _describe(
        self, subject: Subject, revision: int, files: list[dict[str, Any]], findings: Findings
    ) -> list[str]:
        """Write a revision's manifest; return its warnings."""
        counts = await self._database.read(executions.count_reasons, subject.row)
        warnings = findings.warnings(sum(file["rows"] for file in files))
        statuses = await self._database.read(executions.read_tallies, subject.id, "status")
        declared = await self._database.read(shards.find_declared, subject.id)
        manifest = write_manifest(
            subject.row, findings, files, counts, statuses, declared, warnings, revision
        )
        await self._objects.put(manifest_name(subject.id, revision), manifest)
        return warnings

    async def _run(self, work: Callable[[Any], T], job: Any) -> T:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                os.cpu_count(), mp_context=get_context("spawn"), initializer=start_worker
            )
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, job)


def _extract_alike(one: Definition, other: Definition) -> bool:
    """Tell whether both make the same row parts."""
    return _is_csv(one) == _is_csv(other) and shape_rows(one) == shape_rows(other)


def _is_csv(definition: Definition) -> bool:
    return definition.options.output_aggregation_format == "csv"


def lay_out(definition: Definition, mapped: Iterable[Mapped]) -> tuple[list[Table], Absent]:
    """Return the tables of these parts as the files show them, the primary one first."""
    workflow = definition.workflow
    tables = order_tables(unite(part for each in mapped for part in each.parts), workflow.primary_collection)
    tables = tables if workflow.children else tables[:1]
    is_workbook = definition.options.output_aggregation_format == "xlsx"
    most = min(workflow.column_budget, MOST_COLUMNS) if is_workbook else workflow.column_budget
    return tables, arrange_all(tables, workflow.columns, most)


def _named(tables: Sequence[Table]) -> list[tuple[Table | None, str]]:
    """Pair tables with file names; an execution without any rows still has one file."""
    return list(zip(tables, name_files(tables), strict=True)) or [(None, "response")]


def _is_of(path: CollectionPath, table: Table | None) -> bool:
    return table is not None and path == table.path


def _measures(written: Written) -> dict[str, Any]:
    return {"rows": written.rows, "bytes": written.bytes, "sha256": written.sha256}
