"""Webhooks: whoever wants to know is told, signed and at least once, and no execution suffers from it."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from dbos import DBOS
from sqlalchemy import Connection, update
from tests.hostile.house import PATIENCE, House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.engine import courier
from swath.engine.times import now_ms
from swath.errors import Conflict, NotFound
from swath.flow.definition import Endpoint, RetryPolicy, Variable, Workflow
from swath.operations import executions, retention, users, webhooks
from swath.operations.webhooks import DeliveryView, Webhook
from swath.store import webhooks as store
from swath.store.schema import deliveries

SECRET = "whsec_" + base64.b64encode(b"a key of the receiver").decode()

Hooked = Callable[..., Coroutine[Any, Any, str]]


@pytest_asyncio.fixture(loop_scope="package")
async def hooked(house: House, upstream: Scripted) -> AsyncIterator[Hooked]:
    """Make webhooks of the administrator, at `/hook` of the upstream if nothing else is said.

    They are told of all executions: of none that another test has left behind.
    """
    made: list[str] = []
    await house.rest()

    async def make(**given: Any) -> str:
        asked = Webhook(**{"url": f"{upstream.url}/hook", "secret": SECRET, **given})
        made.append((await webhooks.create(house.context, house.user, asked)).id)
        return made[-1]

    yield make
    for webhook_id in made:
        await webhooks.delete(house.context, house.user, webhook_id)


async def log(house: House, webhook_id: str) -> list[DeliveryView]:
    found, _ = await webhooks.list_deliveries(house.context, house.user, webhook_id, limit=100, cursor=None)
    return found


async def wait_for(house: House, webhook_id: str, state: str, attempts: int = 1) -> DeliveryView:
    """Wait until the newest delivery is in a state, having been tried so often."""
    async with asyncio.timeout(PATIENCE):
        while True:
            house.context.engine.wake()
            found = await log(house, webhook_id)
            if found and (found[0].state, found[0].attempts) == (state, attempts):
                return found[0]
            await asyncio.sleep(0.02)  # nobody tells of it: users look at the log, too


def endpoint(upstream: Scripted) -> Endpoint:
    return Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})


async def run(house: House, upstream: Scripted, users: int = 2, **more: Any) -> str:
    inputs = {"user": [str(number) for number in range(users)]}
    return str((await house.run(endpoint(upstream), inputs=inputs, **more)).view["id"])


def verify(asked: Asked) -> dict[str, Any]:
    """Check a delivery as a receiver would, and return what it tells."""
    delivery_id, timestamp = asked.header("webhook-id"), asked.header("webhook-timestamp")
    signed = f"{delivery_id}.{timestamp}.".encode() + asked.body
    digest = hmac.new(b"a key of the receiver", signed, hashlib.sha256).digest()
    assert asked.header("webhook-signature") == f"v1,{base64.b64encode(digest).decode()}"
    told: dict[str, Any] = json.loads(asked.body)
    return told


async def test_a_receiver_is_told_of_the_end(house: House, upstream: Scripted, hooked: Hooked) -> None:
    """In a signed POST that holds the execution as it is shown, once its files are there."""
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/hook", Play(status=204))
    webhook_id = await hooked()
    execution_id = await run(house, upstream)
    delivery = await wait_for(house, webhook_id, "delivered")
    (asked,) = upstream.asked_at("/hook")
    told = verify(asked)
    assert (asked.method, asked.header("content-type")) == ("POST", "application/json")
    assert asked.header("webhook-id") == delivery.id
    assert abs(int(str(asked.header("webhook-timestamp"))) - house.clock.epoch()) < 2
    assert told["type"] == "execution.succeeded"
    assert told["data"] == await executions.show(house.context, house.user, execution_id)
    assert told["data"]["results"][0]["rows"] == 2
    assert (delivery.last_status, delivery.execution_id, delivery.last_error) == (204, execution_id, None)


async def test_each_event_is_told_to_those_who_want_it(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """Of ends by default; of a pause, and of attempts that are spent, where that is asked for. Each once."""
    upstream.on("/hook", Play())
    all_events = ("execution.paused", "execution.truncated", *webhooks.ENDS)
    everything, ends = await hooked(events=all_events), await hooked()
    held: Future[None] = Future()
    upstream.on("/users/*", lambda asked: page(rows(0, 1)) if asked.path != "/users/0" else Play(until=held))
    known = house.context, house.user
    execution_id = await house.begin(endpoint(upstream), inputs={"user": ["0", "1"]})
    await asyncio.to_thread(upstream.wait, 2)
    await executions.pause(*known, execution_id)
    await executions.cancel(*known, execution_id)
    held.set_result(None)
    await house.end(execution_id)
    upstream.on("/users/*", page(rows(0, 1)))
    await run(house, upstream, users=3, maximum_requests_count=2)
    upstream.on("/users/*", Play(status=404))
    await run(house, upstream)
    await wait_for(house, everything, "delivered")
    await wait_for(house, ends, "delivered")
    expected = ["execution.failed", "execution.succeeded", "execution.cancelled"]
    assert [each.event for each in await log(house, ends)] == expected
    told = [each.event for each in await log(house, everything)]
    assert sorted(told) == sorted([*expected, "execution.paused", "execution.truncated"])


async def test_a_receiver_that_fails_is_asked_again(house: House, upstream: Scripted, hooked: Hooked) -> None:
    """With the same id and body, a fresh signature, after growing waits, never earlier than it asks for."""
    upstream.on("/users/*", page(rows(0, 1)))
    busy = Play(status=503, headers=[("Retry-After", "5000")], body=b"later")
    upstream.on("/hook", [Play(status=500), busy, Play(status=200)])
    webhook_id = await hooked()
    await run(house, upstream)
    first = await wait_for(house, webhook_id, "waiting", 1)
    assert first.next_attempt_at is not None
    assert 5_000 <= first.next_attempt_at - house.clock.epoch() * 1e3 <= 10_000
    assert (first.last_status, first.last_error) == (500, "It answered 500.")
    house.clock.now += 10
    second = await wait_for(house, webhook_id, "waiting", 2)
    assert second.next_attempt_at is not None
    assert second.next_attempt_at - house.clock.epoch() * 1e3 == pytest.approx(5_000_000, abs=2_000)
    assert second.last_answer == "later"
    house.clock.now += 5_001
    await wait_for(house, webhook_id, "delivered", 3)
    asked = upstream.asked_at("/hook")
    assert len({(each.header("webhook-id"), each.body) for each in asked}) == 1
    assert len({each.header("webhook-signature") for each in asked}) == 3
    assert [verify(each)["type"] for each in asked] == ["execution.succeeded"] * 3


async def test_a_receiver_that_is_gone_is_given_up(house: House, upstream: Scripted, hooked: Hooked) -> None:
    """After the last attempt; the execution that it was to be told of ended as if nobody had asked."""
    upstream.on("/users/*", page(rows(0, 1)))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        webhook_id = await hooked(url=f"http://127.0.0.1:{unused.getsockname()[1]}/hook")
        execution_id = await run(house, upstream)
        for attempt in range(1, courier.POLICY.max_attempts):
            found = await wait_for(house, webhook_id, "waiting", attempt)
            assert "connect_failed" in str(found.last_error)
            house.clock.now += courier.POLICY.max_delay
        await wait_for(house, webhook_id, "failed", courier.POLICY.max_attempts)
    assert (await house.show(execution_id))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://10.1.2.3/hook", "blocked_address"),
        ("http://169.254.169.254/latest/meta-data", "blocked_address"),
        ("http://[::ffff:10.0.0.1]/", "blocked_address"),
        ("http://[::1]:1/", "blocked_address"),
        ("{upstream}/away", "redirect_refused"),
    ],
)
async def test_no_webhook_leads_inside(
    house: House, upstream: Scripted, hooked: Hooked, url: str, code: str
) -> None:
    """Neither by its address nor by a redirect, which none follows; and asking again would not help."""
    upstream.on("/away", Play(status=307, headers=[("Location", f"{upstream.url}/inside")]))
    webhook_id = await hooked(url=url.replace("{upstream}", upstream.url))
    told = await webhooks.test(house.context, house.user, webhook_id)
    assert told.state == "failed"
    assert str(told.last_error).startswith(code)
    assert not upstream.asked_at("/inside")
    upstream.on("/users/*", page(rows(0, 1)))
    await run(house, upstream)
    await wait_for(house, webhook_id, "failed", 1)


async def test_a_test_is_sent_at_once_and_once(house: House, upstream: Scripted, hooked: Hooked) -> None:
    """Whatever it comes to, the answer tells; it stands in the log, and is not made again."""
    upstream.on("/hook", [Play(body=b"thanks"), Play(status=500, body=b"\0no")])
    webhook_id = await hooked(enabled=False)
    good = await webhooks.test(house.context, house.user, webhook_id)
    assert (good.state, good.last_status, good.last_answer) == ("delivered", 200, "thanks")
    bad = await webhooks.test(house.context, house.user, webhook_id)
    assert (bad.state, bad.last_status, bad.next_attempt_at) == ("failed", 500, None)
    assert verify(upstream.asked_at("/hook")[0])["type"] == "webhook.test"
    assert [each.id for each in await log(house, webhook_id)] == [bad.id, good.id]
    with pytest.raises(Conflict):
        await webhooks.send_again(house.context, house.user, webhook_id, bad.id)


async def test_a_delivery_is_made_again_on_request(house: House, upstream: Scripted, hooked: Hooked) -> None:
    """With the same id and body; an unknown one, or another webhook's, is not found."""
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/hook", Play())
    webhook_id, other = await hooked(), await hooked(enabled=False)
    await run(house, upstream)
    delivery = await wait_for(house, webhook_id, "delivered", 1)
    await webhooks.send_again(house.context, house.user, webhook_id, delivery.id)
    await wait_for(house, webhook_id, "delivered", 2)
    first, second = upstream.asked_at("/hook")
    assert (first.body, first.header("webhook-id")) == (second.body, second.header("webhook-id"))
    for wrong in ((other, delivery.id), (webhook_id, "none")):
        with pytest.raises(NotFound):
            await webhooks.send_again(house.context, house.user, *wrong)


async def test_one_that_is_switched_off_is_told_nothing(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """What it was still to be told ends with the reason; so does nothing else."""
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/hook", Play(status=500))
    webhook_id = await hooked()
    await run(house, upstream)
    await wait_for(house, webhook_id, "waiting", 1)
    known = house.context, house.user, webhook_id
    await webhooks.update(*known, lambda webhook: replace(webhook, enabled=False))
    house.clock.now += 10
    ended = await wait_for(house, webhook_id, "failed", 2)
    assert "not enabled" in str(ended.last_error)
    await run(house, upstream)
    assert len(await log(house, webhook_id)) == 1


async def test_users_are_told_of_their_own_executions_only(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """A webhook of somebody else hears nothing."""
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/hook", Play())
    made = await users.create_token(house.context, house.user, users.NewToken(user="hooked-else"))
    other = await users.authenticate(house.context, made.token)
    theirs = await webhooks.create(house.context, other, Webhook(url=f"{upstream.url}/hook"))
    mine = await hooked()
    await run(house, upstream)
    await wait_for(house, mine, "delivered")
    found, _ = await webhooks.list_deliveries(house.context, other, theirs.id, limit=10, cursor=None)
    assert found == []


async def test_what_waits_in_the_outbox_is_told_whoever_put_it_there(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """As after a crash between the end of an execution and the delivery."""
    upstream.on("/users/*", page(rows(0, 1)))
    execution_id = await run(house, upstream)
    upstream.on("/hook", Play())
    webhook_id = await hooked()
    write = house.context.database.write
    await write(store.put, webhook_id, "execution.succeeded", execution_id, 0)
    await wait_for(house, webhook_id, "delivered")


async def test_what_was_to_be_told_outlives_its_execution(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """Removed before anybody could be told, it is told of as it was; then nothing is left of it."""
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/hook", [Play(status=500), Play(), Play()])
    tried = await hooked()
    execution_id = await run(house, upstream)
    view = await house.show(execution_id)
    await wait_for(house, tried, "waiting", 1)
    untried = await hooked()
    later = house.context.engine.courier.now() + 10_000

    def put(connection: Connection) -> None:
        delivery_id = store.put(connection, untried, "execution.succeeded", execution_id, 0)
        connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(next_at=later))

    await house.context.database.write(put)
    await retention.remove(house.context, house.user, execution_id)
    with pytest.raises(NotFound):
        await house.show(execution_id)
    await retention.sweep(house.context, now_ms() + retention.GRACE + 1)
    house.clock.now += 20
    await wait_for(house, tried, "delivered", 2)
    await wait_for(house, untried, "delivered", 1)
    assert [verify(each)["data"] for each in upstream.asked_at("/hook")] == [view] * 3
    known: Any = {"workflow_id_prefix": execution_id}
    async with asyncio.timeout(PATIENCE):  # a delivery ends a moment after that was noted, not an hour
        while await DBOS.list_workflows_async(**known, status=["PENDING", "ENQUEUED"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await retention.sweep(house.context, now_ms() + retention.GRACE + 1)
    assert await DBOS.list_workflows_async(**known) == []


async def test_the_log_is_bounded(house: House, hooked: Hooked) -> None:
    """Of what is over only the newest are kept; what waits is never forgotten."""
    webhook_id = await hooked()
    write = house.context.database.write
    waiting = await write(store.put, webhook_id, "execution.failed", None, 0)
    for _ in range(store.KEPT + 3):
        delivery_id = await write(store.put, webhook_id, "execution.failed", None, 0)
        await write(store.note_attempt, delivery_id, {"state": "failed"})
    known = house.context, house.user, webhook_id
    found, more = await webhooks.list_deliveries(*known, limit=store.KEPT, cursor=None)
    assert (len(found), found[0].id) == (store.KEPT, delivery_id)
    rest, _ = await webhooks.list_deliveries(*known, limit=store.KEPT, cursor=more)
    assert [each.id for each in rest] == [waiting]


async def test_an_item_that_waits_does_not_hold_the_outbox(
    house: House, upstream: Scripted, hooked: Hooked
) -> None:
    """A receiver that never answers keeps nobody else from being told."""
    held: Future[None] = Future()
    upstream.on("/users/*", page(rows(0, 1)))
    upstream.on("/slow", Play(until=held))
    upstream.on("/hook", Play())
    slow, quick = await hooked(url=f"{upstream.url}/slow"), await hooked()
    workflow = Workflow(name="w", endpoint_id="", retry=RetryPolicy(max_attempts=1))
    await house.run(endpoint(upstream), workflow, inputs={"user": ["1"]})
    await wait_for(house, quick, "delivered")
    assert [each.state for each in await log(house, slow)] == ["waiting"]
    held.set_result(None)
    await wait_for(house, slow, "delivered")
