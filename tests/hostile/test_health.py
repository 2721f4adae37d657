"""What an owner learns of a proxy's health: by a test, and by what executions went through."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.hostile.house import House
from tests.upstreams.pages import page, rows
from tests.upstreams.scripted import Play, Scripted

from swath.demo.proxies import ForwardProxy, Plan
from swath.errors import InvalidInput
from swath.flow.definition import Endpoint, ProxyChoice, Variable, Workflow
from swath.operations import proxies as register
from swath.operations.trials import ProxyReport, ProxyTest, try_proxy
from swath.store import proxies as stored


class Way:
    """A running proxy, and its id."""

    def __init__(self, house: House, proxy: ForwardProxy, proxy_id: str) -> None:
        self.house, self.proxy, self.id = house, proxy, proxy_id

    async def test(self, url: str | None = None) -> ProxyReport:
        return await try_proxy(self.house.context, self.house.user, self.id, ProxyTest(url=url))

    async def health(self) -> register.HealthView:
        return (await register.show(self.house.context, self.house.user, self.id)).health


@pytest_asyncio.fixture(loop_scope="package", params=["http", "socks5"])
async def way(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    location = f"tried-{request.node.nodeid}".lower()
    plan = Plan(name="p", type="shared", location=location, scheme=request.param, credentials="user:right")
    proxy = ForwardProxy(plan)
    proxy.start()
    known = await register.create(
        house.context, house.user, register.Proxy(type="shared", location=location, url=proxy.url)
    )
    yield Way(house, proxy, known.id)
    await register.delete(house.context, house.user, known.id)
    proxy.stop()


async def test_a_proxy_that_lives(way: Way, upstream: Scripted) -> None:
    """It answers for itself, without a word to anybody else; with an address, the target's status is told."""
    assert (await way.health()).state == "unknown"
    alone = await way.test()
    assert (alone.ok, alone.status_code, alone.error_code) == (True, None, None)
    assert alone.latency > 0
    found = await way.health()
    assert (found.state, found.latency, found.error_code) == ("well", alone.latency, None)
    assert not upstream.asked
    upstream.on("/x", Play(status=404))
    beyond = await way.test(f"{upstream.url}/x")
    assert (beyond.ok, beyond.status_code) == (True, 404)
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("fault", ["dead", "wrong credentials"])
async def test_a_proxy_that_does_not_work(way: Way, fault: str) -> None:
    """The reason is told and remembered, until it works again."""
    if fault == "dead":
        way.proxy.stop()
    else:
        way.proxy.way.credentials = "somebody:else"
    code = "proxy_unreachable" if fault == "dead" else "proxy_auth_required"
    report = await way.test()
    assert (report.ok, report.error_code) == (False, code)
    assert report.message
    found = await way.health()
    assert (found.state, found.error_code, found.quarantine_ends_at) == ("failing", code, None)
    if fault == "dead":
        way.proxy.start()
    else:
        way.proxy.way.credentials = "user:right"
    assert (await way.test()).ok
    assert (await way.health()).state == "well"


async def test_what_the_target_does_is_not_the_proxys_health(way: Way) -> None:
    """A forbidden address is refused before the proxy is asked; no address is the caller's mistake."""
    report = await way.test("http://10.0.0.1/")
    assert (report.ok, report.error_code) == (False, "blocked_address")
    assert (await way.health()).state == "unknown"
    with pytest.raises(InvalidInput, match="url"):
        await way.test("ftp://nowhere")


@pytest.mark.parametrize("way", ["http"], indirect=True)
async def test_executions_tell_of_their_proxies(
    house: House, way: Way, upstream: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a run a good proxy is well, with its latency; one that failed rests, and the reason is told."""
    upstream.on("/users/*", page(rows(0, 1)))
    endpoint = Endpoint(name="e", url=upstream.url + "/users/{{user}}", variables={"user": Variable()})
    choice = ProxyChoice(type="shared", proxy_id=way.id)
    items = {"user": ["1", "2", "3"]}
    assert (await house.run(endpoint, inputs=items, proxy=choice)).status == "succeeded"
    found = await way.health()
    assert found.state == "well"
    assert found.latency is not None
    assert found.latency > 0
    way.proxy.stop()
    workflow = Workflow(name="w", endpoint_id="", concurrency=1)
    assert (await house.run(endpoint, workflow, inputs=items, proxy=choice)).status == "failed"
    row = await house.context.database.read(stored.find_own, house.user.id, way.id)
    assert row is not None
    assert row.rests_until > row.used_at
    for now, state, ends in (
        (row.used_at, "quarantined", row.rests_until),
        (row.rests_until, "failing", None),
    ):
        monkeypatch.setattr(register, "now_ms", lambda now=now: now)
        found = await way.health()
        assert (found.state, found.quarantine_ends_at) == (state, ends)
        assert found.error_code == "proxy_unreachable"
    way.proxy.start()
