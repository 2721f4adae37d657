"""Executions take turns: a small one is not kept waiting by a large one, and nothing is lost by it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from dbos import DBOS
from tests.hostile.house import PATIENCE, House
from tests.hostile.test_control import arrived, paged, per_user
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.engine.checkpoint import OpenShard
from swath.flow.definition import RetryPolicy
from swath.operations import executions
from swath.store.shards import OUT, count_shards, count_turns

MANY = [str(number) for number in range(200)]  # 13 shards, on 4 places


def small(upstream: Scripted) -> Any:
    upstream.on("/small/*", page(rows(0, 2)))
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1})
    return replace(endpoint, url=upstream.url + "/small/{{user}}"), workflow


class Slow:
    """Users with two pages, answered one after another until somebody hurries."""

    def __init__(self, upstream: Scripted) -> None:
        self.delay = 0.2
        upstream.on("/users/*", self.play)

    def play(self, asked: Asked) -> Play:
        number = int(asked.query["page"])
        return Play.json({"results": rows(2 * number, 2) if number <= 2 else []}, delay=self.delay)


@pytest.mark.parametrize("priority", [5, 6])
async def test_a_small_execution_passes_a_large_one(house: House, upstream: Scripted, priority: int) -> None:
    """With every place taken, the shard that was held longest makes way; it loses and repeats nothing.

    It does so when its time is over, or at once for an execution that goes first.
    """
    slow = Slow(upstream)
    endpoint, workflow = paged(upstream, concurrency=4)
    large = await house.begin(endpoint, workflow, inputs={"user": MANY})
    await arrived(upstream, 16)
    waits = await house.begin(*small(upstream), inputs={"user": MANY[:5]}, priority=priority)
    if priority == 5:
        house.clock.now += house.context.settings.shard_seconds
    passed = await house.end(waits)
    assert len(passed.rows()) == 10
    assert (await house.show(large))["counters"]["items_ended"] < len(MANY)
    slow.delay = 0
    ended = await house.end(large)
    assert ended.status == "succeeded"
    assert per_user(ended.files) == dict.fromkeys(MANY, 4)
    assert ended.attempts == 3 * len(MANY) == len(upstream.asked) - 5


def open_shard(house: House, execution_id: str) -> OpenShard | None:
    live = house.context.engine._worker.live.get(execution_id)
    shard: OpenShard | None = live and live.checkpoints.oldest()
    return shard


async def test_who_makes_way_again_and_again_still_ends(house: House, upstream: Scripted) -> None:
    """What was tried for a page is remembered: it fails after as many attempts as without a break."""
    upstream.on("/users/*", lambda asked: Play(status=503))
    endpoint, workflow = paged(upstream, retry=RetryPolicy(max_attempts=5))
    house.clock.stands_still = True  # no wait ends by itself
    try:
        execution_id = await house.begin(endpoint, workflow, inputs={"user": ["1"]})
        for attempt in range(1, 5):
            await arrived(upstream, attempt)
            while (shard := open_shard(house, execution_id)) is None or not house.clock.slept:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            house.clock.slept.clear()
            shard.make_way.set()
        ended = await house.end(execution_id)
    finally:
        house.clock.stands_still = False
    assert len(upstream.asked) == ended.attempts == 5
    (line,) = ended.failures
    assert (line["attempts"], line["error_code"]) == (5, "service_unavailable")


async def ranks(house: House, execution_id: str, batch: int, least: int = 4) -> dict[int, int]:
    """Wait until a batch of shards is queued; return the place in the queue of each, as they had it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await DBOS.list_workflows_async(workflow_id_prefix=f"{execution_id}:")
            queued = [each for each in found if each.workflow_id.endswith(f":{batch}")]
            if len(queued) >= least:
                return {int(each.workflow_id.split(":")[1]): each.priority or 0 for each in queued}
            await asyncio.sleep(0.02)  # nobody tells of it


async def test_who_was_held_has_not_had_its_turn(house: House, upstream: Scripted) -> None:
    """Shards that waited in the queue when an execution was paused wait there as before when it goes on."""
    slow = Slow(upstream)
    slow.delay = 3.0
    endpoint, workflow = paged(upstream, concurrency=4)
    others = await house.begin(endpoint, workflow, inputs={"user": MANY})
    await arrived(upstream, 4)
    held = await house.begin(endpoint, workflow, inputs={"user": MANY[:60]})
    first = await ranks(house, held, 1)
    await executions.pause(house.context, house.user, held)
    async with asyncio.timeout(PATIENCE):
        while set(await house.context.database.read(count_shards, held)) & set(OUT):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # nobody tells of it
    turns, _ = await house.context.database.read(count_turns, held)  # of those that found a place meanwhile
    await executions.resume(house.context, house.user, held)
    again = await ranks(house, held, 2)
    slow.delay = 0
    for execution_id in (others, held):
        await house.end(execution_id)
    assert min(again.values()) - min(first.values()) == turns


async def test_who_has_made_way_waits_behind_the_others(house: House, upstream: Scripted) -> None:
    """Each of its shards has had a turn; those of one that began later have not."""
    slow = Slow(upstream)
    endpoint, workflow = paged(upstream, concurrency=4)
    large = await house.begin(endpoint, workflow, inputs={"user": MANY})
    await arrived(upstream, 16)
    other = await house.begin(endpoint, workflow, inputs={"user": MANY[:120]})
    first = await ranks(house, other, 1, 8)
    for _ in range(4):
        shard = await until(lambda: open_shard(house, large))
        shard.make_way.set()
        house.context.engine.signal(large)
        await until(lambda shard=shard: open_shard(house, large) is not shard)  # type: ignore[misc]
    again = await ranks(house, large, 2, 1)
    slow.delay = 0
    for execution_id in (other, large):
        assert (await house.end(execution_id)).status == "succeeded"
    assert all(place > max(first.values()) for place in again.values())


async def until(found: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (answer := found()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # nobody tells of it
        return answer
