"""Waiting for what is away: once said when it begins, once when it is over, and owners told of what lasts."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from swath.engine.outages import NOTEWORTHY, Outages
from swath.engine.times import now_ms
from swath.errors import Unavailable
from swath.store import executions, ledger, users, waits
from swath.store.database import Database, open_database
from swath.store.waits import Wait


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """One with an execution of the name `x`."""
    opened = open_database(tmp_path / "swath.db")
    user = {"id": "u", "name": "someone", "admin": True, "created_at": 1}
    opened.write_now(users.add_user, user)
    blank = {"workflow_id": "w", "definition": "{}", "parameters": "{}", "created_at": 1}
    row = {"id": "x", "owner_id": "u", "items_total": 1, "shard_size": 1, **blank}
    opened.write_now(executions.add, row)
    yield opened
    await opened.close()


class Storage:
    """Something that is away until it is told to come back."""

    def __init__(self) -> None:
        self.away = asyncio.Event()
        self.is_back = False

    async def ask(self) -> str:
        if not self.is_back:
            self.away.set()
            raise Unavailable("storage", "It does not answer.")
        return "there"


async def told_of(database: Database) -> list[tuple[str, Any]]:
    rows = await database.read(ledger.find_events, "x", 0, 100)
    return [(row.kind, json.loads(row.data)["for"]) for row in rows]


async def waiting_of(database: Database) -> str | None:
    row = await database.read(executions.find, "x")
    assert row is not None
    return row.waiting  # type: ignore[no-any-return]


async def test_an_outage_is_said_once_however_many_wait() -> None:
    """And its end is, when nobody waits any more; each call gets its answer."""
    storage, outages = Storage(), Outages()
    with capture_logs() as logs:
        calls = [asyncio.create_task(outages.outlast(storage.ask, "x")) for _ in range(3)]
        await storage.away.wait()
        assert [wait.thing for wait in outages] == ["storage"]
        storage.is_back = True
        assert await asyncio.gather(*calls) == ["there"] * 3
    assert [entry["event"] for entry in logs] == ["waiting", "going_on"]
    assert list(outages) == []


async def test_who_gives_up_waiting_does_not_say_that_it_is_over() -> None:
    """As when an execution is cancelled meanwhile."""
    storage, outages = Storage(), Outages()
    with capture_logs() as logs:
        call = asyncio.create_task(outages.outlast(storage.ask))
        await storage.away.wait()
        call.cancel()
        await asyncio.wait([call])
    assert [entry["event"] for entry in logs] == ["waiting"]
    assert list(outages) == []


async def test_what_is_no_outage_is_raised() -> None:
    """Waiting would bring nothing."""

    async def fail() -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        await Outages().outlast(fail)


async def test_an_owner_is_told_of_a_wait_that_lasts_and_of_its_end(database: Database) -> None:
    """By events, and in the execution itself for as long as it waits."""
    storage, outages = Storage(), Outages()
    call = asyncio.create_task(outages.outlast(storage.ask, "x"))
    await storage.away.wait()
    (wait,) = outages
    await outages.tell(database, wait.since + NOTEWORTHY - 1)
    assert await told_of(database) == []
    for _ in range(2):
        await outages.tell(database, wait.since + NOTEWORTHY)
    assert await told_of(database) == [("waiting", "storage")]
    assert "Waiting for the storage since" in str(await waiting_of(database))
    storage.is_back = True
    await call
    await outages.tell(database, now_ms())
    assert await told_of(database) == [("waiting", "storage"), ("went_on", "storage")]
    assert await waiting_of(database) is None


async def test_workers_that_wait_for_the_same_tell_it_once(database: Database) -> None:
    """An outage of what all share is one."""
    wait = Wait("storage", "It does not answer.", 5)
    for now in (10, 11):
        await database.write(waits.begin, "x", wait, now)
    for now in (20, 21):
        await database.write(waits.end, "x", wait, now)
    assert await told_of(database) == [("waiting", "storage"), ("went_on", "storage")]
    later = Wait("storage", "It does not answer.", 30)
    await database.write(waits.begin, "x", later, 40)
    await database.write(waits.end, "x", later, 50)
    assert len(await told_of(database)) == 4


async def test_a_page_of_one_worker_does_not_have_the_other_tell_it_again(database: Database) -> None:
    """The first is back, and has not said so yet: it is one outage all the same."""
    first, other = (Wait("storage", "It does not answer.", since) for since in (5, 6))
    await database.write(waits.begin, "x", first, 10)
    await database.write(executions.add_to, "x", pages=1)
    await database.write(waits.begin, "x", other, 11)
    for wait in (first, other):
        await database.write(waits.end, "x", wait, 20)
    assert await told_of(database) == [("waiting", "storage"), ("went_on", "storage")]


async def test_who_waits_on_alone_is_told_of_a_little_later(database: Database) -> None:
    """What is back for one is back for the other in a moment, or never: then it is cut off alone."""
    first, other = (Wait("storage", "It does not answer.", since) for since in (5, 6))
    await database.write(waits.begin, "x", first, 10)
    await database.write(waits.end, "x", first, 20)
    assert not await database.write(waits.begin, "x", other, 25)
    assert await waiting_of(database) is None
    assert await database.write(waits.begin, "x", other, 21 + waits.SOON)
    assert [kind for kind, _ in await told_of(database)] == ["waiting", "went_on", "waiting"]
