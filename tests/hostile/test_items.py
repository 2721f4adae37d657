"""The story of an item: what an owner can learn of one input after the run."""

import asyncio
from concurrent.futures import Future

import pytest
from tests.hostile.house import House
from tests.upstreams.pages import by_cursor, page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.errors import NotFound
from swath.flow.definition import Endpoint, Paginator, RetryPolicy, Variable, Workflow
from swath.flow.execution import StopReason
from swath.operations import items

PAGES = 5


def endpoint(upstream: Scripted) -> Endpoint:
    variables = {
        "user": Variable(),
        "page": Variable(default=""),
        "key": Variable(secret=True, default="sesame"),
    }
    headers = {"X-Key": "{{key}}"}
    url = upstream.url + "/users/{{user}}"
    return Endpoint(name="e", url=url, query={"page": "{{page}}"}, headers=headers, variables=variables)


def play(asked: Asked) -> Play:
    if asked.path == "/users/bad":
        return Play(status=404, body=b'{"error": "no such user"}')
    number = int(asked.query["page"])
    found = [{"id": number, "told": "x" * 5_000}] if number <= PAGES else []
    return Play.json({"results": found, "total": PAGES})


WORKFLOW = Workflow(
    name="w",
    endpoint_id="",
    paginator=Paginator(type="page_number", variable="page", total_path="total"),
    retry=RetryPolicy(max_attempts=2),
)


async def test_an_item_tells_its_pages(house: House, upstream: Scripted) -> None:
    """Inputs without secrets, each answer with its head, how many rows, and how it ended."""
    upstream.on("/users/*", play)
    ended = await house.run(endpoint(upstream), WORKFLOW, inputs={"user": ["a", "b"]})
    known = house.context, house.user, ended.view["id"]
    told = await items.show(*known, 1, 0, 100)
    assert (told["inputs"], told["state"], told["stop_reason"]) == ({"user": "b"}, "ended", "complete")
    assert (told["pages_count"], told["rows"], told["failure"]) == (PAGES + 1, PAGES, None)
    assert [page["page"] for page in told["pages"]] == sorted(page["page"] for page in told["pages"])
    first = told["pages"][0]
    assert (first["status"], first["exit"], first["attempt"]) == (200, "direct", 1)
    assert first["url"].endswith("/users/b?page=1")
    assert first["head"].startswith('{"results":')
    assert len(first["head"]) == items.HEAD < first["bytes"]
    some = await items.show(*known, 1, 3, 1)
    assert some["pages"] == told["pages"][3:4]
    assert "sesame" not in str(told)


async def test_rows_of_answers_that_nothing_paged_through_are_counted_when_looked_at(
    house: House, upstream: Scripted
) -> None:
    """While fetching nothing needed to know how many they are."""
    upstream.on("/users/*", lambda asked: Play.json({"results": [{"id": 1}, {"id": 2}], "total": 2}))
    ended = await house.run(
        endpoint(upstream), Workflow(name="w", endpoint_id=""), inputs={"user": ["a", "b"]}
    )
    told = await items.show(house.context, house.user, ended.view["id"], 1, 0, 100)
    assert (told["rows"], [page["rows"] for page in told["pages"]]) == (2, [2])


async def test_a_failed_item_tells_why(house: House, upstream: Scripted) -> None:
    """The same line as in the ledger."""
    upstream.on("/users/*", play)
    ended = await house.run(endpoint(upstream), WORKFLOW, inputs={"user": ["a", "bad"]})
    told = await items.show(house.context, house.user, ended.view["id"], 1, 0, 100)
    assert (told["stop_reason"], told["pages"], told["rows"]) == ("failed", [], 0)
    assert told["failure"] == ended.failures[0]
    assert "no such user" in told["failure"]["sample"]


async def test_attempts_in_vain_are_told(house: House, upstream: Scripted) -> None:
    """By which exit, what came of them and how long was waited: of a page that came, and of a failed item."""
    busy = Play(status=429, headers=[("Retry-After", "7")])
    upstream.on("/users/a", [Play(status=503), busy, page([])])
    upstream.on("/users/b", Play(status=500))
    workflow = Workflow(name="w", endpoint_id="", retry=RetryPolicy(max_attempts=2))
    ended = await house.run(endpoint(upstream), workflow, inputs={"user": ["a", "b"]})
    known = house.context, house.user, ended.view["id"]
    came = (await items.show(*known, 0, 0, 100))["pages"][0]["tries"]
    assert [(each["exit"], each["outcome"]) for each in came] == [
        ("direct", "503 service_unavailable"),
        ("direct", "429 rate_limited"),
    ]
    assert came[0]["waited"] > 0
    assert came[1]["waited"] >= 7
    failed = (await items.show(*known, 1, 0, 100))["failure"]["tries"]
    assert [each["outcome"] for each in failed] == ["500 server_error"] * 2
    assert (failed[0]["waited"] > 0, failed[1]["waited"]) == (True, 0)


async def test_repeated_pages_are_told_as_not_counted(house: House, upstream: Scripted) -> None:
    """They were fetched before the loop was seen, but their rows are not in the files."""

    def always_more(asked: Asked) -> Play:
        return page(rows(0, 3), next=f"{asked.query.get('cursor', '')}x")

    scene = by_cursor(upstream, "/more", {}, rows=tuple(rows(0, 3)), stop=StopReason.LOOP_DETECTED)
    upstream.on("/more", always_more)
    ended = await house.run(scene.endpoint, scene.workflow)
    told = await items.show(house.context, house.user, ended.view["id"], 0, 0, 100)
    assert (told["stop_reason"], told["rows"]) == ("loop_detected", 3)
    assert [page["counted"] for page in told["pages"]] == [True] + [False] * (told["pages_count"] - 1)
    assert told["pages_count"] > 1


@pytest.mark.parametrize("item", [-1, 2, 10**17])
async def test_an_item_that_is_not_there(house: House, upstream: Scripted, item: int) -> None:
    """The refusal says which there are."""
    upstream.on("/users/*", play)
    ended = await house.run(endpoint(upstream), WORKFLOW, inputs={"user": ["a", "b"]})
    with pytest.raises(NotFound, match="0 to 1"):
        await items.show(house.context, house.user, ended.view["id"], item, 0, 100)


async def test_an_item_that_is_not_begun_waits(house: House, upstream: Scripted) -> None:
    """While the execution runs, the story is told as far as it goes."""
    held: Future[None] = Future()
    upstream.on("/users/*", Play(body=b'{"results": []}', until=held))
    execution = await house.begin(endpoint(upstream), inputs={"user": ["a", "b"]}, maximum_requests_count=1)
    await asyncio.to_thread(upstream.wait, 1)
    told = await items.show(house.context, house.user, execution, 1, 0, 100)
    held.set_result(None)
    assert (told["state"], told["stop_reason"], told["inputs"]) == ("waiting", None, {"user": "b"})
    assert (told["pages"], told["failure"]) == ([], None)
    await house.end(execution)
