"""Look at rows of an execution, while it runs and after."""

import asyncio
from functools import partial
from typing import Any

import msgspec

from swath.engine.extract import Mapped, index_name, open_index
from swath.engine.frozen import Opened
from swath.engine.gather import BATCH, is_csv, lay_out
from swath.errors import NotFound
from swath.flow.definition import Json
from swath.flow.files.index import Index, IndexWriter
from swath.flow.files.peek import read_rows
from swath.flow.table import Table, describe_columns
from swath.operations.context import Context, User
from swath.operations.executions import own_archive
from swath.store import executions, shards


async def look(
    context: Context, user: User, execution_id: str, collection: str | None, offset: int, limit: int
) -> dict[str, Json]:
    """Return rows `offset` to `offset + limit` of a collection, the primary one if none is named.

    Those of the newest files; before there are any, those of the shards that are finished so far.
    """
    index = await open_rows(context, user, execution_id)
    number = choose(index, collection)
    if number is None:
        return {"collection": "", "columns": [], "rows": [], "total": 0, "offset": offset}
    return await asyncio.to_thread(_view, context, index, number, offset, limit)


async def describe(context: Context, user: User, execution_id: str) -> list[dict[str, Json]]:
    """Return the result collections and their columns, of the same rows, the primary collection first."""
    index = await open_rows(context, user, execution_id)
    return [
        {
            "collection": table.name,
            "rows": table.rows,
            "columns": describe_columns(table, table.columns),
            "in_more": describe_columns(table, table.more),
        }
        for table in index.tables
    ]


async def open_rows(context: Context, user: User, execution_id: str) -> Index:
    """Return the index of the newest files or, before there are any, of the shards finished so far."""
    row = await context.database.read(own_archive, user, execution_id)
    revision = await context.database.read(executions.last_revision, execution_id)
    if revision is None:
        return await context.looks.open(row.id, lambda: _gather(context, row), final=False)
    name = index_name(row.id, revision)
    read = partial(open_index, context.objects, name)
    return await context.looks.open(name, lambda: asyncio.to_thread(read), final=True)


async def _gather(context: Context, row: Any) -> Index:
    """Return an index of what is finished so far."""
    definition = Opened(context.vault).of(row).definition
    writer, last = IndexWriter(), -1
    while batch := await context.database.read(shards.find_parts, row.id, last, BATCH):
        last = batch[-1][0]
        await asyncio.to_thread(_take, writer, [parts for _, parts in batch if parts is not None])
    tables, _ = lay_out(definition, writer.union)
    typed = not is_csv(definition)
    guarded = not typed and definition.workflow.spreadsheet_safe
    written = writer.write(tables, typed=typed, guarded=guarded)
    return Index(lambda offset, length: written[offset : offset + length], len(written))


def _take(writer: IndexWriter, batch: list[str]) -> None:
    for parts in batch:
        mapped = msgspec.json.decode(parts, type=Mapped)
        writer.add(mapped.object, mapped.parts)


def choose(index: Index, collection: str | None) -> int | None:
    """Return a table's number. Raises NotFound for one that there is not."""
    tables = index.tables
    found = next((n for n, table in enumerate(tables) if collection in (None, table.name)), None)
    if found is None and collection is not None:
        raise NotFound("collection", f"There is none of this name. There are: {_list(tables)}.")
    return found


def _list(tables: list[Table]) -> str:
    return ", ".join(table.name for table in tables) or "none so far"


def _view(context: Context, index: Index, number: int, offset: int, limit: int) -> dict[str, Json]:
    table = index.tables[number]
    sources, skipped = index.sources(number, context.objects.read_range, offset)
    rows = read_rows(table, sources, skipped, limit, csv=not index.typed)
    return {
        "collection": table.name,
        "columns": table.header,
        "rows": rows,
        "total": table.rows,
        "offset": offset,
    }
