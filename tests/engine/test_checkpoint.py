"""What a checkpoint records is what counts, whoever believes what of a shard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from swath.engine.checkpoint import Checkpoints, OpenShard
from swath.engine.outages import Outages
from swath.flow.execution import StopReason
from swath.flow.shard import ShardProgress
from swath.store import executions, shards, users
from swath.store.database import Connection, Database, open_database
from swath.store.objects import Objects

ITEMS = 3


def hand_out(connection: Connection) -> None:
    """Hand out the one shard of execution x."""
    users.add_user(connection, {"id": "ann", "name": "ann", "admin": False, "created_at": 0})
    known = {"id": "x", "owner_id": "ann", "workflow_id": "w", "parameters": "{}", "created_at": 0}
    sizes = {"definition": "{}", "items_total": ITEMS, "shard_size": ITEMS}
    executions.add(connection, {**known, **sizes})
    shards.hand_out(connection, "x", 1, 1, [(0, 0, ITEMS)])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = open_database(tmp_path / "swath.db")
    await database.write(hand_out)
    yield database
    await database.close()


async def take(database: Database) -> OpenShard:
    row = await database.write(shards.claim_shard, "x", 0)
    new = ShardProgress.new(0, ITEMS)
    return OpenShard(0, row.claim, ShardProgress.decode(row.progress) if row.progress else new)


async def find_ended(database: Database) -> int:
    stored = await database.read(shards.find_progress, "x", 0)
    return ITEMS - len(list(ShardProgress.decode(stored).unfinished())) if stored else 0


async def test_of_a_shard_that_a_process_has_twice_the_later_one_counts(
    database: Database, tmp_path: Path
) -> None:
    """It was put back while its worker was out of reach, and came to the same: the earlier one is fenced."""
    checkpoints = Checkpoints(database, Objects(str(tmp_path / "objects")), "x", Outages().outlast)
    earlier = await take(database)
    checkpoints.open(earlier)
    earlier.end(0, StopReason.COMPLETE)
    await checkpoints.commit()
    earlier.end(1, StopReason.COMPLETE)

    later = await take(database)
    checkpoints.open(later)
    assert earlier.fenced
    assert earlier.make_way.is_set()
    await checkpoints.close(earlier)
    assert await find_ended(database) == 1

    for item in later.progress.unfinished():
        later.end(item, StopReason.COMPLETE)
    await checkpoints.close(later)
    assert await find_ended(database) == ITEMS
    assert not await database.write(shards.leave_shard, "x", 0, earlier.claim)
    assert await database.write(shards.leave_shard, "x", 0, later.claim)


async def test_a_shard_is_done_when_that_is_recorded(database: Database) -> None:
    """Whatever its worker believes: else what is missing would be missing from the result."""
    shard = await take(database)
    assert not await database.write(shards.leave_shard, "x", 0, shard.claim)
    (row,) = await database.read(shards.find_shards, "x")
    assert row.state == "yielded"
