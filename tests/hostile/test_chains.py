"""Workflows that take each other's rows: what starts when one ends, and with which inputs."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hostile.house import Ended, House
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.engine.draw import DrawJob, draw
from swath.engine.feeding import draw_list
from swath.engine.frozen import Frozen
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.definition import ResultColumn, VariableMapping, Workflow
from swath.flow.formula import SourceText
from swath.importers import read_airbyte
from swath.operations import drafts, executions, formulas, retention, retries, triggers, workflows
from swath.operations.retries import Retry
from swath.operations.triggers import Trigger
from swath.store import executions as store

CHAIN = """
endpoints:
  People: {{url: "{url}/people"}}
  Posts:
    url: "{url}/posts/{{{{person}}}}"
    query: {{since: "{{{{since}}}}"}}
    variables: {{since: {{required: false}}}}
  Comments: {{url: "{url}/comments/{{{{post}}}}"}}
workflows:
  Comments of posts:
    endpoint: Comments
    mappings:
      - {{target_variable_name: post, from_result: {{workflow: Posts of people, column: id}}}}
  Posts of people:
    endpoint: Posts
    mappings:
      - target_variable_name: person
        from_result: {{workflow: People, collection: results, column: results.id}}
  People: {{endpoint: People}}
"""
PEOPLE = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}, {"name": "Nobody"}, {"id": 1, "name": "Ann"}]


def posts(asked: Asked) -> Play:
    person = asked.path.rpartition("/")[2]
    return Play.json({"posts": [{"id": f"{person}-{number}"} for number in range(2)]})


def asked(upstream: Scripted, beginning: str) -> list[Asked]:
    return [each for each in upstream.asked if each.path.startswith(beginning)]


def answer(upstream: Scripted) -> None:
    upstream.on("/people", Play.json({"results": PEOPLE}))
    upstream.on("/posts/*", posts)
    upstream.on("/comments/*", lambda asked: Play.json({"comments": [{"of": asked.path}]}))


async def apply(house: House, upstream: Scripted, text: str = CHAIN) -> Mapping[str, str]:
    """Apply a formula whose names no other test has."""
    named = re.sub(r"\b(People|Posts|Comments)\b", rf"\1 {upstream.url[-5:]}", text.format(url=upstream.url))
    applied = await formulas.apply(house.context, house.user, SourceText(named))
    return {name.replace(f" {upstream.url[-5:]}", ""): str(each) for name, each in applied.workflows.items()}


async def begin(house: House, workflow_id: str, **asked: Any) -> str:
    wish = Trigger(**{"output_aggregation_format": "json", **asked})
    return await triggers.trigger(house.context, house.user, workflow_id, wish)


async def follow(house: House, execution_id: str) -> tuple[Ended, list[str]]:
    """Wait for an execution's end; return it with those that it started."""
    ended = await house.end(execution_id)
    return ended, ended.view["started"]


@pytest.mark.parametrize("file_format", ["csv", "json"])
async def test_three_workflows_run_one_after_the_other(
    house: House, upstream: Scripted, file_format: str
) -> None:
    """Each value of a column once, whatever the format; a row without it is counted, and said."""
    answer(upstream)
    named = await apply(house, upstream)
    first = await begin(house, named["People"], output_aggregation_format=file_format)
    ended = await house.end(first, read=lambda file: file)
    (second,) = ended.view["started"]
    of_posts = await house.end(second, read=lambda file: file)
    assert [each.path for each in asked(upstream, "/posts/")] == ["/posts/1", "/posts/2"]
    assert (of_posts.view["triggered_by"], of_posts.view["source_execution_id"]) == (first, first)
    assert of_posts.view["workflow_id"] == named["Posts of people"]
    assert "1 of 4 rows of results have no value for person, and were left out." in of_posts.view["warnings"]
    (drawn,) = [each["data"] for each in of_posts.events if each["kind"] == "inputs_drawn"]
    assert drawn["lists"] == [
        {"variables": ["person"], "collection": "results", "rows": 4, "blank": 1, "repeated": 1, "items": 2}
    ]
    (third,) = of_posts.view["started"]
    of_comments = await house.end(third, read=lambda file: file)
    assert of_comments.view["started"] == []
    assert of_comments.view["counters"]["items"] == 4
    assert {each["format"] for each in of_comments.files.values()} == {file_format}
    paths = sorted(each.path for each in asked(upstream, "/comments/"))
    assert paths == ["/comments/1-0", "/comments/1-1", "/comments/2-0", "/comments/2-1"]


async def test_what_follows_is_there_when_the_end_is_seen(house: House, upstream: Scripted) -> None:
    """Whoever sees `completed_at` finds the next execution: never an end without what it starts."""
    answer(upstream)
    named = await apply(house, upstream)
    first = await begin(house, named["People"])
    while (view := await house.show(first))["completed_at"] is None:
        assert view["started"] == []
        await asyncio.sleep(0)
    (second,) = view["started"]
    shown = await house.show(second)
    assert (shown["progress"] == 1.0) <= (shown["completed_at"] is not None)
    await house.end((await house.end(second)).view["started"][0])


async def test_several_columns_go_row_by_row_and_several_workflows_follow(
    house: House, upstream: Scripted
) -> None:
    """Two columns of one table are one list; each workflow that takes the rows is started."""
    upstream.on("/people", Play.json({"results": [{"id": 1, "city": "Oslo"}, {"id": 1, "city": "Rome"}]}))
    upstream.on("/posts/*", Play.json([]))
    upstream.on("/comments/*", Play.json([]))
    text = (
        CHAIN.split("workflows:", maxsplit=1)[0].replace("/posts/", "/posts/{{{{city}}}}/")
        + """
workflows:
  People: {{endpoint: People}}
  Posts of people:
    endpoint: Posts
    mappings:
      - {{target_variable_name: person, from_result: {{workflow: People, column: id}}}}
      - {{target_variable_name: city, from_result: {{workflow: People, column: city}}}}
  Comments of posts:
    endpoint: Comments
    mappings: [{{target_variable_name: post, from_result: {{workflow: People, column: id}}}}]
"""
    )
    named = await apply(house, upstream, text)
    ended, started = await follow(house, await begin(house, named["People"]))
    views = [(await house.end(each)).view for each in started]
    assert {view["workflow_id"] for view in views} == set(named.values()) - {ended.view["workflow_id"]}
    paths = sorted(each.path for each in upstream.asked if each.path != "/people")
    assert paths == ["/comments/1", "/posts/Oslo/1", "/posts/Rome/1"]


async def test_only_the_ends_that_are_wanted_start_anything(house: House, upstream: Scripted) -> None:
    """A cancelled one starts nothing, one with failed items only where that is wanted; it says so."""
    answer(upstream)
    upstream.on("/posts/1", Play(status=404))
    named = await apply(
        house,
        upstream,
        CHAIN.replace("endpoint: Comments\n", "endpoint: Comments\n    chain: {{after: [succeeded]}}\n"),
    )
    _, started = await follow(house, await begin(house, named["People"]))
    partly, started = await follow(house, started[0])
    assert (partly.status, started) == ("partially_failed", [])
    (told,) = [each["data"] for each in partly.events if each["kind"] == "chain_not_started"]
    assert "partially_failed" in told["reason"]
    waiting = await begin(house, named["People"])
    await executions.cancel(house.context, house.user, waiting)
    cancelled, started = await follow(house, waiting)
    assert (cancelled.status, started) in (("cancelled", []), ("succeeded", started))
    _, started = await follow(house, await begin(house, named["People"], chain=False))
    assert started == []


async def test_a_retry_starts_the_chain_again_with_all_rows(house: House, upstream: Scripted) -> None:
    """A retry's result is the whole, and so is what follows on it; combining again starts nothing."""
    answer(upstream)
    upstream.on("/posts/1", [Play(status=404), *[Play.json({"posts": [{"id": "1-0"}]})]])
    named = await apply(house, upstream)
    _, (second,) = await follow(house, await begin(house, named["People"]))
    _, (third,) = await follow(house, second)
    assert (await house.end(third)).view["counters"]["items"] == 2
    again = await retries.retry(house.context, house.user, second, Retry())
    _, (fourth,) = await follow(house, again)
    ended = await house.end(fourth)
    assert (ended.view["counters"]["items"], ended.view["triggered_by"]) == (3, again)


async def test_parameters_and_options_are_handed_on(house: House, upstream: Scripted) -> None:
    """Scalar parameters and the bounds go along; lists and what the rows fill do not."""
    answer(upstream)
    named = await apply(house, upstream)
    given = {"since": "2024", "person": "9", "post": ["a"]}
    first = await begin(
        house, named["People"], execution_parameters=given, maximum_requests_count=50, execution_name="mine"
    )
    _, (second,) = await follow(house, first)
    view = (await house.end(second)).view
    assert {each.target for each in asked(upstream, "/posts/")} == {
        "/posts/1?since=2024",
        "/posts/2?since=2024",
    }
    assert (view["execution_parameters"], view["limits"]["requests"]) == ('{"since": "2024"}', 50)
    assert view["execution_name"] == "mine"
    await house.end(view["started"][0])


async def test_it_can_be_triggered_by_itself(house: House, upstream: Scripted) -> None:
    """Then it takes the rows of the newest execution that ended well, or of the one that is named."""
    answer(upstream)
    named = await apply(house, upstream)
    with pytest.raises(Conflict, match="Execute that one first"):
        await begin(house, named["Posts of people"])
    by_hand = await begin(
        house, named["Posts of people"], execution_parameters={"person": ["7"]}, chain=False
    )
    assert (await house.end(by_hand)).view["source_execution_id"] is None
    first = await begin(house, named["People"], chain=False)
    await house.end(first)
    upstream.on("/people", Play.json({"results": [{"id": 3}]}))
    newest = await begin(house, named["People"], chain=False)
    await house.end(newest)
    for source, items in ((None, 1), (first, 2)):
        ended = await house.end(
            await begin(house, named["Posts of people"], source_execution_id=source, chain=False)
        )
        assert (ended.view["source_execution_id"], ended.view["triggered_by"]) == (source or newest, None)
        assert ended.view["counters"]["items"] == items
    with pytest.raises(InvalidInput, match="no other's rows"):
        await begin(house, named["People"], source_execution_id=first)
    with pytest.raises(NotFound):
        await begin(house, named["Posts of people"], source_execution_id="nothing")
    with pytest.raises(InvalidInput, match="another workflow"):
        await begin(house, named["Posts of people"], source_execution_id=by_hand)


async def test_rings_are_refused_where_they_are_written(house: House, upstream: Scripted) -> None:
    """Through a formula and through the workflow itself, however long the ring is."""
    ring = CHAIN.replace(
        "People: {{endpoint: People}}\n",
        """People:
    endpoint: People
    mappings: [{{target_variable_name: x, from_result: {{workflow: Comments of posts, column: of}}}}]
""",
    ).replace("/people", "/people/{{{{x}}}}")
    with pytest.raises(InvalidInput, match=r"Line \d+: This would be a ring"):
        await apply(house, upstream, ring)
    named = await apply(house, upstream)
    column = ResultColumn(workflow_id=named["Comments of posts"], column="of")
    mapping = VariableMapping(target_variable_name="person", from_result=column)

    def revise(workflow: Workflow) -> Workflow:
        return replace(workflow, mappings=(mapping,))

    with pytest.raises(InvalidInput, match="This would be a ring"):
        await workflows.update(house.context, house.user, named["Posts of people"], revise)
    with pytest.raises(Conflict, match="rows are taken by"):
        await workflows.delete(house.context, house.user, named["People"])


async def test_a_column_that_is_not_there_ends_what_follows_and_nothing_else(
    house: House, upstream: Scripted
) -> None:
    """The first one ends as it should; the second says which columns there are."""
    answer(upstream)
    named = await apply(house, upstream, CHAIN.replace("column: results.id", "column: results.idd"))
    ended, (second,) = await follow(house, await begin(house, named["People"]))
    assert ended.status == "succeeded"
    failed = await house.end(second)
    assert failed.status == "failed"
    assert "did you mean 'results.id'" in failed.view["error"]
    upstream.on("/people", Play.json({"results": []}))
    _, (second,) = await follow(house, await begin(house, named["People"]))
    empty = await house.end(second)
    assert (empty.status, empty.view["counters"]["items"]) == ("succeeded", 0)
    assert any("has no rows of results" in each for each in empty.view["warnings"])


async def test_no_rows_of_a_primary_that_is_named_are_no_inputs(house: House, upstream: Scripted) -> None:
    """Though there is something around the list that has no rows, and the mapping names no collection."""
    answer(upstream)
    upstream.on("/people", Play.json({"total": 0, "results": []}))
    text = CHAIN.replace("endpoint: People}}", "endpoint: People, primary_collection: results}}")
    named = await apply(house, upstream, text.replace("collection: results, ", ""))
    ended, (second,) = await follow(house, await begin(house, named["People"]))
    assert next((each["name"], each["rows"]) for each in ended.view["results"]) == ("results.json", 0)
    empty = await house.end(second)
    assert (empty.status, empty.view["counters"]["items"]) == ("succeeded", 0)


async def test_rows_stay_until_they_were_read(house: House, upstream: Scripted) -> None:
    """An execution whose rows are still to be taken cannot be removed, one that was read can."""
    answer(upstream)
    named = await apply(house, upstream)
    first = await begin(house, named["People"], chain=False)
    await house.end(first)
    values = await triggers.prepare(
        house.context, house.user, named["Posts of people"], Trigger(output_aggregation_format="json")
    )
    await house.context.database.write(triggers.insert, values)  # queued, and nobody woken
    if (await house.show(values["id"]))["started_at"] is None:
        with pytest.raises(Conflict, match="has yet to take its rows"):
            await retention.remove(house.context, house.user, first)
    ended, (third,) = await follow(house, values["id"])
    await retention.remove(house.context, house.user, first)
    assert ended.rows("posts") != []
    await house.end(third)


async def test_a_formula_of_a_chain_comes_back_as_it_was(house: House, upstream: Scripted) -> None:
    """The same text, and written anew one that applying would not change."""
    named = await apply(house, upstream)
    last = named["Comments of posts"]
    text = await formulas.export(house.context, house.user, last)
    assert "column: results.id" in text
    await workflows.update(
        house.context,
        house.user,
        last,
        lambda old: replace(old, chain=replace(old.chain, parameters=("since",))),
    )
    written = await formulas.export(house.context, house.user, last)
    assert "parameters: [since]" in written or "- since" in written
    applied = await formulas.apply(house.context, house.user, SourceText(written), dry_run=True)
    assert {change.action for change in applied.changes} == {"unchanged"}
    assert len(applied.workflows) == 3


async def test_a_preview_shows_the_rows_that_there_are(house: House, upstream: Scripted) -> None:
    """Of the newest execution; before there is one it says what to do. Of a formula it shows the first."""
    answer(upstream)
    named = await apply(house, upstream)
    known = house.context, house.user
    with pytest.raises(Conflict, match="Execute that one first"):
        await drafts.draft_workflow(*known, named["Posts of people"], {}, 3)
    given = await drafts.draft_workflow(*known, named["Posts of people"], {"person": ["7"]}, 3)
    assert given.inputs == ({"person": "7"},)
    await house.end(await begin(house, named["People"], chain=False))
    draft = await drafts.draft_workflow(*known, named["Posts of people"], {}, 3)
    assert (draft.items, [each["person"] for each in draft.inputs]) == (2, ["1", "2"])
    source = SourceText(await formulas.export(*known, named["Comments of posts"]))
    assert (await drafts.draft_formula(*known, source, None, {}, {}, 3)).definition.endpoint.url.endswith(
        "/people"
    )


MANIFEST = """
type: DeclarativeSource
definitions:
  requester: {{type: HttpRequester, url_base: "{url}", path: "{{{{ parameters.path }}}}", http_method: GET}}
  base:
    type: DeclarativeStream
    retriever:
      type: SimpleRetriever
      requester: {{$ref: "#/definitions/requester"}}
      record_selector: {{extractor: {{type: DpathExtractor, field_path: [data]}}}}
  teams: {{$ref: "#/definitions/base", $parameters: {{name: teams, path: /teams}}}}
  members:
    $ref: "#/definitions/base"
    $parameters: {{name: members, path: "/teams/{{{{ stream_partition.team }}}}/members"}}
    retriever:
      $ref: "#/definitions/base/retriever"
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - {{stream: {{$ref: "#/definitions/teams"}}, parent_key: meta/id, partition_field: team}}
  tasks:
    $ref: "#/definitions/base"
    $parameters: {{name: tasks, path: /tasks}}
    retriever:
      $ref: "#/definitions/base/retriever"
      partition_router:
        type: GroupingPartitionRouter
        group_size: 2
        underlying_partition_router:
          type: SubstreamPartitionRouter
          parent_stream_configs:
            - stream: {{$ref: "#/definitions/members"}}
              parent_key: login
              partition_field: users
              request_option: {{type: RequestOption, inject_into: request_parameter, field_name: users}}
streams: [{{$ref: "#/definitions/tasks"}}]
check: {{type: CheckStream, stream_names: [tasks]}}
"""


async def test_streams_within_streams_of_a_manifest_are_sent(house: House, upstream: Scripted) -> None:
    """Parents of parents are run first; the last one's values go in groups."""
    upstream.on("/teams", Play.json({"data": [{"meta": {"id": "a"}}, {"meta": {"id": "b"}}]}))
    upstream.on("/teams/a/members", Play.json({"data": [{"login": "ann"}, {"login": "bob"}]}))
    upstream.on("/teams/b/members", Play.json({"data": [{"login": "bob"}, {"login": "cyd"}]}))
    upstream.on("/tasks", Play.json({"data": [{"task": 1}]}))
    imported = read_airbyte(MANIFEST.format(url=upstream.url))
    applied = await formulas.apply(house.context, house.user, SourceText.of(imported.formula))
    _, (second,) = await follow(house, await begin(house, str(applied.workflows["teams"])))
    _, (third,) = await follow(house, second)
    assert (await house.end(third)).status == "succeeded"
    assert [each.target for each in upstream.asked] == [
        "/teams",
        "/teams/a/members",
        "/teams/b/members",
        "/tasks?users=ann,bob",
        "/tasks?users=cyd",
    ]


async def test_more_rows_than_are_told_apart_at_a_time(house: House, upstream: Scripted) -> None:
    """Sorted apart on disk, they are the same items in the same order."""
    rows = [{"id": number % 700} for number in range(2_000)]
    upstream.on("/people", Play.json({"results": rows}))
    named = await apply(house, upstream)
    first = await begin(house, named["People"], chain=False)
    await house.end(first)
    context = house.context
    job = DrawJob(
        place=context.objects.place,
        scratch=str(context.settings.data_dir / "scratch"),
        index=f"results/{first}/0/index",
        columns=["id"],
    )
    whole, apart = draw(job), draw(msgspec.structs.replace(job, at_a_time=300))
    assert (whole.items, whole.drawn.repeated) == (apart.items, apart.drawn.repeated) == (700, 1_300)
    assert Path(whole.path).read_bytes() == Path(apart.path).read_bytes()  # noqa: ASYNC240


class Cut:
    """Worker processes that draw, and an execution that is cancelled before it hears of that."""

    async def run(self, work: Callable[[Any], object], job: Any) -> None:
        work(job)
        raise asyncio.CancelledError


async def test_a_list_that_is_drawn_in_vain_leaves_no_file(house: House, upstream: Scripted) -> None:
    """Cancelled between the drawing and the storing, nobody would ever take the file."""
    answer(upstream)
    named = await apply(house, upstream)
    _, (second,) = await follow(house, await begin(house, named["People"]))
    await house.end(second)
    context, scratch = house.context, house.context.settings.data_dir / "scratch"
    row = await context.database.read(store.find_whole, second)
    assert row is not None
    (axis,) = msgspec.json.decode(row.definition, type=Frozen).definition.axes
    before = set(scratch.iterdir())
    with pytest.raises(asyncio.CancelledError):
        await draw_list(context.database, context.objects, Cut(), scratch, axis)  # type: ignore[arg-type]
    assert set(scratch.iterdir()) <= before  # of what others are at, some may have come to its end
