"""Rows C4, C5 and D6, looking ahead, and changes while an execution runs: through the whole engine."""

import asyncio
import itertools
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.hostile.house import PATIENCE, House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.demo.proxies import ForwardProxy, Plan
from swath.engine.ending import COMBINE
from swath.engine.worker import REOPENED
from swath.errors import Conflict, InvalidInput
from swath.flow.definition import (
    Endpoint,
    Limits,
    Paginator,
    ProxyChoice,
    RateLimit,
    RetryPolicy,
    Variable,
    Workflow,
)
from swath.operations import combinations, executions
from swath.operations.adjustments import Changes, adjust
from swath.store.schema import shards

ITEMS = [str(number) for number in range(40)]


def paged(upstream: Scripted, **more: Any) -> tuple[Endpoint, Workflow]:
    """One item for each user, pages counted from 1."""
    endpoint = Endpoint(
        name="e",
        url=upstream.url + "/users/{{user}}",
        query={"page": "{{page}}"},
        variables={"user": Variable(), "page": Variable(default="")},
    )
    paginator = Paginator(type="page_number", variable="page", **more.pop("paging", {}))
    return endpoint, Workflow(name="w", endpoint_id="", paginator=paginator, **more)


class Pages:
    """Users with so many pages of two rows; `until` holds whoever asks beyond a number of requests."""

    def __init__(self, upstream: Scripted, count: int, total: int | None = None) -> None:
        self.count, self.total = count, total
        self.hold_after: int | None = None
        self.upstream = upstream
        upstream.on("/users/*", self.play)

    async def play(self, asked: Asked) -> Play:
        while self.hold_after is not None and asked.number > self.hold_after:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # on the upstream's own loop; the test's is another
        number = int(asked.query.get("page") or 1)
        more = {} if self.total is None else {"total": self.total}
        return page(rows(2 * number, 2) if number <= self.count else [], **more)


class Bell:
    """An engine that counts how often it is woken before anybody works."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.rung = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def wake(self) -> None:
        self.rung += 1
        self._engine.wake()


async def arrived(upstream: Scripted, count: int) -> None:
    await asyncio.to_thread(upstream.wait, count)


def per_user(files: Any) -> Counter[str]:
    return Counter(row["input"]["user"] for row in files.get("results", []))


async def test_C4_cancel_keeps_what_was_fetched(house: House, upstream: Scripted) -> None:
    """Rows so far can be downloaded, the counters fit the upstream's log, and cut items are named."""
    pages = Pages(upstream, 3)
    pages.hold_after = 50
    endpoint, workflow = paged(upstream)
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS})
    await arrived(upstream, 50)
    await executions.cancel(house.context, house.user, execution_id)
    pages.hold_after = None
    ended = await house.end(execution_id)
    assert ended.status == "cancelled"
    assert sum(ended.reasons.values()) == len(ITEMS)
    assert ended.attempts == len(upstream.asked)
    assert len(ended.rows()) == 2 * sum(
        count for status, count in ended.manifest["statuses"].items() if status == "200"
    ) - 2 * ended.reasons.get("empty_page", 0)
    complete = {user for user, count in per_user(ended.files).items() if count == 6}
    cut = {line["inputs"]["user"] for line in ended.failures}
    assert set(per_user(ended.files)) <= complete | cut
    assert {line["error_code"] for line in ended.failures} <= {"cancelled"}


async def test_C1_what_has_yet_to_be_fetched_is_not_combined(house: House, upstream: Scripted) -> None:
    """As when pages were found lost at the end, and the process died before it took note of that."""
    pages = Pages(upstream, 1)
    pages.hold_after = 30
    execution_id = await house.begin(*paged(upstream), inputs={"user": ITEMS})
    await arrived(upstream, 30)
    assert await house.context.engine._worker.combine(execution_id, 0) == REOPENED
    assert (await house.show(execution_id))["status"] == "running"
    await executions.pause(house.context, house.user, execution_id)
    assert await house.context.engine._worker.combine(execution_id, 0) == REOPENED
    await executions.resume(house.context, house.user, execution_id)
    pages.hold_after = None
    assert len((await house.end(execution_id)).rows()) == 2 * len(ITEMS)


async def test_C2_files_that_cannot_be_made_are_told_of(house: House, upstream: Scripted) -> None:
    """What went wrong, and what to do next: that gives all that was fetched, without a request."""
    pages = Pages(upstream, 1)
    held: Future[None] = Future()

    async def last(asked: Asked) -> Play:
        await asyncio.shield(asyncio.wrap_future(held))
        return await pages.play(asked)

    upstream.on(f"/users/{ITEMS[-1]}", last)
    execution_id = await house.begin(*paged(upstream), inputs={"user": ITEMS})
    first = (shards.c.execution_id == execution_id) & (shards.c.number == 0)
    read, write = house.context.database.read, house.context.database.write
    async with asyncio.timeout(PATIENCE):
        while await read(lambda c: c.execute(select(shards.c.parts).where(first)).scalar()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # what a shard holds is extracted behind its last checkpoint
    await write(lambda c: c.execute(update(shards).where(first).values(parts="[]")))
    held.set_result(None)
    async with asyncio.timeout(PATIENCE):
        while (view := await house.show(execution_id))["completed_at"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # clients poll, too
    assert view["status"] == "failed"
    assert view["error"] == f"An error of Swath's own, ValidationError; the server's log has it. {COMBINE}"
    with pytest.raises(Conflict, match="no manifest"):
        await executions.manifest(house.context, house.user, execution_id)
    await write(lambda c: c.execute(update(shards).where(first).values(parts=None)))
    asked = len(upstream.asked)
    known = house.context, house.user, execution_id
    await combinations.combine(*known, lambda recipe: recipe)
    async with asyncio.timeout(PATIENCE):
        while (made := await combinations.list_for(*known))[0]["completed_at"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # clients poll, too
    assert made[0]["error"] is None
    ended = await house.end(execution_id)
    assert (len(ended.rows()), len(upstream.asked)) == (2 * len(ITEMS), asked)


@pytest.mark.parametrize("moments", [(5,), (20, 60), (1, 2, 3)])
async def test_C4_pause_and_resume_lose_nothing(
    house: House, upstream: Scripted, moments: tuple[int, ...]
) -> None:
    """However often and whenever it is held: all rows once, and every request counted."""
    pages = Pages(upstream, 3)
    pages.hold_after = moments[0]
    endpoint, workflow = paged(upstream)
    known = house.context, house.user
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS})
    for moment, following in itertools.zip_longest(moments, moments[1:]):
        await arrived(upstream, moment)
        await executions.pause(*known, execution_id)
        pages.hold_after = following
        assert (await house.show(execution_id))["status"] == "paused"
        await executions.resume(*known, execution_id)
    ended = await house.end(execution_id)
    assert ended.status == "succeeded"
    assert per_user(ended.files) == dict.fromkeys(ITEMS, 6)
    assert ended.attempts == len(upstream.asked)


async def test_C4_cancel_of_a_paused_execution(house: House, upstream: Scripted) -> None:
    """It ends with the rows that it had when it was held."""
    pages = Pages(upstream, 3)
    pages.hold_after = 30
    endpoint, workflow = paged(upstream)
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS})
    await arrived(upstream, 30)
    await executions.pause(house.context, house.user, execution_id)
    pages.hold_after = None
    await executions.cancel(house.context, house.user, execution_id)
    ended = await house.end(execution_id)
    assert ended.status == "cancelled"
    assert len(ended.rows()) > 0
    assert ended.attempts == len(upstream.asked)


@pytest.mark.parametrize("limit", [1, 33, 100])
async def test_C5_the_limit_is_exact(house: House, upstream: Scripted, limit: int) -> None:
    """With 64 at a time, failures, redirects and pages: exactly so many requests, never one more."""
    count = itertools.count()

    def play(asked: Asked) -> Play:
        turn = next(count) % 7
        if turn == 3:
            return Play(status=503)
        if turn == 5:
            return Play(status=302, headers=[("Location", asked.target)])
        number = int(asked.query.get("page") or 1)
        return page(rows(2 * number, 2) if number <= 5 else [])

    upstream.on("/users/*", play)
    endpoint, workflow = paged(upstream, concurrency=64)
    ended = await house.run(
        endpoint, workflow, inputs={"user": [str(n) for n in range(300)]}, maximum_requests_count=limit
    )
    assert len(upstream.asked) == ended.attempts == limit
    assert ended.status == "succeeded"
    assert ended.view["truncated"] is True
    assert sum(ended.reasons.values()) == 300


async def test_C5_the_limit_is_exact_over_pauses(house: House, upstream: Scripted) -> None:
    """What was reserved and not used is given back when an execution is held."""
    pages = Pages(upstream, 10)
    pages.hold_after = 20
    endpoint, workflow = paged(upstream, concurrency=8)
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS}, maximum_requests_count=90)
    await arrived(upstream, 20)
    await executions.pause(house.context, house.user, execution_id)
    pages.hold_after = None
    await executions.resume(house.context, house.user, execution_id)
    ended = await house.end(execution_id)
    assert len(upstream.asked) == ended.attempts == 90


# --- D6


async def test_D6_a_body_beyond_the_limit(house: House, upstream: Scripted) -> None:
    """A hundred megabytes are not read to their end: the item fails by the limit, the others go on."""
    piece = b" " * (1 << 20)
    upstream.on("/users/1", Play(pieces=(piece for _ in range(100))))
    upstream.on("/users/2", page(rows(0, 2)))
    endpoint, workflow = paged(
        upstream, limits=Limits(max_response_bytes=4 << 20), paging={"max_pages_per_item": 1}
    )
    ended = await house.run(endpoint, workflow, inputs={"user": ["1", "2"]})
    assert ended.status == "partially_failed"
    assert [line["error_code"] for line in ended.failures] == ["response_too_large"]
    assert len(ended.rows()) == 2


async def test_D6_a_body_of_great_depth(house: House, upstream: Scripted) -> None:
    """Ten thousand levels are no data: a failed item with its beginning kept, nothing crashes."""
    body = b'{"results": [' + b"[" * 10_000 + b"1" + b"]" * 10_000 + b"]}"
    upstream.on("/users/1", Play(body=body, headers=[("Content-Type", "application/json")]))
    upstream.on("/users/2", page(rows(0, 2)))
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1})
    ended = await house.run(endpoint, workflow, inputs={"user": ["1", "2"]})
    (line,) = ended.failures
    assert line["error_code"] in ("invalid_json", "too_deep")
    assert line["sample"].startswith('{"results": [[[')
    assert len(ended.rows()) == 2


async def test_D6_an_array_of_a_million(house: House, upstream: Scripted) -> None:
    """All of its elements are rows."""
    body = b'{"results": [' + b"1," * 999_999 + b"1]}"
    upstream.on("/users/1", Play(body=body, headers=[("Content-Type", "application/json")]))
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1})
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]})
    assert ended.status == "succeeded"
    assert len(ended.files["results"]) == 1_000_000


# --- looking ahead


class Meeting:
    """Answers a page only when the next one has been asked for too, as long as there is one."""

    def __init__(self, upstream: Scripted, last: int, total: int) -> None:
        self.last, self.total, self.upstream = last, total, upstream
        upstream.on("/users/*", self.play)

    async def play(self, asked: Asked) -> Play:
        number = int(asked.query["page"])
        if 1 < number < self.last:
            known = self.upstream.asked
            async with asyncio.timeout(PATIENCE):
                while not any(int(each.query["page"]) > number for each in known):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        return page(rows(2 * number, 2) if number <= self.last else [], total=self.total)


async def test_pages_are_asked_for_ahead_and_taken_in_order(house: House, upstream: Scripted) -> None:
    """A total bounds the pages, so that one need not wait for the other; the rows keep their order."""
    Meeting(upstream, last=12, total=24)
    endpoint, workflow = paged(upstream, paging={"total_path": "total"})
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]})
    assert ended.reasons == {"complete": 1}, ended.failures
    assert [row["id"] for row in ended.rows()] == list(range(2, 26))


async def test_a_page_that_fails_ahead_fails_in_its_turn(house: House, upstream: Scripted) -> None:
    """Pages before it are kept, pages behind it are not taken: the rows have no hole."""

    def play(asked: Asked) -> Play:
        number = int(asked.query["page"])
        return Play(status=400) if number == 6 else page(rows(2 * number, 2), total=40)

    upstream.on("/users/*", play)
    endpoint, workflow = paged(upstream, paging={"total_path": "total"})
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]})
    assert ended.reasons == {"depth_cap": 1}
    assert [row["id"] for row in ended.rows()] == list(range(2, 12))


async def test_nothing_is_asked_for_ahead_where_attempts_are_counted(
    house: House, upstream: Scripted
) -> None:
    """Every attempt of a limited execution goes into pages that are taken."""
    Pages(upstream, 30, total=60)
    endpoint, workflow = paged(upstream, paging={"total_path": "total"})
    ended = await house.run(endpoint, workflow, inputs={"user": ["1"]}, maximum_requests_count=7)
    assert [int(asked.query["page"]) for asked in upstream.asked] == list(range(1, 8))
    assert len(ended.rows()) == 14


# --- changes while it runs


async def test_a_rate_that_is_raised_is_in_force_at_once(house: House, upstream: Scripted) -> None:
    """Who waits for a slot of the old limit waits no longer; the change is an event with its author."""
    upstream.on("/users/*", page(rows(0, 1)))
    endpoint, workflow = paged(
        upstream,
        paging={"max_pages_per_item": 1},
        rate_limits=(RateLimit(requests=1, per_seconds=1e7),),
        concurrency=4,
    )
    house.clock.stands_still = True  # no time passes
    try:
        execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS})
        await arrived(upstream, 1)
        await adjust(house.context, house.user, execution_id, Changes(rate_limits=()))
        ended = await house.end(execution_id)
    finally:
        house.clock.stands_still = False
    assert len(upstream.asked) == len(ITEMS)
    (change,) = [event["data"] for event in ended.events if event["kind"] == "adjusted"]
    assert (change["field"], change["to"], change["by"]) == ("rate_limits", [], "admin")


async def test_concurrency_can_be_raised_and_lowered(house: House, upstream: Scripted) -> None:
    """In force for what is sent from then on."""
    pages = Pages(upstream, 1)
    pages.hold_after = 0
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1}, concurrency=2)
    execution_id = await house.begin(endpoint, workflow, inputs={"user": [str(n) for n in range(100)]})
    await arrived(upstream, 2)
    assert upstream.most_answering == 2
    await adjust(house.context, house.user, execution_id, Changes(concurrency=7))
    await arrived(upstream, 7)
    assert upstream.most_answering == 7
    await adjust(house.context, house.user, execution_id, Changes(concurrency=3))
    await house.heed(execution_id, lambda live: live.gate.limit == 3)
    pages.hold_after = 7
    await arrived(upstream, 10)
    assert upstream.answering == 3
    pages.hold_after = None
    ended = await house.end(execution_id)
    assert ended.status == "succeeded"
    assert upstream.most_answering == 7


@pytest.mark.parametrize("before", [None, 1000, 45])
async def test_a_limit_that_is_set_while_it_runs_is_exact(
    house: House, upstream: Scripted, before: int | None
) -> None:
    """What was sent before counts, whether there was a limit then or not."""
    pages = Pages(upstream, 10)
    pages.hold_after = 40
    endpoint, workflow = paged(upstream, concurrency=8)
    execution_id = await house.begin(
        endpoint, workflow, inputs={"user": ITEMS}, maximum_requests_count=before
    )
    await arrived(upstream, 40)
    await adjust(house.context, house.user, execution_id, Changes(maximum_requests_count=77))
    await house.heed_limit(execution_id, 77)
    pages.hold_after = None
    ended = await house.end(execution_id)
    assert len(upstream.asked) == ended.attempts == 77
    assert ended.view["truncated"] is True


async def test_the_proxy_can_be_changed(house: House, upstream: Scripted) -> None:
    """Requests that have not left yet go the new way; the event tells of both, and of no password."""
    pages = Pages(upstream, 1)
    pages.hold_after = 4
    endpoint, workflow = paged(upstream, paging={"max_pages_per_item": 1}, concurrency=4)
    proxy = ForwardProxy(Plan(name="p", type="shared", location="nyc", credentials="me:hidden-word"))
    proxy.start()
    execution_id = await house.begin(endpoint, workflow, inputs={"user": ITEMS})
    await arrived(upstream, 4)
    changes = Changes(proxy=ProxyChoice(type="custom", url=proxy.url))
    await adjust(house.context, house.user, execution_id, changes)
    await house.heed(execution_id, lambda live: live.revision == 1)
    pages.hold_after = None
    ended = await house.end(execution_id)
    proxy.stop()
    assert ended.status == "succeeded"
    ways = [asked.header("Via") for asked in upstream.asked]
    assert ways[:4] == [None] * 4
    assert ways[-20:] == ["1.1 p"] * 20
    (change,) = [event["data"] for event in ended.events if event["kind"] == "adjusted"]
    assert (change["from"]["type"], change["to"]["type"]) == ("direct", "custom")
    assert "hidden-word" not in str(ended.events)


async def test_what_cannot_be_changed(house: House, upstream: Scripted) -> None:
    """Nonsense is refused by field, and an execution that has ended stays as it was."""
    Pages(upstream, 1)
    ended = await house.run(*paged(upstream), inputs={"user": ["1"]})
    known = house.context, house.user, ended.view["id"]
    with pytest.raises(Conflict):
        await adjust(*known, Changes(concurrency=3))
    for changes in (
        Changes(concurrency=0),
        Changes(maximum_requests_count=0),
        Changes(rate_limits=(RateLimit(requests=0),)),
    ):
        with pytest.raises((InvalidInput, Conflict)):
            await adjust(*known, changes)


async def test_no_item_ends_without_a_word(house: House, upstream: Scripted) -> None:
    """A page of each kind of end: whoever is not done stands in the ledger, and nobody else."""
    if house.context.database.shared:
        pytest.skip(
            "Items of several shards keep no order, and whoever comes after the limited one is held, too."
        )
    plays = {
        "0": lambda number: page(rows(0, 2)),  # for ever the same
        "1": lambda number: Play(status=404),
        "2": lambda number: page(rows(2 * number, 2)) if number < 4 else Play(status=400),
        "3": lambda number: Play(status=429, headers=[("Retry-After", "99999")]),
        "4": lambda number: page(rows(2 * number, 2) if number < 4 else []),
        "5": lambda number: Play(reset=True),
    }
    upstream.on("/users/*", lambda asked: plays[asked.path[-1]](int(asked.query.get("page") or 1)))
    endpoint, workflow = paged(upstream, retry=RetryPolicy(max_attempts=2), concurrency=1)
    order = ["0", "1", "2", "4", "5", "3"]
    ended = await house.run(endpoint, workflow, inputs={"user": order})
    assert ended.reasons == {
        "loop_detected": 1,
        "depth_cap": 1,
        "failed": 2,
        "rate_limited": 1,
        "empty_page": 1,
    }
    told = {line["inputs"]["user"]: (line["stop_reason"], line["error_code"]) for line in ended.failures}
    assert told == {
        "0": ("loop_detected", "loop_detected"),
        "1": ("failed", "not_found"),
        "2": ("depth_cap", "bad_request"),
        "5": ("failed", "connection_lost"),
        "3": ("rate_limited", "rate_limited"),
    }
    assert ended.status == "partially_failed"


async def test_C4_whoever_steers_wakes_who_lets_in(house: House, upstream: Scripted) -> None:
    """Nobody waits for the next look: one that was outside ends at once, and a free place is filled."""
    pages = Pages(upstream, 2)
    pages.hold_after = 0
    bell = Bell(house.context.engine)
    context = replace(house.context, engine=bell)
    execution_id = await house.begin(*paged(upstream), inputs={"user": ITEMS})
    for rung, steer in enumerate([executions.pause, executions.resume, executions.cancel], 1):
        await steer(context, house.user, execution_id)
        assert bell.rung == rung
    await executions.cancel(context, house.user, execution_id)  # which changes nothing
    assert bell.rung == 3
    pages.hold_after = None
    assert (await house.end(execution_id)).status == "cancelled"
