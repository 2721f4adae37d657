"""Limits of an execution's rows, bytes and time: each ends it normally, exactly, and says so."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.hostile.house import PATIENCE, House
from tests.hostile.test_control import ITEMS, Pages, arrived, paged
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Play, Scripted

from swath.errors import Conflict, InvalidInput
from swath.flow.definition import Paginator
from swath.operations import executions
from swath.operations.adjustments import Changes, adjust
from swath.operations.retries import Retry, retry
from swath.operations.triggers import Bounds
from swath.store import limits


@pytest.mark.parametrize("limit", [1, 7, 50, 239])
async def test_exactly_so_many_rows(house: House, upstream: Scripted, limit: int) -> None:
    """Whatever is under way at the end: the page that passes the limit is cut, nothing else is asked for."""
    Pages(upstream, 3)
    endpoint, workflow = paged(upstream, concurrency=16)
    ended = await house.run(endpoint, workflow, inputs={"user": ITEMS}, limits=Bounds(rows=limit))
    assert len(ended.rows()) == limit
    assert (ended.status, ended.view["truncated"]) == ("succeeded", True)
    assert ended.view["truncated_by"] == ended.manifest["truncated_by"] == "rows"
    assert ended.view["limits"] == {"requests": None, "rows": limit, "bytes": None, "seconds": None}
    assert sum(ended.reasons.values()) == len(ITEMS)
    assert ended.reasons["row_limit"] > 0
    assert ended.failures == []
    assert ended.attempts == len(upstream.asked)


async def test_a_limit_that_is_not_reached_changes_nothing(house: House, upstream: Scripted) -> None:
    """240 rows, and 240 may be taken: all is there, and nothing was cut."""
    Pages(upstream, 3)
    ended = await house.run(*paged(upstream), inputs={"user": ITEMS}, limits=Bounds(rows=241, bytes=10**6))
    assert len(ended.rows()) == 6 * len(ITEMS)
    assert (ended.view["truncated"], ended.view["truncated_by"]) == (False, None)


async def test_rows_of_answers_that_nothing_else_looks_into(house: House, upstream: Scripted) -> None:
    """Without paging, rows are counted all the same, and numbers of a cut page stay as they were written."""
    upstream.on("/users/*", Play(body=b'{"results": [{"id": 12345678901234567890.10}, {"id": 2}]}'))
    endpoint, workflow = paged(upstream)
    workflow = replace(workflow, paginator=Paginator())
    asked = {"inputs": {"user": ITEMS, "page": 1}, "limits": Bounds(rows=11)}
    ended = await house.run(endpoint, workflow, **asked)
    assert len(ended.rows()) == 11
    assert ended.rows()[0] == {"id": 12345678901234567890.10}


async def test_no_more_bytes(house: House, upstream: Scripted) -> None:
    """An answer that does not fit is not taken."""
    upstream.on("/users/*", page(rows(0, 2)))
    size = len(page(rows(0, 2)).body or b"")
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1})
    given = {"inputs": {"user": ITEMS}, "limits": Bounds(bytes=5 * size + 1)}
    ended = await house.run(endpoint, workflow, **given)
    assert len(ended.rows()) == 10
    assert ended.view["counters"]["bytes"] == 5 * size
    assert (ended.view["truncated_by"], ended.reasons["byte_limit"]) == ("bytes", len(ITEMS) - 5)


async def move_clock(house: House, execution_id: str, seconds: float) -> None:
    """Let so much of an execution's time be over."""
    earlier = limits.executions.c.started_at - round(seconds * 1000)
    move = limits.update(limits.executions).where(limits.executions.c.id == execution_id)
    await house.context.database.write(lambda c: c.execute(move.values(started_at=earlier)) and None)


async def test_its_time_is_over(house: House, upstream: Scripted) -> None:
    """It ends with what was recorded, though the upstream would keep it waiting; pauses do not count."""
    pages = Pages(upstream, 3)
    pages.hold_after = 50
    known = house.context, house.user
    endpoint, workflow = paged(upstream)
    given: dict[str, Any] = {"inputs": {"user": ITEMS}, "limits": Bounds(seconds=1_000)}
    execution_id = await house.begin(endpoint, workflow, **given)
    await arrived(upstream, 50)
    await executions.pause(*known, execution_id)
    await move_clock(house, execution_id, 1_001)
    await asyncio.sleep(0)
    assert (await house.show(execution_id))["truncated"] is False
    await move_clock(house, execution_id, -1_001)
    await executions.resume(*known, execution_id)
    await move_clock(house, execution_id, 1_001)
    ended = await house.end(execution_id)
    assert (ended.status, ended.view["truncated_by"]) == ("succeeded", "seconds")
    assert ended.reasons["time_limit"] > 0
    assert sum(ended.reasons.values()) == len(ITEMS)
    assert ended.failures == []
    pages.hold_after = None
    rest = await house.end(await retry(*known, execution_id, Retry(which=("limited",), limits=Bounds())))
    assert rest.reasons == {"empty_page": len(ITEMS)}
    assert len(rest.rows()) == 6 * len(ITEMS)


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"bytes": -1}, {"seconds": 0.0}])
async def test_what_is_no_limit(house: House, upstream: Scripted, wrong: dict[str, Any]) -> None:
    """It is refused by its name."""
    with pytest.raises(InvalidInput) as told:
        await house.begin(*paged(upstream), inputs={"user": ITEMS}, limits=Bounds(**wrong))
    assert told.value.fields[0][0] == f"limits.{next(iter(wrong))}"


# --- limits that are set and changed while it runs


@pytest.mark.parametrize("before", [None, 1_000, 72])
@pytest.mark.parametrize("kind", ["rows", "bytes"])
async def test_a_limit_set_while_it_runs_is_exact(
    house: House, upstream: Scripted, kind: str, before: int | None
) -> None:
    """What was taken before counts, also what no limit had counted; each change is an event."""
    pages = Pages(upstream, 3)
    pages.hold_after = 25  # with fewer rows than any limit before
    unit = 1 if kind == "rows" else len(page(rows(2, 2)).body or b"") // 2
    endpoint, workflow = paged(upstream, concurrency=8)
    first = None if before is None else Bounds(**{kind: before * unit})
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS}, limits=first)
    await arrived(upstream, 25)
    wanted = Changes(limits=Bounds(**{kind: 101 * unit}))
    view = await adjust(house.context, house.user, execution_id, wanted)
    assert view["limits"][kind] == 101 * unit
    await house.heed_limit(execution_id, 101 * unit, kind)
    pages.hold_after = None
    ended = await house.end(execution_id)
    assert (ended.status, ended.view["truncated_by"]) == ("succeeded", kind)
    taken = len(ended.rows()) if kind == "rows" else ended.view["counters"]["bytes"]
    assert taken <= 101 * unit < taken + 3 * unit
    assert ended.attempts == len(upstream.asked)
    (change,) = [event["data"] for event in ended.events if event["kind"] == "adjusted"]
    told = (change["field"], change["from"], change["to"])
    assert told == (f"limits.{kind}", None if before is None else before * unit, 101 * unit)


async def test_time_can_be_given_and_taken_while_it_runs(house: House, upstream: Scripted) -> None:
    """Seconds count from the start, and those of pauses before the change do not."""
    pages = Pages(upstream, 3)
    pages.hold_after = 30
    known = house.context, house.user
    execution_id = await house.begin(*paged(upstream), inputs={"user": ITEMS})
    await arrived(upstream, 30)
    await executions.pause(*known, execution_id)
    await move_pause(house, execution_id, 5_000)
    await executions.resume(*known, execution_id)
    await move_clock(house, execution_id, 5_500)  # of which it was paused for 5,000
    await adjust(*known, execution_id, Changes(limits=Bounds(seconds=3_000)))
    assert (await house.show(execution_id))["truncated"] is False
    await adjust(*known, execution_id, Changes(limits=Bounds(seconds=400.5)))
    ended = await house.end(execution_id)
    assert (ended.status, ended.view["truncated_by"]) == ("succeeded", "seconds")
    pages.hold_after = None


async def move_pause(house: House, execution_id: str, seconds: float) -> None:
    """Let an execution be paused for so much longer."""
    earlier = limits.executions.c.paused_at - round(seconds * 1000)
    move = limits.update(limits.executions).where(limits.executions.c.id == execution_id)
    await house.context.database.write(lambda c: c.execute(move.values(paused_at=earlier)) and None)


async def test_a_limit_that_is_raised_in_time_lets_it_go_on(house: House, upstream: Scripted) -> None:
    """Reached, and raised while its last requests are under way: it goes on to the new one."""
    pages = Pages(upstream, 3)
    pages.hold_after = 20
    endpoint, workflow = paged(upstream, concurrency=8)
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS}, maximum_requests_count=28)
    await arrived(upstream, 28)
    pages.hold_after = 27
    async with asyncio.timeout(PATIENCE):
        while not (await house.show(execution_id))["truncated"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await adjust(house.context, house.user, execution_id, Changes(maximum_requests_count=70))
    pages.hold_after = None
    ended = await house.end(execution_id)
    assert len(upstream.asked) == ended.attempts == 70
    assert ended.view["truncated_by"] == "requests"


async def test_rows_that_nobody_counts_cannot_be_limited_later(house: House, upstream: Scripted) -> None:
    """Where nothing looks into answers, a limit of rows has to be known from the start; it says so."""
    pages = Pages(upstream, 3)
    pages.hold_after = 3
    endpoint, workflow = paged(upstream, concurrency=2)
    workflow = replace(workflow, paginator=Paginator())
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS, "page": 1})
    await arrived(upstream, 4)
    with pytest.raises(InvalidInput) as told:
        await adjust(house.context, house.user, execution_id, Changes(limits=Bounds(rows=10)))
    assert told.value.fields[0][0] == "limits.rows"
    pages.hold_after = None
    await house.end(execution_id)
    with pytest.raises(Conflict):
        await adjust(house.context, house.user, execution_id, Changes(priority=9))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (Changes(limits=Bounds(rows=0)), "limits.rows"),
        (Changes(maximum_requests_count=0), "maximum_requests_count"),
        (Changes(priority=10), "priority"),
    ],
)
async def test_what_nothing_can_be_changed_to(
    house: House, upstream: Scripted, wrong: Changes, field: str
) -> None:
    """It is refused by its name."""
    with pytest.raises(InvalidInput) as told:
        await adjust(house.context, house.user, "whatever", wrong)
    assert told.value.fields[0][0] == field
