"""From segments to files: shards are extracted as they finish, the last step unites and writes.

Both are pure functions of what is stored, so both can be repeated at will; the work itself is done by
worker processes, for the event loop has requests to send.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from swath.engine.ending import Follow, conclude
from swath.engine.extract import (
    PackJob,
    ReduceJob,
    index_name,
    manifest_name,
    pack_files,
    reduce_table,
)
from swath.engine.feeding import draw_lists, tell_drawn
from swath.engine.frozen import Opened
from swath.engine.gather import Gatherer, Subject, is_csv, shape_rows
from swath.engine.manifest import MOST_REMARKS, Findings, Told, write_manifest
from swath.engine.times import now_ms
from swath.engine.workers import Workers
from swath.flow.definition import Definition
from swath.flow.execution import TERMINAL, Status, StopReason, judge_end
from swath.flow.files.output import Written
from swath.flow.files.packing import ARCHIVE, ENDINGS
from swath.flow.recipe import Recipe, apply_recipe
from swath.flow.table import Table, name_files, plain_name
from swath.store import executions, ledger, recipes, shards
from swath.store.database import Database, Row
from swath.store.objects import Objects


class Combiner:
    """Makes row parts and files in worker processes, started when first needed."""

    def __init__(
        self, database: Database, objects: Objects, opened: Opened, scratch: Path, follow: Follow
    ) -> None:
        #: Queues what an execution's end starts.
        self.follow = follow
        self._database = database
        self._objects = objects
        self._opened = opened
        self._scratch = scratch
        self._workers = Workers()
        self._gatherer = Gatherer(database, objects, scratch, self._workers)

    async def close(self) -> None:
        """Let the worker processes end what they are at, and go."""
        await self._workers.close()

    async def draw_lists(self, row: Row[Any]) -> Row[Any]:
        """Draw the lists of an execution that are rows of another. Raises SwathError."""
        return await draw_lists(self._database, self._objects, self._workers, self._scratch, row)

    async def extract(self, execution_id: str, number: int) -> None:
        """Extract a finished shard and remember its parts; again where that was done before."""
        subject = await self._open(execution_id)
        mapped = await self._gatherer.extract(subject, number)
        stored = msgspec.json.encode(mapped).decode()
        await self._database.write(shards.set_parts, execution_id, number, stored)

    async def combine(self, execution_id: str, revision: int) -> int:
        """Write the files and end the execution. Returns how many files there are."""
        subject = await self._open(execution_id)
        if subject.row.status in TERMINAL:
            return 0
        files, findings = await self._write_files(subject, revision, True)
        await self._end(subject, revision, files, findings)
        return len(files)

    async def combine_again(self, execution_id: str, revision: int) -> int:
        """Write the files of a later revision, by its own recipe. Returns how many files there are."""
        first = await self._open(execution_id)
        kept = await self._database.read(recipes.find, execution_id, revision)
        recipe = msgspec.json.decode(kept.recipe, type=Recipe)
        subject = Subject(first.row, apply_recipe(recipe, first.definition))
        reused = _extract_alike(first.definition, subject.definition)
        files, findings = await self._write_files(subject, revision, reused)
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
        self, subject: Subject, revision: int, reused: bool
    ) -> tuple[list[dict[str, Any]], Findings]:
        """Write a revision's index and files; return the rows that will name the files."""
        harvest = await self._gatherer.gather(subject, reused)
        typed = harvest.way.typed or not is_csv(subject.definition)
        guarded = not typed and subject.definition.workflow.spreadsheet_safe
        index = index_name(subject.id, revision)
        await self._objects.put(index, harvest.index.write(harvest.tables, typed=typed, guarded=guarded))
        tables = enumerate(_named(harvest.tables))
        written = await asyncio.gather(
            *(self._write_file(subject, revision, place, *named) for place, named in tables)
        )
        files = [file for file, _ in written]
        files += await self._pack(subject, revision, files)
        return files, Findings(harvest, sum(cut for _, cut in written))

    async def _open(self, execution_id: str) -> Subject:
        row = await self._database.read(executions.find_whole, execution_id)
        assert row is not None
        return Subject(row, self._opened.of(row).definition)

    # --- reduce

    async def _write_file(
        self, subject: Subject, revision: int, place: int, table: Table | None, name: str
    ) -> tuple[dict[str, Any], int]:
        """Write one table's file and keep it; return the row that will name it, and the cells cut."""
        options = subject.definition.options
        job = ReduceJob(
            place=self._objects.place,
            scratch=str(self._scratch),
            index=index_name(subject.id, revision),
            table=None if table is None else place,
            output_format=options.output_aggregation_format,
            compression=options.compression,
            spreadsheet_safe=subject.definition.workflow.spreadsheet_safe,
        )
        path, written = await self._workers.run(reduce_table, job)
        ending = f"{options.output_aggregation_format}{ENDINGS[options.compression]}"
        row = await self._keep(subject, revision, path, written, ending)
        columns = json.dumps(table.header if table else [])
        shown = {"collection": table.name if table else "", "format": options.output_aggregation_format}
        return {
            **row,
            **shown,
            "position": place,
            "name": f"{name}.{ending}",
            "columns": columns,
        }, written.cut

    async def _pack(
        self, subject: Subject, revision: int, files: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Write an archive of all files, if it is wanted; return the row that will name it."""
        if not subject.definition.options.archive:
            return []
        packed = [(file["object"], file["name"]) for file in files]
        job = PackJob(place=self._objects.place, scratch=str(self._scratch), files=packed)
        path, written = await self._workers.run(pack_files, job)
        row = await self._keep(subject, revision, path, written, ARCHIVE)
        name = f"{plain_name(subject.definition.workflow.name) or 'results'}.{ARCHIVE}"
        shown = {"collection": "", "format": ARCHIVE, "columns": "[]"}
        return [{**row, **shown, "position": len(files), "name": name}]

    async def _keep(
        self, subject: Subject, revision: int, path: str, written: Written, ending: str
    ) -> dict[str, Any]:
        """Keep a file that was written; return the beginnings of the row that will name it."""
        stored = f"results/{subject.id}/{revision}/{uuid4().hex}.{ending}"
        await self._objects.move_file(stored, Path(path))
        return {
            "id": str(uuid4()),
            "execution_id": subject.id,
            "revision": revision,
            "object": stored,
            "secret": uuid4().hex,
            "rows": written.rows,
            "bytes": written.bytes,
            "sha256": written.sha256,
        }

    async def _end(
        self, subject: Subject, revision: int, files: list[dict[str, Any]], findings: Findings
    ) -> None:
        """Write the manifest, then make the end true in one transaction."""
        counts = await self._database.read(executions.count_reasons, subject.row)
        # One that is cancelled when all is fetched ends as it would have.
        cut = bool(counts.get(StopReason.CANCELLED))
        cancelled = cut and subject.row.status == Status.STOPPING and subject.row.error is None
        warnings = await self._describe(subject, revision, files, findings)
        status = Status.FAILED if subject.row.error else judge_end(counts, cancelled=cancelled)
        await self._database.write(
            conclude,
            self.follow,
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
        warnings = findings.warnings(
            sum(file["rows"] for file in files),
            subject.row.items_total,
            subject.definition.workflow.unique_by,
        )
        warnings += tell_drawn(subject.definition.axes)
        told = await self._tell(subject)
        manifest = write_manifest(subject.row, subject.definition, findings, files, told, warnings, revision)
        await self._objects.put(manifest_name(subject.id, revision), manifest)
        return warnings

    async def _tell(self, subject: Subject) -> Told:
        read = self._database.read
        return Told(
            reasons=await read(executions.count_reasons, subject.row),
            statuses=(await read(executions.read_tallies, subject.id))["status"],
            remarks=await read(shards.find_remarks, subject.id, MOST_REMARKS),
            failures=await read(ledger.count_failures, subject.id),
            damaged=await read(ledger.find_events_of, subject.id, "segment_damaged"),
        )


def _extract_alike(one: Definition, other: Definition) -> bool:
    """Tell whether both make the same row parts."""
    return is_csv(one) == is_csv(other) and shape_rows(one) == shape_rows(other)


def _named(tables: Sequence[Table]) -> list[tuple[Table | None, str]]:
    """Pair tables with file names; an execution without any rows still has one file."""
    return list(zip(tables, name_files(tables), strict=True)) or [(None, "response")]
