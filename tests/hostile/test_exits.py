"""Rows X1 and X2 of the hostile upstreams, and pace: through the whole engine, real proxies on loopback.

Each proxy goes out from an address of its own, so the upstream's log tells which way a request came.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.hostile.house import PATIENCE, Ended, House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.demo.proxies import Plan, Proxies
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
from swath.operations import proxies as register

ITEMS = [str(number) for number in range(30)]
WIDTH = 4
#: One try: an exit's fault that spent it would end the item.
ONE_TRY = RetryPolicy(max_attempts=1)


class Ways:
    """Three running proxies of one location, and what is known of them by number."""

    def __init__(self, running: Proxies, location: str, ids: list[str]) -> None:
        self.running, self.ids = running, ids
        self.choice = ProxyChoice(type="shared", location=location)

    def address(self, number: int) -> str:
        return str(self.running.all[number].way.address)


@pytest_asyncio.fixture(loop_scope="package", params=["http"])
async def ways(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Ways]:
    location = f"here-{request.node.nodeid}".lower()
    plans = [Plan(name=f"p{n}", type="shared", location=location, scheme=request.param) for n in range(3)]
    running = Proxies(plans)
    for each in running.all:
        each.start()
    known = [
        await register.create(
            house.context, house.user, register.Proxy(type="shared", location=location, url=each.url)
        )
        for each in running.all
    ]
    yield Ways(running, location, [each.id for each in known])
    for each in known:
        await register.delete(house.context, house.user, each.id)
    for each in running.all:
        each.stop()


async def run(house: House, upstream: Scripted, ways: Ways, items: list[str] = ITEMS, **more: Any) -> Ended:
    return await house.end(await begin(house, upstream, ways, items, **more))


async def begin(house: House, upstream: Scripted, ways: Ways, items: list[str] = ITEMS, **more: Any) -> str:
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    swap = more.pop("swap", True)
    workflow = Workflow(name="w", endpoint_id="", **{"concurrency": WIDTH, **more})
    return await house.begin(
        endpoint, workflow, inputs={"user": items}, proxy=ways.choice, do_proxy_hot_swap=swap
    )


def quarantined(ended: Ended) -> set[str]:
    return {event["data"]["exit"] for event in ended.events if event["kind"] == "exit_quarantined"}


def complete(ended: Ended, items: list[str] = ITEMS) -> None:
    """Every item once, whatever happened on the way."""
    assert ended.status == "succeeded", ended.failures
    assert len(ended.rows()) == len(items)
    assert sorted(int(row["input"]["user"]) for row in ended.files["results"]) == sorted(map(int, items))


@pytest.mark.parametrize("fault", ["dead", "resets", "wrong credentials"])
async def test_X1_a_bad_exit_is_swapped_and_rests(
    house: House, upstream: Scripted, ways: Ways, fault: str
) -> None:
    """Its faults spend no item's tries; the request moves on, the exit rests, and both are events."""
    upstream.on("/users/*", page(rows(0, 1)))
    bad = ways.running.all[1]
    if fault == "dead":
        bad.stop()
    elif fault == "resets":
        bad.way.mood = "reset"
    else:
        bad.way.credentials = "somebody:else"
    ended = await run(house, upstream, ways, retry=ONE_TRY)
    complete(ended)
    assert quarantined(ended) == {ways.ids[1]}
    swapped = [event["data"] for event in ended.events if event["kind"] == "exit_swapped"]
    assert 1 <= len(swapped) <= 3 + WIDTH
    assert {event["from"] for event in swapped} == {ways.ids[1]}
    assert ways.address(1) not in {asked.client for asked in upstream.asked}


@pytest.mark.parametrize("ways", ["socks5"], indirect=True)
@pytest.mark.parametrize("mood", ["refuse", "reset"])
async def test_X1_a_socks_exit_that_refuses(house: House, upstream: Scripted, ways: Ways, mood: Any) -> None:
    """The same for SOCKS5, where a refusal is told in the handshake."""
    upstream.on("/users/*", page(rows(0, 1)))
    ways.running.all[0].way.mood = mood
    ended = await run(house, upstream, ways, retry=ONE_TRY)
    complete(ended)
    assert quarantined(ended) == {ways.ids[0]}
    assert ended.attempts == len(upstream.asked) == len(ITEMS)


async def test_X1_an_exit_that_answers_for_itself(house: House, upstream: Scripted, ways: Ways) -> None:
    """A page of the proxy's own is told by what it says when it is asked for nothing; it spends no tries."""
    upstream.on("/users/*", page(rows(0, 1)))
    ways.running.all[2].way.mood = "refuse"
    ended = await run(house, upstream, ways, retry=ONE_TRY)
    complete(ended)
    assert quarantined(ended) == {ways.ids[2]}


async def test_X1_a_target_that_fails_is_not_blamed_on_the_exits(
    house: House, upstream: Scripted, ways: Ways
) -> None:
    """A 502 of its own, in its own words, spends the item's tries and leaves all exits well."""
    upstream.on("/users/*", Play(status=502, headers=[("Content-Type", "text/html")], body=b"<h1>gone</h1>"))
    ended = await run(house, upstream, ways, ["1", "2"], retry=ONE_TRY, swap=False)
    assert {line["error_code"] for line in ended.failures} == {"bad_gateway"}
    assert len(upstream.asked) == 2
    assert quarantined(ended) == set()


async def test_X1_an_exit_that_dies_amid_the_run_and_comes_back(
    house: House, upstream: Scripted, ways: Ways
) -> None:
    """It rests while it is dead, one request tries it again, and it is back in use."""
    weak = ways.running.all[0]
    seen: list[str] = []

    def play(asked: Asked) -> Play:
        seen.append(asked.client)
        if len(seen) == 10:
            weak.way.mood = "reset"
        if len(seen) == 40:
            weak.way.mood = "well"
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    items = [str(number) for number in range(100)]
    limits = (RateLimit(requests=1),)  # so that time passes while it rests
    ended = await run(house, upstream, ways, items, retry=ONE_TRY, rate_limits=limits)
    complete(ended, items)
    kinds = [kind for kind in ended.kinds() if kind in ("exit_quarantined", "exit_revived")]
    assert kinds[0] == "exit_quarantined"
    assert kinds[-1] == "exit_revived"
    assert ways.address(0) in seen[:10]
    assert ways.address(0) in seen[60:]


async def test_X1_a_slow_exit(house: House, upstream: Scripted, ways: Ways) -> None:
    """One that hangs is asked for a sign of life before it is blamed."""
    upstream.on("/users/*", page(rows(0, 1)))
    ways.running.all[1].way.mood = "hang"
    limits = Limits(timeout=8.0, connect_timeout=6.0, read_timeout=8.0)  # for a well one at any time enough
    items = ITEMS[:9]
    ended = await run(house, upstream, ways, items, retry=ONE_TRY, limits=limits)
    complete(ended, items)
    assert ways.address(1) not in {asked.client for asked in upstream.asked}


async def test_X1_all_exits_dead(house: House, upstream: Scripted, ways: Ways) -> None:
    """Items fail in bounded time, say so, and can be retried; the target was never asked."""
    for each in ways.running.all:
        each.way.mood = "reset"
    ended = await run(house, upstream, ways, ITEMS[:3])
    assert ended.reasons == {"failed": 3}
    assert {(line["retryable"], line["attempts"] >= 0) for line in ended.failures} == {(True, True)}
    assert {line["exit"] for line in ended.failures} <= set(ways.ids)
    assert upstream.asked == []


async def test_X1_without_hot_swap_the_request_stays(house: House, upstream: Scripted, ways: Ways) -> None:
    """The same request is never sent through another exit where that was not asked for."""
    upstream.on("/users/*", page(rows(0, 1)))
    ways.running.all[1].way.credentials = "somebody:else"
    ended = await run(house, upstream, ways, swap=False)
    assert "exit_swapped" not in ended.kinds()
    assert {line["exit"] for line in ended.failures} == {ways.ids[1]}
    assert 1 <= len(ended.failures) <= WIDTH
    assert len(ended.rows()) + len(ended.failures) == len(ITEMS)


@pytest.mark.parametrize("status", [403, 429])
async def test_X2_a_target_that_bans_one_exit(
    house: House, upstream: Scripted, ways: Ways, status: int
) -> None:
    """The ban counts for the exit and this target; what was refused goes through another one, unharmed."""
    banned = ways.address(1)
    upstream.on("/users/*", lambda asked: Play(status=status) if asked.client == banned else page(rows(0, 1)))
    ended = await run(house, upstream, ways, retry=ONE_TRY)
    complete(ended)
    seen = Counter(asked.client for asked in upstream.asked)
    assert 1 <= seen[banned] <= 3 + WIDTH
    assert min(seen[ways.address(0)], seen[ways.address(2)]) >= 5
    assert quarantined(ended) <= {ways.ids[1]}
    assert {event["data"]["from"] for event in ended.events if event["kind"] == "exit_swapped"} == {
        ways.ids[1]
    }


async def test_X2_a_ban_for_one_target_is_none_for_another(
    house: House, upstream: Scripted, ways: Ways
) -> None:
    """Counted against the pair of exit and target."""
    banned = ways.address(1)
    upstream.on("/users/*", lambda asked: Play(status=403) if asked.client == banned else page(rows(0, 1)))
    await run(house, upstream, ways)
    with Scripted() as other:
        other.on("/users/*", page(rows(0, 1)))
        complete(await run(house, other, ways))
        assert banned in {asked.client for asked in other.asked}


@pytest.mark.parametrize("swap", [True, False])
async def test_X2_a_pause_of_one_exit_holds_no_other(
    house: House, upstream: Scripted, ways: Ways, swap: bool
) -> None:
    """While one exit waits for a minute the others do the work: it is not waited for.

    The minute passes when they have done it.
    """
    limited = ways.address(0)
    begun = house.clock.now
    early: list[str] = []

    def play(asked: Asked) -> Play:
        if house.clock.now < begun + 60:
            if asked.client == limited:
                return Play(status=429, headers=[("Retry-After", "60")])
            early.append(asked.path)
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    house.clock.stands_still = True
    try:
        execution_id = await begin(house, upstream, ways, swap=swap)
        async with asyncio.timeout(PATIENCE):
            while len(early) < len(ITEMS) - (0 if swap else WIDTH):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        house.clock.stands_still = False
    complete(await house.end(execution_id))
    refused = [asked for asked in upstream.asked if asked.client == limited]
    assert len(refused) <= WIDTH + (len(ITEMS) - len(early))


def worst_second(times: list[float]) -> int:
    """Return the most requests that fell into one second."""
    times = sorted(times)
    return max(sum(start <= each < start + 1 for each in times) for start in times)


async def test_X2_more_exits_do_not_multiply_the_targets_limit(
    house: House, upstream: Scripted, ways: Ways
) -> None:
    """Five a second are five a second through three exits."""
    times: list[float] = []

    def play(asked: Asked) -> Play:
        times.append(house.clock.now)
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    ended = await run(house, upstream, ways, rate_limits=(RateLimit(requests=5),), concurrency=16)
    complete(ended)
    assert worst_second(times) <= 6
    assert {asked.client for asked in upstream.asked} == {ways.address(number) for number in range(3)}


async def test_X2_a_limit_for_each_exit_is_one_for_each(house: House, upstream: Scripted, ways: Ways) -> None:
    """Where the workflow says so, three exits may do three times as much."""
    times: dict[str, list[float]] = {}

    def play(asked: Asked) -> Play:
        times.setdefault(asked.client, []).append(house.clock.now)
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    limits = (RateLimit(requests=5, scope="exit"),)
    complete(await run(house, upstream, ways, rate_limits=limits, concurrency=16))
    assert max(worst_second(each) for each in times.values()) <= 6
    assert worst_second([moment for each in times.values() for moment in each]) > 8


async def test_three_executions_hold_one_limit_jointly(house: House, upstream: Scripted) -> None:
    """The upstream's clock decides: limit + 1 in the worst second, however many ask."""
    times: list[float] = []

    def play(asked: Asked) -> Play:
        times.append(house.clock.now)
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    workflow = Workflow(name="w", endpoint_id="", rate_limits=(RateLimit(requests=8),))
    ids = [await house.begin(endpoint, workflow, inputs={"user": ITEMS}) for _ in range(3)]
    for each in ids:
        complete(await house.end(each))
    assert len(times) == 3 * len(ITEMS)
    assert worst_second(times) <= 9


async def test_sticky_exits_keep_an_item_on_its_way(house: House, upstream: Scripted, ways: Ways) -> None:
    """All pages of an item come from one address; the items are spread over all."""
    upstream.on(
        "/users/*", lambda asked: page(rows(int(asked.query["page"]) * 2, 2), more=asked.query["page"] != "6")
    )
    endpoint = Endpoint(
        name="e",
        url=upstream.url + "/users/{{user}}",
        query={"page": "{{page}}"},
        variables={"user": Variable(), "page": Variable()},
    )
    paginator = Paginator(type="page_number", variable="page", has_more_path="more")
    workflow = Workflow(name="w", endpoint_id="", paginator=paginator, sticky_exits=True, concurrency=WIDTH)
    ended = await house.run(endpoint, workflow, inputs={"user": ITEMS}, proxy=ways.choice)
    assert ended.reasons == {"complete": len(ITEMS)}
    ways_of: dict[str, set[str]] = {}
    for asked in upstream.asked:
        ways_of.setdefault(asked.path, set()).add(asked.client)
    assert {len(each) for each in ways_of.values()} == {1}
    assert len(set.union(*ways_of.values())) == 3


async def test_an_automatic_pace_finds_what_the_target_bears(house: House, upstream: Scripted) -> None:
    """Twenty a second are borne: most requests go through, and at not much less than that."""
    if house.context.database.shared:
        pytest.skip("Workers that share a database keep a pace by its clock, which does not jump.")
    times: list[float] = []
    refused: list[float] = []

    def play(asked: Asked) -> Play:
        now = house.clock.now
        if sum(now - 1 < each <= now for each in times) >= 20:
            refused.append(now)
            return Play(status=429)
        times.append(now)
        return page(rows(0, 1))

    upstream.on("/users/*", play)
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    workflow = Workflow(name="w", endpoint_id="", automatic_pace=True)
    items = [str(number) for number in range(600)]
    ended = await house.run(endpoint, workflow, inputs={"user": items})
    assert ended.reasons == {"complete": 600}
    assert len(refused) < 60
    assert 600 / (times[-1] - times[0]) > 8
