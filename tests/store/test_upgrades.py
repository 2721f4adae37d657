"""Migrations go forward from the first released schema, with an execution unfinished."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, inspect, select

from swath.store import executions, shards
from swath.store.database import Database, PostgresDatabase, SqliteDatabase, migrate
from swath.store.schema import metadata

FIRST = "0001"


def fill(connection: Connection) -> None:
    """Write rows of an execution amid its work, by the columns that the first schema had."""
    tables: dict[str, list[dict[str, Any]]] = {
        "users": [{"id": "ann", "name": "ann", "admin": True, "created_at": 1}],
        "executions": [
            {
                "id": "e",
                "owner_id": "ann",
                "workflow_id": "w",
                "status": "running",
                "definition": json.dumps({"definition": {"axes": [{"count": 20, "snapshot": [3, 2]}]}}),
                "parameters": "{}",
                "created_at": 1,
                "items_total": 20,
                "shard_size": 10,
                "truncated": False,
                "attempts_reserved": 0,
                "attempts": 7,
                "attempts_unknown": 0,
                "pages": 7,
                "bytes": 70,
                "rows": 0,
                "items_ended": 3,
                "warnings": json.dumps([]),
            }
        ],
        "shards": [
            {
                "execution_id": "e",
                "number": 0,
                "first": 0,
                "count": 10,
                "claim": 1,
                "state": "handed",
                "batch": 1,
                "fruitless": 0,
            }
        ],
        "frames": [
            {
                "execution_id": "e",
                "shard": 0,
                "object": "segments/e/1.seg",
                "offset": 9,
                "length": 100,
                "pages": 7,
                "first_item": 0,
                "first_page": 1,
            }
        ],
    }
    for name, rows in tables.items():
        connection.execute(insert(metadata.tables[name]), rows)


@pytest.fixture
async def first(place: Path | str) -> Any:
    database: Database = PostgresDatabase(place) if isinstance(place, str) else SqliteDatabase(place)
    migrate(database, FIRST)
    yield database
    await database.close()


def test_what_the_first_schema_held_is_there_in_the_newest(first: Database) -> None:
    """An unfinished execution, its shard and its pages are found, and new columns have a meaning for them."""
    first.write_now(fill)
    migrate(first)

    def read(connection: Connection) -> None:
        row = executions.find(connection, "e")
        assert row is not None
        assert (row.status, row.pages, row.items_ended) == ("running", 7, 3)
        assert shards.count_shards(connection, "e") == {"handed": 1}
        claimed = shards.claim_shard(connection, "e", 0)
        assert claimed.claim == 2
        assert [frame.object for frame in shards.find_frames(connection, "e", 0)] == ["segments/e/1.seg"]
        (kept,) = connection.execute(select(metadata.tables["inputs"])).all()
        assert tuple(kept) == ("e", 3, 2), "the copies that it needs are kept for it"
        names = inspect(connection).get_table_names()
        assert set(metadata.tables) <= set(names)
        for table in metadata.tables.values():
            connection.execute(select(table)).all()

    first.write_now(read)
