"""What many processes do at the same moment is done once, and within its bounds, on either database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest_asyncio
from sqlalchemy import func, insert, select

from swath.flow.execution import Status, StopReason
from swath.flow.renewal import Choice
from swath.flow.shard import ShardProgress
from swath.store import (
    admission,
    definitions,
    executions,
    limits,
    recipes,
    retention,
    retries,
    schedules,
    users,
    webhooks,
)
from swath.store.database import Connection, Database
from swath.store.schema import deliveries, failures, frames, shards

#: Who look at the same moment.
MANY = 8


async def all_at_once(tell: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(tell() for _ in range(MANY)))


def queue(connection: Connection, execution_id: str, owner_id: str = "ann", **values: Any) -> None:
    usual = {"definition": "{}", "parameters": "{}", "created_at": 0, "items_total": 1, "shard_size": 1}
    known = {"id": execution_id, "owner_id": owner_id, "workflow_id": "w"}
    executions.add(connection, known | usual | values)


@pytest_asyncio.fixture
async def house(database: Database) -> Database:
    """A database with two users, and a webhook of one of them."""

    def fill(connection: Connection) -> None:
        for name in ("ann", "bob"):
            users.add_user(connection, {"id": name, "name": name, "admin": False, "created_at": 0})
        told = {"url": "", "secret": "", "events": '["execution.truncated"]', "enabled": True}
        times = {"created_at": 0, "updated_at": 0}
        webhooks.add(connection, {"id": "hook", "owner_id": "ann", "name": "hook", **told, **times})

    await database.write(fill)
    return database


async def find(database: Database, execution_id: str) -> Any:
    return await database.read(executions.find, execution_id)


async def test_no_more_are_let_in_than_may_run(house: Database) -> None:
    """However many let in at the same moment; the highest priority is first, a user's share is his."""

    def fill(connection: Connection) -> None:
        for number in range(6):
            queue(connection, f"ann{number}", priority=5 + number % 2)
            queue(connection, f"bob{number}", "bob")

    await house.write(fill)
    room = admission.Room(of_all=5, per_user=3)
    await all_at_once(lambda: house.write(admission.admit, room, 1))
    assert await house.read(admission.count_running) == {"ann": 3, "bob": 2}
    assert not await house.read(admission.is_anyone_outside, room)
    admitted = [name for number in range(6) if (await find(house, name := f"ann{number}")).admitted_at]
    assert admitted == ["ann1", "ann3", "ann5"]


async def test_no_more_is_reserved_than_is_allowed(house: Database) -> None:
    """Not a byte above a bound of any size; and whoever comes to it first is the only one who tells."""
    most = 2**53 - 1
    reserved = {"maximum_bytes": most, "bytes_reserved": most - 1_000}
    over = {"started_at": 2**41 - 1_000, "maximum_ms": 1_000}
    await house.write(queue, "x", status=Status.RUNNING, **over, **reserved)
    granted = await all_at_once(lambda: house.write(limits.reserve, "x", "bytes", 300, 400))
    assert sum(granted) == 1_000
    assert (await find(house, "x")).bytes_reserved == most
    assert list(await house.read(limits.find_expired, 2**41 - 1)) == []
    assert list(await house.read(limits.find_expired, 2**41)) == [("x", 1_000)]
    assert await house.write(limits.set_truncated, "x", "bytes", most - 1, 1) is False
    assert all(await all_at_once(lambda: house.write(limits.set_truncated, "x", "bytes", most, 1)))
    assert (await find(house, "x")).truncated_by == "bytes"
    assert len(await house.read(webhooks.find_due, 1)) == 1


async def test_time_stands_still_in_a_pause(house: Database) -> None:
    """However often it is told to go on."""
    await house.write(queue, "x")
    await house.write(limits.stop_clock, "x", 2**40)
    await all_at_once(lambda: house.write(limits.start_clock, "x", 2**40 + 7))
    assert (await find(house, "x")).paused_ms == 7


async def test_one_takes_on_a_duty(house: Database) -> None:
    """And another when the pause is over."""
    for now in (1_000, 2_000):
        claimed = await all_at_once(lambda now=now: house.write(retention.claim, "sweep", now, 1_000))
        assert claimed.count(True) == 1


async def test_what_was_kept_long_enough_goes_once(house: Database) -> None:
    """Its retry, which came before, keeps the parent."""
    ended = {"status": Status.SUCCEEDED, "completed_at": 1}
    await house.write(queue, "parent", **ended)
    await house.write(queue, "child", parent_id="parent", **ended)
    assert list(await house.read(retention.find_stale, 2)) == ["child"]
    assert await all_at_once(lambda: house.write(retention.remove, "parent", 2)) == [False] * MANY
    gone = await all_at_once(lambda: house.write(retention.remove, "child", 2))
    assert gone.count(True) == 1
    assert await house.write(retention.remove, "parent", 2) is True
    assert len(await house.read(retention.find_removals, 3)) == 8


async def test_what_files_are_made_of_stays(house: Database) -> None:
    """It is neither found nor removed until they are there; then it can go."""
    await house.write(queue, "x", status=Status.SUCCEEDED, completed_at=1)
    revision = await house.write(recipes.add, "x", "{}", 1)
    assert list(await house.read(retention.find_stale, 2)) == []
    for remove in (retention.remove_archive, retention.remove):
        assert await house.write(remove, "x", 2) is False
    assert "being made" in (await house.read(retention.find_need, "x") or "")
    over = {"error": None, "warnings": (), "files": (), "now": 2}
    await house.write(lambda connection: recipes.end(connection, "x", revision, **over))
    assert await house.write(retention.remove, "x", 2) is True


async def test_a_run_that_is_due_has_one_taker(house: Database) -> None:
    """Whoever moves the next time on."""

    def fill(connection: Connection) -> None:
        times = {"created_at": 0, "updated_at": 0}
        known = {"owner_id": "ann", "name": "n", "definition": "{}", **times}
        connection.execute(insert(definitions.endpoints).values(id="e", **known))
        connection.execute(insert(definitions.workflows).values(id="w", endpoint_id="e", **known))
        plan = {"cron": "@hourly", "timezone": "UTC", "execution": "{}", "overlap": "skip", "enabled": True}
        row = {"id": "s", "owner_id": "ann", "name": "s", "workflow_id": "w", "next_run_at": 2**41}
        schedules.add(connection, row | plan | times)

    await house.write(fill)
    assert [row.user for row in await house.read(schedules.find_due, 2**41)] == ["ann"]
    following = {"next_run_at": 2**41 + 1}
    taken = await all_at_once(lambda: house.write(schedules.move_on, "s", 2**41, following))
    assert taken.count(True) == 1


async def test_all_attempts_of_a_delivery_tell_the_same(house: Database) -> None:
    """What is written first is sent; what is over is due no more."""
    await house.write(queue, "x")
    delivery = await house.write(webhooks.put, "hook", "execution.truncated", "x", 1)
    written = iter("abcdefgh")
    sent = await all_at_once(lambda: house.write(webhooks.keep_payload, delivery, next(written)))
    assert len(set(sent)) == 1
    over = {"state": "delivered", "next_at": None}
    await all_at_once(lambda: house.write(webhooks.note_attempt, delivery, over))
    kept = await house.read(lambda c: c.execute(select(deliveries)).one())
    assert (kept.attempts, kept.state, kept.payload) == (MANY, "delivered", sent[0])
    assert await house.read(webhooks.find_due, 2**41) == []


async def test_a_retry_takes_a_shard_over_once(house: Database) -> None:
    """However often it is told to: shards, frames, failures and counts are there one time."""
    progress = ShardProgress.new(0, 2)
    progress.end(0, StopReason.EMPTY_PAGE)
    progress.end(1, StopReason.FAILED)

    def fill(connection: Connection) -> None:
        for name in ("parent", "child"):
            queue(
                connection, name, parent_id="parent" if name == "child" else None, items_total=2, shard_size=2
            )
        laid = {"execution_id": "parent", "number": 0, "first": 0, "count": 2, "claim": 1, "state": "done"}
        connection.execute(insert(shards).values(**laid, batch=1, fruitless=0, progress=progress.encode()))
        place = {
            "object": "o",
            "offset": 2**40,
            "length": 2**33,
            "pages": 1,
            "first_item": 0,
            "first_page": 0,
        }
        connection.execute(insert(frames).values(execution_id="parent", shard=0, **place))
        told = {"stop_reason": "failed", "error_code": "gone", "message": "m", "retryable": True}
        line = {"item": 1, "page": 0, "attempts": 1, "inputs": "{}", "at": 0, **told}
        connection.execute(insert(failures).values(execution_id="parent", **line))

    await house.write(fill)
    child = await find(house, "child")
    choice = Choice(which=("failed",))
    await all_at_once(lambda: house.write(retries.take_over, child, [0], choice, StopReason.CANCELLED))
    taken = await find(house, "child")
    assert (taken.items_ended, taken.items_kept) == (1, 1)
    for table, many in ((shards, 1), (frames, 1), (failures, 0)):
        count = select(func.count()).where(table.c.execution_id == "child")
        assert await house.read(lambda c, count=count: c.execute(count).scalar()) == many
