"""Previews: a few first pages of what would be, and nothing left behind."""

from typing import Any

import pytest
from tests.hostile.house import House
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.errors import InvalidInput
from swath.flow.definition import ProxyChoice
from swath.flow.formula import SourceText
from swath.operations import collections, drafts, endpoints, executions, formulas, previews, workflows

FORMULA = """
endpoints:
  Posts seen before:
    url: "URL/users/{{user}}/posts"
    query: {page: "{{page}}"}
    headers: {Authorization: "Bearer {{token}}"}
    variables: {token: {secret: true}, page: {default: ""}}
workflows:
  Posts of people seen before:
    endpoint: Posts seen before
    mappings: [{target_variable_name: user, source_collection: People seen before}]
collections:
  People seen before: [ada, bob, cyd, dan, eve]
"""
NAME = "Posts of people seen before"
SECRET = "a-token-of-many-characters"


def play(asked: Asked) -> Play:
    name = asked.path.split("/")[2]
    rows = [{"id": f"{name}-{number}", "said": f"Bearer {SECRET}"} for number in range(2)]
    return Play.json({"posts": rows, "total": 5})


async def look(
    house: House, upstream: Scripted, text: str = FORMULA, few: int = 3, **parameters: Any
) -> previews.Preview:
    source = SourceText(text.replace("URL", upstream.url))
    known = house.context, house.user
    draft = await drafts.draft_formula(*known, source, None, {"token": SECRET}, parameters, few)
    return await previews.preview(*known, draft)


async def test_the_first_pages_show_what_would_be(house: House, upstream: Scripted) -> None:
    """Items, requests, tables with sample rows, paginators with evidence and the size of it all."""
    upstream.on("/users/*", play)
    seen = await look(house, upstream)
    assert seen.items == 5
    assert [request["inputs"] for request in seen.requests] == [
        {"user": name} for name in ("ada", "bob", "cyd")
    ]
    assert [asked.path for asked in upstream.asked] == [
        f"/users/{name}/posts" for name in ("ada", "bob", "cyd")
    ]
    assert [each["name"] for each in seen.collections] == ["posts", "response"]
    posts = seen.collections[0]
    assert (posts["name"], posts["total"]) == ("posts", 6)
    assert posts["columns"] == ["posts.id", "posts.said", "total", "input.user"]
    assert posts["rows"][2]["posts.id"] == "bob-0"
    assert seen.paginators[0]["paginator"] == {
        "type": "page_number",
        "variable": "page",
        "record_path": "posts",
        "total_path": "total",
    }
    assert "total is 5, more than the 2 rows here" in seen.paginators[0]["evidence"]
    assert seen.estimate is not None
    assert (seen.estimate.requests, seen.estimate.rows) == (5, 10)
    assert seen.warnings == [
        "The answer looks like a page of several, and the workflow has no paginator; see paginators."
    ]


async def test_a_paginator_asks_for_its_first_page_and_tells_how_many(
    house: House, upstream: Scripted
) -> None:
    """Five rows at two a page are three pages for each of five people."""
    upstream.on("/users/*", play)
    text = FORMULA.replace(
        "collections:", "    paginator: {type: page_number, variable: page, total_path: total}\ncollections:"
    )
    seen = await look(house, upstream, text)
    assert [asked.query for asked in upstream.asked] == [{"page": "1"}] * 3
    assert seen.estimate is not None
    assert (seen.estimate.requests, seen.estimate.rows, seen.estimate.at_least) == (15, 25, False)
    assert seen.warnings == []


async def test_a_secret_is_never_proposed_as_a_cursor(house: House, upstream: Scripted) -> None:
    """A variable called token takes an authorization; the answer's next token belongs into another."""
    upstream.on("/users/*", Play.json({"posts": [{"id": 1}, {"id": 2}], "next_token": "abc"}))
    seen = await look(house, upstream)
    assert seen.paginators[0]["paginator"]["variable"] == "cursor"


async def test_secrets_are_sent_and_not_shown(house: House, upstream: Scripted) -> None:
    """Neither in the request, nor where the upstream says them back, nor in a row."""
    upstream.on("/users/*", play)
    seen = await look(house, upstream)
    assert upstream.asked[0].header("Authorization") == f"Bearer {SECRET}"
    assert SECRET not in str(seen)
    assert seen.collections[0]["rows"][0]["posts.said"] == "Bearer ********"


async def test_nothing_is_left_behind(house: House, upstream: Scripted) -> None:
    """A preview of a formula keeps neither its parts nor an execution; one of a workflow runs nothing."""
    upstream.on("/users/*", play)
    known = house.context, house.user
    lists = (workflows.list_for, endpoints.list_for, collections.list_for)

    async def count() -> list[int]:
        found = [len((await each(*known, limit=1_000, cursor=None)).objects) for each in lists]
        runs, _ = await executions.list_for(*known, workflow_id=None, group=None, limit=1_000, cursor=None)
        return [*found, len(runs)]

    before = await count()
    await look(house, upstream)
    assert await count() == before
    source = SourceText(FORMULA.replace("URL", upstream.url).replace("seen before", "kept"))
    applied = await formulas.apply(*known, source, {"token": SECRET})
    kept = await count()
    draft = await drafts.draft_workflow(
        *known, str(applied.workflows[NAME.replace("seen before", "kept")]), {}, 1
    )
    seen = await previews.preview(*known, draft)
    assert (seen.items, len(seen.requests)) == (5, 1)
    assert await count() == kept


async def test_parameters_take_the_place_of_lists(house: House, upstream: Scripted) -> None:
    """As they would when the execution is triggered."""
    upstream.on("/users/*", play)
    seen = await look(house, upstream, user=["zoe"])
    assert (seen.items, seen.requests[0]["inputs"]) == (1, {"user": "zoe"})


async def test_what_fails_is_told(house: House, upstream: Scripted) -> None:
    """A refusal, an answer that is no data, a target that nobody may reach: each with its reason."""
    upstream.on("/users/ada/posts", Play(status=404))
    upstream.on("/users/bob/posts", Play.html())
    upstream.on("/users/cyd/posts", play)
    seen = await look(house, upstream)
    assert [each.get("error_code") for each in seen.requests] == ["not_found", "blocked", None]
    assert seen.collections[0]["total"] == 2
    assert seen.warnings[0] == "2 of 3 requests failed: not_found."
    away = await look(house, upstream, FORMULA.replace("URL", "http://10.0.0.1"))
    assert [each["error_code"] for each in away.requests] == ["blocked_address"] * 3
    assert away.estimate is None


async def test_a_token_is_fetched_and_masked(house: House, upstream: Scripted) -> None:
    """As an execution would fetch it: once for all."""
    upstream.on("/users/*", play)
    upstream.on("/token", Play.json({"access_token": "fetched-and-long-enough"}))
    text = FORMULA.replace("collections:", "    auth: {variable: token, url: URL/token}\ncollections:")
    draft = await drafts.draft_formula(
        house.context, house.user, SourceText(text.replace("URL", upstream.url)), None, {}, {}, 2
    )
    seen = await previews.preview(house.context, house.user, draft)
    assert [asked.path for asked in upstream.asked] == ["/token", "/users/ada/posts", "/users/bob/posts"]
    assert upstream.asked[1].header("Authorization") == "Bearer fetched-and-long-enough"
    assert "fetched-and-long-enough" not in str(seen)


async def test_what_cannot_be_previewed_is_refused(house: House, upstream: Scripted) -> None:
    """A workflow that the formula has not, and a location where no proxy is."""
    known = house.context, house.user
    source = SourceText(FORMULA.replace("URL", upstream.url))
    with pytest.raises(InvalidInput, match="has no workflow"):
        await drafts.draft_formula(*known, source, "Posts of people", {}, {}, 1)
    draft = await drafts.draft_formula(*known, source, NAME, {}, {}, 1)
    with pytest.raises(InvalidInput, match="No shared proxy is configured"):
        await previews.preview(*known, draft, ProxyChoice(type="shared", location="nowhere"))
