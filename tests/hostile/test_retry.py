"""A retry fetches what failed, and its files are those of one clean run."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.hostile.house import Ended, House
from tests.upstreams.pages import rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.errors import Conflict, InvalidInput
from swath.flow.definition import Endpoint, Paginator, ProxyChoice, RetryPolicy, Variable, Workflow
from swath.operations import endpoints, executions, items, responses, workflows
from swath.operations import rows as peeks
from swath.operations.retries import Retry, retry

USERS = [str(number) for number in range(50)]  # 4 shards
PAGES = 3
#: What a user's page is answered with instead: (user, page) -> status.
Ills = Mapping[tuple[str, int], int]

ENDPOINT = Endpoint(
    name="e",
    url="",
    query={"page": "{{page}}"},
    headers={"X-Key": "{{key}}"},
    variables={
        "user": Variable(),
        "page": Variable(default=""),
        "key": Variable(secret=True, default="old-secret"),
    },
)
WORKFLOW = Workflow(
    name="w",
    endpoint_id="",
    paginator=Paginator(type="page_number", variable="page"),
    retry=RetryPolicy(max_attempts=1),
)


class Hospital:
    """Users with pages of two rows, some of whom are ill until they are healed."""

    def __init__(self, upstream: Scripted, ills: Ills) -> None:
        self.upstream, self.ills = upstream, dict(ills)
        self.key: str | None = None
        self.endpoint = replace(ENDPOINT, url=upstream.url + "/users/{{user}}")
        upstream.on("/users/*", self.play)

    def play(self, asked: Asked) -> Play:
        user, number = asked.path.rsplit("/", 1)[1], int(asked.query["page"])
        if self.key is not None and asked.header("X-Key") != self.key:
            return Play(status=403)
        if (user, number) in self.ills:
            return Play(status=self.ills[user, number], body=b'{"error": "ill"}')
        told = [{**row, "user": user, "tags": ["x", user]} for row in rows(2 * number, 2)]
        return Play.json({"results": told if number <= PAGES else []})

    def asked(self) -> dict[str, list[int]]:
        """Return the pages that were asked for by user, and forget them."""
        found: dict[str, list[int]] = {}
        for asked in self.upstream.asked:
            found.setdefault(asked.path.rsplit("/", 1)[1], []).append(int(asked.query["page"]))
        self.upstream.asked.clear()
        return {user: sorted(pages) for user, pages in found.items()}


ILLS: Ills = {("3", 1): 500, ("17", 2): 500, ("18", 3): 500, ("49", 1): 404}


async def run(house: House, hospital: Hospital, **more: Any) -> Ended:
    more = {"inputs": {"user": USERS}, "output_aggregation_format": "csv", **more}
    return await end(house, await house.begin(hospital.endpoint, WORKFLOW, **more))


async def end(house: House, execution_id: str) -> Ended:
    """Wait for the end; the files are told by their digests."""
    return await house.end(execution_id, read=lambda file: file["sha256"])


async def again(house: House, parent: Ended, **asked: Any) -> Ended:
    known = house.context, house.user, str(parent.view["id"])
    return await end(house, await retry(*known, Retry(**asked)))


async def archive(house: House, ended: Ended) -> list[tuple[int, int, str]]:
    lines = await responses.open_responses(house.context, house.user, str(ended.view["id"]))
    text = b"".join([part async for part in lines])
    return [(line["item"], line["page"], line["body"]) for line in map(orjson.loads, text.splitlines())]


async def test_a_retry_gives_what_one_clean_run_would_have_given(house: House, upstream: Scripted) -> None:
    """Only the failed items are asked for, from their first page; files, rows and archive are the same."""
    hospital = Hospital(upstream, {})
    clean = await run(house, hospital)
    hospital.ills = dict(ILLS)
    parent = await run(house, hospital)
    assert parent.status == "partially_failed"
    assert parent.files != clean.files
    hospital.ills.clear()
    hospital.asked()
    healed = await again(house, parent)
    assert hospital.asked() == {user: [1, 2, 3, 4] for user in ("3", "17", "18", "49")}
    assert healed.status == "succeeded"
    assert healed.files == clean.files
    assert healed.failures == []
    assert healed.reasons == {"empty_page": len(USERS)}
    assert healed.view["parent_id"] == parent.view["id"]
    assert healed.view["counters"]["items_kept"] == len(USERS) - 4
    assert healed.attempts == 16
    assert await archive(house, healed) == await archive(house, clean)
    told = [await peeks.look(house.context, house.user, e.view["id"], None, 90, 30) for e in (healed, clean)]
    assert told[0] == told[1]
    story = await items.show(house.context, house.user, str(healed.view["id"]), 17, 0, 10)
    assert [shown["page"] for shown in story["pages"]] == [0, 1, 2, 3]


async def test_a_retry_of_a_retry(house: House, upstream: Scripted) -> None:
    """What fails again can be fetched again; each time the later pages count, and those of others stay."""
    hospital = Hospital(upstream, {})
    clean = await run(house, hospital, output_aggregation_format="json")
    hospital.ills = dict(ILLS)
    first = await run(house, hospital, output_aggregation_format="json")
    for healthy in (("3", 1), ("18", 3)):
        del hospital.ills[healthy]
    second = await again(house, first)
    assert {line["inputs"]["user"] for line in second.failures} == {"17", "49"}
    assert second.status == "partially_failed"
    del hospital.ills["17", 2]
    hospital.asked()
    third = await again(house, second)
    assert hospital.asked() == {"17": [1, 2, 3, 4], "49": [1]}
    hospital.ills.clear()
    fourth = await again(house, third)
    assert (fourth.status, fourth.files) == ("succeeded", clean.files)
    siblings = await again(house, first)  # the first one is as it was
    assert siblings.files == clean.files


async def test_a_cancelled_execution_is_gone_on_with(house: House, upstream: Scripted) -> None:
    """Items that were cut short begin anew, those that never began are fetched for the first time."""
    hospital = Hospital(upstream, {})
    clean = await run(house, hospital)
    hospital.asked()
    held = asyncio.Event()

    async def hold(asked: Asked) -> Play:
        while asked.number > 60 and not held.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return hospital.play(asked)

    upstream.on("/users/*", hold)
    inputs = {"user": USERS}
    workflow = replace(WORKFLOW, concurrency=4)
    execution_id = await house.begin(
        hospital.endpoint, workflow, inputs=inputs, output_aggregation_format="csv"
    )
    await asyncio.to_thread(upstream.wait, 60)
    await executions.cancel(house.context, house.user, execution_id)
    held.set()
    parent = await end(house, execution_id)
    assert parent.status == "cancelled"
    assert parent.reasons["cancelled"] > 0
    hospital.asked()
    healed = await again(house, parent)
    assert (healed.status, healed.files) == ("succeeded", clean.files)
    assert len(hospital.asked()) == parent.reasons["cancelled"]


async def test_what_a_limit_ended_is_gone_on_with_on_request(house: House, upstream: Scripted) -> None:
    """`limited` takes up what `maximum_requests_count` cut off; the limit counts anew."""
    hospital = Hospital(upstream, {})
    clean = await run(house, hospital)
    parent = await run(house, hospital, maximum_requests_count=40)
    with pytest.raises(Conflict):
        await again(house, parent)
    second = await again(house, parent, which=("limited",))
    assert second.attempts == 40
    assert second.view["truncated"] is True
    last = await again(house, second, which=("limited",), maximum_requests_count=10_000)
    assert (last.status, last.files, last.view["truncated"]) == ("succeeded", clean.files, False)


@pytest.mark.parametrize("chosen", [("0",), ("16", "15", "16"), ("48",)])
async def test_named_items_are_fetched_anew_however_they_ended(
    house: House, upstream: Scripted, chosen: tuple[str, ...]
) -> None:
    """Nothing else is asked for; what failed and was not named stays failed."""
    hospital = Hospital(upstream, ILLS)
    parent = await run(house, hospital)
    hospital.asked()
    second = await again(house, parent, items=tuple(map(int, chosen)))
    assert hospital.asked() == {user: [1, 2, 3, 4] for user in set(chosen)}
    assert second.files == parent.files
    assert [line["item"] for line in second.failures] == [line["item"] for line in parent.failures]
    assert second.reasons == parent.reasons


async def test_named_items_of_a_cancelled_execution(house: House, upstream: Scripted) -> None:
    """What never began and is not named is still said to be cancelled."""
    hospital = Hospital(upstream, {})
    house_known = house.context, house.user
    held = asyncio.Event()

    async def hold(asked: Asked) -> Play:
        while not held.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return hospital.play(asked)

    upstream.on("/users/*", hold)
    execution_id = await house.begin(hospital.endpoint, WORKFLOW, inputs={"user": USERS})
    await asyncio.to_thread(upstream.wait, 1)
    await executions.cancel(*house_known, execution_id)
    held.set()
    parent = await end(house, execution_id)
    second = await again(house, parent, items=(7,))
    assert second.reasons == {"empty_page": 1, "cancelled": len(USERS) - 1}
    third = await again(house, second)
    assert (third.status, third.reasons) == ("succeeded", {"empty_page": len(USERS)})


async def test_partial_items_on_request(house: House, upstream: Scripted) -> None:
    """An item that the upstream refused to page deeper into is no failure, but can be asked for again."""
    hospital = Hospital(upstream, {})
    clean = await run(house, hospital)
    hospital.ills = {("5", 3): 400, ("6", 1): 500}
    parent = await run(house, hospital)
    assert parent.reasons["depth_cap"] == 1
    hospital.ills.clear()
    hospital.asked()
    second = await again(house, parent, which=("partial",))
    assert set(hospital.asked()) == {"5"}
    assert second.reasons == {"empty_page": len(USERS) - 1, "failed": 1}
    third = await again(house, parent, which=("failed", "partial"))
    assert third.files == clean.files


@pytest.mark.parametrize("mend", ["endpoint", "workflow", "retry"])
async def test_a_secret_that_was_mended_is_taken(house: House, upstream: Scripted, mend: str) -> None:
    """From the endpoint, from the workflow's inputs, or with the retry itself."""
    hospital = Hospital(upstream, {})
    hospital.key = "new-secret"
    inputs = {"key": "wrong-secret"} if mend != "endpoint" else {}
    execution_id = await house.begin(
        hospital.endpoint, replace(WORKFLOW, inputs=inputs), inputs={"user": USERS[:5]}
    )
    parent = await end(house, execution_id)
    assert parent.reasons == {"failed": 5}
    known = house.context, house.user
    workflow = (await workflows.show(*known, str(parent.view["workflow_id"]))).workflow
    asked: dict[str, Any] = {}
    if mend == "endpoint":
        variables = {**ENDPOINT.variables, "key": Variable(secret=True, default="new-secret")}
        change: Callable[[Any], Any] = lambda old: replace(old, variables=variables)  # noqa: E731
        await endpoints.update(*known, workflow.endpoint_id, change)
    elif mend == "workflow":
        change = lambda old: replace(old, inputs={"key": "new-secret"})  # noqa: E731
        await workflows.update(*known, str(parent.view["workflow_id"]), change)
    else:
        asked["execution_parameters"] = {"key": "new-secret"}
    healed = await again(house, parent, **asked)
    assert (healed.status, healed.reasons) == ("succeeded", {"empty_page": 5})


async def test_what_cannot_be_retried_is_said(house: House, upstream: Scripted) -> None:
    """Each refusal names its field and says what to do."""
    hospital = Hospital(upstream, {("0", 1): 500})
    parent = await run(house, hospital, inputs={"user": USERS[:3]})
    known = house.context, house.user, str(parent.view["id"])
    refused: list[tuple[Retry, type[Exception], str]] = [
        (Retry(which=("partial",)), Conflict, "which"),
        (Retry(items=()), Conflict, "which"),
        (Retry(items=(3,)), InvalidInput, "items"),
        (Retry(items=(-1,)), InvalidInput, "items"),
        (Retry(maximum_requests_count=0), InvalidInput, "maximum_requests_count"),
        (Retry(execution_parameters={"user": "9"}), InvalidInput, "execution_parameters.user"),
        (Retry(proxy=ProxyChoice(type="dedicated")), InvalidInput, "proxy.type"),
    ]
    for asked, kind, field in refused:
        with pytest.raises(kind) as told:
            await retry(*known, asked)
        assert told.value.fields[0][0] == field  # type: ignore[attr-defined]


async def test_a_retry_key_makes_one_retry(house: House, upstream: Scripted) -> None:
    """The same key gives the same execution; with another body it is refused."""
    hospital = Hospital(upstream, {("0", 1): 500})
    parent = await run(house, hospital, inputs={"user": USERS[:3]})
    known = house.context, house.user, str(parent.view["id"])
    one = await asyncio.gather(*(retry(*known, Retry(), "key") for _ in range(5)))
    assert len(set(one)) == 1
    with pytest.raises(Conflict):
        await retry(*known, Retry(items=(0,)), "key")
    await end(house, one[0])
