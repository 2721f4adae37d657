"""Look at rows of an execution, while it runs and after."""

import asyncio
from typing import Any

import msgspec

from swath.engine.combine import lay_out
from swath.engine.extract import Index, Mapped, index_name, read_sources
from swath.engine.frozen import Opened
from swath.errors import NotFound
from swath.flow.definition import Definition, Json
from swath.flow.files.peek import read_rows
from swath.flow.table import Table
from swath.operations.context import Context, User
from swath.operations.executions import own
from swath.store import executions, shards
from swath.store.database import Connection, Row


async def look(
    context: Context, user: User, execution_id: str, collection: str | None, offset: int, limit: int
) -> dict[str, Json]:
    """Return rows `offset` to `offset + limit` of a collection, the primary one if none is named.

    Those of the newest files; before there are any, those of the shards that are finished so far.
    """
    row = await context.database.read(own, user, execution_id)
    definition = Opened(context.vault).of(row).definition
    revision = await context.database.read(executions.last_revision, execution_id)
    if revision is None:
        stored = await context.database.read(_find_parts, execution_id)
    else:
        stored = await context.objects.get(index_name(execution_id, revision))

    def read() -> dict[str, Json]:
        index = _open_index(stored, definition)
        table = _choose(index, collection)
        return _view(context, index, table, offset, limit)

    return await asyncio.to_thread(read)


def _find_parts(connection: Connection, execution_id: str) -> list[str]:
    rows: list[Row[Any]] = list(shards.find_shards(connection, execution_id))
    return [row.parts for row in rows if row.parts is not None]


def _open_index(stored: bytes | list[str], definition: Definition) -> Index:
    if isinstance(stored, bytes):
        return msgspec.msgpack.decode(stored, type=Index)
    mapped = [msgspec.json.decode(parts, type=Mapped) for parts in stored]
    tables, _ = lay_out(definition, mapped)
    typed = definition.options.output_aggregation_format != "csv"
    return Index(mapped=mapped, tables=tables, typed=typed)


def _choose(index: Index, collection: str | None) -> Table | None:
    found = next((table for table in index.tables if collection in (None, table.name)), None)
    if found is None and collection is not None:
        raise NotFound("collection", f"There is none of this name. There are: {_list(index.tables)}.")
    return found


def _list(tables: list[Table]) -> str:
    return ", ".join(table.name for table in tables) or "none so far"


def _view(context: Context, index: Index, table: Table | None, offset: int, limit: int) -> dict[str, Json]:
    view: dict[str, Json] = {"collection": "", "columns": [], "rows": [], "total": 0, "offset": offset}
    if table is None:
        return view
    sources = read_sources(context.objects, index.mapped, table.path)
    rows = read_rows(table, sources, offset, limit, csv=not index.typed)
    return view | {"collection": table.name, "columns": table.header, "rows": rows, "total": table.rows}
