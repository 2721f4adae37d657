"""Schedules run: when they are due, once, whoever looks and however late."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from tests.hostile.house import House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Play, Scripted

from swath.flow.definition import Endpoint, ProxyChoice, Variable, Workflow
from swath.operations import endpoints, executions, proxies, schedules, workflows
from swath.operations.schedules import Schedule, ScheduleView
from swath.operations.timetable import run_due
from swath.operations.triggers import Trigger

HOUR = 3_600
AS_JSON = Trigger(output_aggregation_format="json")

Plan = Callable[..., Coroutine[Any, Any, str]]


@pytest_asyncio.fixture(loop_scope="package")
async def plan(house: House, upstream: Scripted) -> AsyncIterator[Plan]:
    """Make hourly schedules of a workflow over the upstream; they are gone at the end."""
    made: list[str] = []
    variables = {"user": Variable(default="1")}
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables=variables)
    kept = await endpoints.create(house.context, house.user, endpoint)
    workflow = Workflow(name="w", endpoint_id=kept.id)
    workflow_id = (await workflows.create(house.context, house.user, workflow)).id

    async def make(**given: Any) -> str:
        usual = {"name": "hourly", "workflow_id": workflow_id, "cron": "@hourly", "execution": AS_JSON}
        asked = Schedule(**{**usual, **given})
        made.append((await schedules.create(house.context, house.user, asked)).id)
        return made[-1]

    yield make
    for schedule_id in made:
        await schedules.delete(house.context, house.user, schedule_id)


async def show(house: House, schedule_id: str) -> ScheduleView:
    return await schedules.show(house.context, house.user, schedule_id)


async def triggered(house: House, schedule_id: str) -> list[Any]:
    """The executions of a schedule's workflow, newest first."""
    workflow_id = (await show(house, schedule_id)).workflow_id
    found, _ = await executions.list_for(
        house.context, house.user, workflow_id=workflow_id, group=None, limit=100, cursor=None
    )
    return found


async def test_a_schedule_runs_when_it_is_due(house: House, upstream: Scripted, plan: Plan) -> None:
    """Not before; with what it was given; and it says what came of it and when it is due again."""
    upstream.on("/users/*", page(rows(0, 1)))
    asked = Trigger(execution_parameters={"user": ["7", "8"]}, output_aggregation_format="json")
    schedule_id = await plan(execution=asked)
    before = await show(house, schedule_id)
    await run_due(house.context)
    assert await triggered(house, schedule_id) == []
    house.clock.now += HOUR
    await run_due(house.context)
    after = await show(house, schedule_id)
    (execution,) = await triggered(house, schedule_id)
    assert (after.last_execution_id, after.last_outcome) == (execution["id"], "triggered")
    assert before.next_run_at is not None
    assert after.next_run_at == before.next_run_at + HOUR * 1_000
    assert execution["execution_name"] == "hourly"
    ended = await house.end(execution["id"])
    assert ended.status == "succeeded"
    assert {asked.path for asked in upstream.asked} == {"/users/7", "/users/8"}


async def test_many_processes_make_one_run(house: House, upstream: Scripted, plan: Plan) -> None:
    """All look at the same moment; whoever moves the next time on in its transaction has the run."""
    upstream.on("/users/*", page(rows(0, 1)))
    schedule_id = await plan()
    for count in (1, 2, 3):
        house.clock.now += HOUR
        others = [replace(house.context) for _ in range(8)]
        await asyncio.gather(*(run_due(context) for context in others))
        found = await triggered(house, schedule_id)
        assert len(found) == count
        await house.end(found[0]["id"])


async def test_missed_runs_are_one(house: House, upstream: Scripted, plan: Plan) -> None:
    """After a day away there is one run, and the next is due at the next hour from now."""
    upstream.on("/users/*", page(rows(0, 1)))
    schedule_id = await plan()
    house.clock.now += 24 * HOUR
    await run_due(house.context)
    await run_due(house.context)
    found = await triggered(house, schedule_id)
    assert len(found) == 1
    ahead = await show(house, schedule_id)
    assert ahead.next_run_at is not None
    assert 0 < ahead.next_run_at / 1e3 - house.clock.epoch() <= HOUR
    await house.end(found[0]["id"])


@pytest.mark.parametrize("overlap", ["skip", "queue"])
async def test_a_run_while_the_one_before_goes_on(
    house: House, upstream: Scripted, plan: Plan, overlap: Any
) -> None:
    """It is left out, or made as soon as that has ended: several that come due meanwhile are one."""
    held: Future[None] = Future()
    upstream.on("/users/*", Play(body=b'{"results": [{"id": 1}]}', until=held))
    schedule_id = await plan(overlap=overlap)
    for _ in range(3):
        house.clock.now += HOUR
        await run_due(house.context)
        assert len(await triggered(house, schedule_id)) == 1
    view = await show(house, schedule_id)
    assert view.last_outcome == ("skipped" if overlap == "skip" else "triggered")
    held.set_result(None)
    await house.end(str(view.last_execution_id))
    await run_due(house.context)
    found = await triggered(house, schedule_id)
    assert len(found) == (1 if overlap == "skip" else 2)
    await house.end(found[0]["id"])


async def test_one_that_cannot_be_run_says_why(house: House, upstream: Scripted, plan: Plan) -> None:
    """And is due again at its next time; others are run."""
    upstream.on("/users/*", page(rows(0, 1)))
    proxy = proxies.Proxy(type="dedicated", location="gone", url="http://127.0.0.1:1")
    known = await proxies.create(house.context, house.user, proxy)
    choice = ProxyChoice(type="dedicated", proxy_id=known.id)
    broken = await plan(execution=Trigger(proxy=choice))
    fine = await plan()
    await proxies.delete(house.context, house.user, known.id)
    house.clock.now += HOUR
    await run_due(house.context)
    view = await show(house, broken)
    assert (view.last_outcome, view.last_execution_id) == ("failed", None)
    assert "proxy" in str(view.last_error)
    assert view.next_run_at is not None
    assert view.next_run_at / 1e3 > house.clock.epoch()
    done = await show(house, fine)
    assert done.last_outcome == "triggered"
    await house.end(str(done.last_execution_id))


async def test_one_that_is_switched_off_does_not_run(house: House, plan: Plan) -> None:
    """Switched on again it does not make up for what it missed."""
    schedule_id = await plan(enabled=False)
    house.clock.now += 5 * HOUR
    await run_due(house.context)
    known = house.context, house.user, schedule_id
    await schedules.update(*known, lambda schedule: replace(schedule, enabled=True))
    await run_due(house.context)
    assert await triggered(house, schedule_id) == []
