"""What is read of an execution: at each look little, and only what its owner may see."""

from swath.store import executions, users
from swath.store.database import Connection, Database


def queue(connection: Connection) -> None:
    users.add_user(connection, {"id": "ann", "name": "ann", "admin": False, "created_at": 0})
    known = {"id": "x", "owner_id": "ann", "workflow_id": "w", "parameters": "{}", "created_at": 0}
    executions.add(connection, {**known, "definition": '{"long": []}', "items_total": 1, "shard_size": 1})


async def test_a_look_reads_no_definition(database: Database) -> None:
    """It may hold lists of megabytes, and executions are looked at every second."""
    await database.write(queue)
    looked = await database.read(executions.find, "x")
    listed = await database.read(
        executions.find_some, "ann", workflow_id=None, statuses=None, before=None, limit=9
    )
    for row in (looked, *listed):
        assert row is not None
        assert row.id == "x"
        assert "definition" not in row._mapping
    whole = await database.read(executions.find_whole, "x")
    assert whole is not None
    assert whole.definition == '{"long": []}'


async def test_another_owner_finds_nothing(database: Database) -> None:
    """Neither by a look nor whole; who asks for no owner finds it."""
    await database.write(queue)
    for find in (executions.find, executions.find_whole):
        assert await database.read(find, "x", "bob") is None
        assert await database.read(find, "x", "ann") is not None
        assert await database.read(find, "x") is not None


async def test_tallies_come_by_kind(database: Database) -> None:
    """Both kinds are there also where nothing was counted yet."""
    assert await database.read(executions.read_tallies, "x") == {"status": {}, "stop": {}}
