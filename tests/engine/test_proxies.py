"""Exchanges through proxies: every kind of them, and for every failure the right one is blamed."""

import asyncio
import base64
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from tests.ports import Port
from tests.upstreams.scripted import Play, Scripted
from tests.upstreams.tls import Authority

from swath.demo.proxies import ForwardProxy, Plan
from swath.engine.exits import Exit
from swath.engine.fetcher import Fetcher
from swath.engine.guard import Guard
from swath.errors import AddressBlocked, FetchFault
from swath.flow.definition import Limits
from swath.flow.request import Request

#: Long enough for an answer on any machine; and short, where none will come.
LIMITS = Limits(timeout=180.0, connect_timeout=120.0, read_timeout=120.0)
SHORT = Limits(timeout=1.0, connect_timeout=0.5, read_timeout=0.5)
#: The same where all is well until the target falls silent.
SILENCE = Limits(timeout=180.0, connect_timeout=120.0, read_timeout=3.0)
PASSWORD = "p:w@1"
ENCODED = "demo:p%3Aw%401"


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        running.on("/x", Play(body=b"x"))
        yield running


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def safe(authority: Authority, tmp_path: Path) -> Iterator[Scripted]:
    """An upstream that speaks TLS as `a.test`, `localhost` and 127.0.0.1."""
    with Scripted(tls=authority.serve(tmp_path, "a.test", "localhost", "127.0.0.1")) as running:
        running.on("/x", Play(body=b"x"))
        yield running


async def look_up(host: str) -> list[str]:
    if host in ("a.test", "p.test", "localhost"):
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
async def fetcher(authority: Authority) -> AsyncIterator[Fetcher]:
    fetcher = open_fetcher(authority, knock_time=120.0)
    yield fetcher
    await fetcher.close()


@pytest.fixture
async def hasty(authority: Authority) -> AsyncIterator[Fetcher]:
    """One that does not wait long for a sign of life that will not come."""
    fetcher = open_fetcher(authority, knock_time=1.0)
    yield fetcher
    await fetcher.close()


def open_fetcher(authority: Authority, knock_time: float) -> Fetcher:
    guard = Guard(["127.0.0.0/8", "localhost", "a.test"], resolve=look_up)
    return Fetcher(guard, roots=authority.root, knock_time=knock_time)


@contextlib.contextmanager
def running(**plan: str | None) -> Iterator[ForwardProxy]:
    proxy = ForwardProxy(Plan(name="p", type="shared", location="nyc", **plan))  # type: ignore[arg-type]
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with running() as proxy:
        yield proxy


@pytest.fixture
def socks() -> Iterator[ForwardProxy]:
    with running(scheme="socks5") as proxy:
        yield proxy


def through(proxy: ForwardProxy | str, **more: object) -> Exit:
    url = proxy if isinstance(proxy, str) else proxy.url
    return replace(Exit("e", "shared", "nyc", url), **more)


@pytest.fixture
def nobody() -> Iterator[str]:
    """Where nobody listens."""
    port = Port()
    yield port.address
    port.close()


async def body_of(fetcher: Fetcher, url: str, exit: Exit) -> bytes:
    return (await fetcher.fetch(Request("GET", url, ()), exit, LIMITS)).body


async def fault_of(fetcher: Fetcher, url: str, exit: Exit, limits: Limits = LIMITS) -> FetchFault:
    with pytest.raises(FetchFault) as fault:
        await fetcher.fetch(Request("GET", url, ()), exit, limits)
    return fault.value


def told(fault: FetchFault) -> tuple[str, bool, str]:
    return fault.code, fault.sent, fault.blame


def targets(proxy: ForwardProxy) -> list[tuple[str, str]]:
    return [(passed.method, passed.target) for passed in proxy.way.passed]


# --- every kind of proxy


async def test_plain_requests_through_an_http_proxy(
    upstream: Scripted, proxy: ForwardProxy, fetcher: Fetcher
) -> None:
    assert await body_of(fetcher, f"{upstream.url}/x", through(proxy)) == b"x"
    assert targets(proxy) == [("GET", f"{upstream.url}/x")]
    assert upstream.asked[0].header("via") == "1.1 p"


async def test_tls_through_an_http_proxy(safe: Scripted, proxy: ForwardProxy, fetcher: Fetcher) -> None:
    """The proxy sees a tunnel only, and the target's certificate is verified."""
    assert await body_of(fetcher, f"{safe.url}/x", through(proxy)) == b"x"
    assert targets(proxy) == [("CONNECT", safe.url.removeprefix("https://"))]


async def test_socks5_gets_addresses_that_we_looked_up(
    upstream: Scripted, safe: Scripted, socks: ForwardProxy, fetcher: Fetcher
) -> None:
    """So the guard's pin holds through it, for plain requests and TLS."""
    for server in (upstream, safe):
        url = server.url.replace("127.0.0.1", "a.test")
        assert await body_of(fetcher, f"{url}/x", through(socks)) == b"x"
        assert server.asked[0].header("host") == url.partition("//")[2]
    assert targets(socks) == [("CONNECT", server.url.partition("//")[2]) for server in (upstream, safe)]


async def test_socks5h_gets_names(upstream: Scripted, socks: ForwardProxy, fetcher: Fetcher) -> None:
    url = upstream.url.replace("127.0.0.1", "localhost")
    exit = through(socks.url.replace("socks5:", "socks5h:"))
    assert await body_of(fetcher, f"{url}/x", exit) == b"x"
    assert targets(socks) == [("CONNECT", url.partition("//")[2])]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_credentials_are_shown(
    upstream: Scripted, safe: Scripted, fetcher: Fetcher, scheme: str
) -> None:
    """Percent-encoded ones are decoded, so that a password may hold any character."""
    with running(scheme=scheme, credentials=f"demo:{PASSWORD}") as proxy:
        exit = through(proxy.url.replace(f"demo:{PASSWORD}", ENCODED))
        assert await body_of(fetcher, f"{upstream.url}/x", exit) == b"x"
        assert await body_of(fetcher, f"{safe.url}/x", exit) == b"x"


async def test_an_https_proxy(upstream: Scripted, safe: Scripted, fetcher: Fetcher) -> None:
    """The way to the proxy itself is TLS; the credentials are not shown in the clear."""
    safe.on("*", lambda asked: Play(body=asked.target.encode()))
    exit = through(safe.url.replace("https://", f"https://{ENCODED}@"))
    assert await body_of(fetcher, f"{upstream.url}/y", exit) == f"{upstream.url}/y".encode()
    login = base64.b64encode(f"demo:{PASSWORD}".encode()).decode()
    assert safe.asked[0].header("proxy-authorization") == f"Basic {login}"
    assert not upstream.asked


async def test_credentials_do_not_reach_the_target(upstream: Scripted, fetcher: Fetcher) -> None:
    with running(credentials="demo:pw") as proxy:
        await body_of(fetcher, f"{upstream.url}/x", through(proxy))
    assert upstream.asked[0].header("proxy-authorization") is None


async def test_a_proxy_that_nobody_here_wrote(upstream: Scripted, safe: Scripted, fetcher: Fetcher) -> None:
    """proxy.py, as its own process: plain, tunnel, and wrong credentials both ways."""
    with proxy_py("--basic-auth", "demo:pw") as address:
        right, wrong = through(f"http://demo:pw@{address}"), through(f"http://demo:no@{address}")
        assert await body_of(fetcher, f"{upstream.url}/x", right) == b"x"
        assert await body_of(fetcher, f"{safe.url}/x", right) == b"x"
        plain = await fault_of(fetcher, f"{upstream.url}/x", wrong, LIMITS)
        tunnel = await fault_of(fetcher, f"{safe.url}/x", wrong, LIMITS)
        assert await fetcher.proxies.is_alive(right)
    assert told(plain) == ("proxy_auth_required", True, "exit")
    assert told(tunnel) == ("proxy_auth_required", False, "exit")
    assert len(upstream.asked) == len(safe.asked) == 1


async def test_X1_a_page_of_a_real_proxys_own_is_told_from_the_targets(
    upstream: Scripted, fetcher: Fetcher, nobody: str
) -> None:
    """By what proxy.py says of a target that is nowhere; no header tells it to a rule."""
    upstream.on("/bad", Play(status=502, headers=[("Content-Type", "text/html")], body=b"<h1>ours</h1>"))
    with proxy_py() as address:
        exit = through(f"http://{address}")
        own = await fetcher.fetch(Request("GET", f"http://{nobody}/", ()), exit, LIMITS)
        targets = await fetcher.fetch(Request("GET", f"{upstream.url}/bad", ()), exit, LIMITS)
        assert (own.status >= 500, targets.status) == (True, 502)
        assert await fetcher.proxies.is_own_answer(exit, own)
        assert not await fetcher.proxies.is_own_answer(exit, targets)


@contextlib.contextmanager
def proxy_py(*arguments: str) -> Iterator[str]:
    port = Port()
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(port.number)]
    process = subprocess.Popen(
        [*command, "--num-workers", "1", "--num-acceptors", "1", "--log-level", "ERROR", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_it_listens(port.number)
        yield port.address
    finally:
        process.terminate()
        process.wait(120)
        port.close()


def wait_until_it_listens(port: int) -> None:
    for _ in range(2_000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("the proxy does not listen")


# --- X1: who is to blame


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_X1_dead_proxy(
    upstream: Scripted, safe: Scripted, fetcher: Fetcher, scheme: str, nobody: str
) -> None:
    """Nobody listens there; nothing was sent, for plain requests and for TLS."""
    exit = through(f"{scheme}://{nobody}")
    for server in (upstream, safe):
        fault = await fault_of(fetcher, f"{server.url.replace('127.0.0.1', 'localhost')}/x", exit)
        assert told(fault) == ("proxy_unreachable", False, "exit")
        assert fault.retryable


async def test_X1_a_proxy_without_an_address(upstream: Scripted, fetcher: Fetcher) -> None:
    """An administrator's proxy is not looked up by the guard, and its name may be gone."""
    fault = await fault_of(fetcher, f"{upstream.url}/x", through("http://no-such-proxy.invalid:8080"))
    assert told(fault) == ("proxy_unreachable", False, "exit")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_X1_wrong_credentials(
    upstream: Scripted, safe: Scripted, fetcher: Fetcher, scheme: str
) -> None:
    """Over plain HTTP the request has left when the 407 comes; otherwise nothing has."""
    with running(scheme=scheme, credentials="demo:pw") as proxy:
        exit = through(proxy.url.replace("demo:pw", "demo:wrong"))
        for server in (upstream, safe):
            fault = await fault_of(fetcher, f"{server.url}/x", exit)
            assert fault.blame == "exit"
            assert fault.sent is (scheme == "http" and server is upstream)
            assert fault.code == "proxy_auth_required"
    assert not upstream.asked
    assert not safe.asked


async def test_X1_connect_refused(safe: Scripted, proxy: ForwardProxy, fetcher: Fetcher) -> None:
    proxy.way.mood = "refuse"
    assert told(await fault_of(fetcher, f"{safe.url}/x", through(proxy))) == ("proxy_refused", False, "exit")


async def test_X1_socks_refused(upstream: Scripted, socks: ForwardProxy, fetcher: Fetcher) -> None:
    socks.way.mood = "refuse"
    fault = await fault_of(fetcher, f"{upstream.url}/x", through(socks))
    assert told(fault) == ("proxy_refused", False, "exit")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_X1_a_proxy_that_resets_before_the_target_is_reached(
    safe: Scripted, fetcher: Fetcher, scheme: str
) -> None:
    with running(scheme=scheme) as proxy:
        proxy.way.mood = "reset"
        fault = await fault_of(fetcher, f"{safe.url}/x", through(proxy))
    assert told(fault) == ("proxy_broke", False, "exit")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_X1_a_proxy_that_hangs_before_the_target_is_reached(
    safe: Scripted, fetcher: Fetcher, scheme: str
) -> None:
    with running(scheme=scheme) as proxy:
        proxy.way.mood = "hang"
        fault = await fault_of(fetcher, f"{safe.url}/x", through(proxy), SHORT)
    assert told(fault) == ("connect_timeout", False, "exit")


@pytest.mark.parametrize("mood", ["hang", "reset"])
async def test_X1_a_plain_proxy_that_hangs_or_resets(
    upstream: Scripted, hasty: Fetcher, proxy: ForwardProxy, mood: str
) -> None:
    """The request had left, so it might be the target: the proxy is asked itself, and shows no life."""
    proxy.way.mood = mood  # type: ignore[assignment]
    fault = await fault_of(hasty, f"{upstream.url}/x", through(proxy), SILENCE)
    assert (fault.sent, fault.blame) == (True, "exit")
    assert not upstream.asked


@pytest.mark.parametrize("play", [Play(silent=True), Play(reset=True), Play(body=b"x", length=5, close=True)])
async def test_X1_a_bad_target_behind_a_good_proxy(
    upstream: Scripted, safe: Scripted, proxy: ForwardProxy, fetcher: Fetcher, play: Play
) -> None:
    """The proxy is asked itself and answers, so it is the target's fault; the target sees one request."""
    for server in (upstream, safe):
        server.on("/bad", play)
        fault = await fault_of(fetcher, f"{server.url}/bad", through(proxy), SILENCE)
        assert (fault.sent, fault.blame) == (True, "target")
        await asyncio.to_thread(server.wait, 1)
        assert len(server.asked) == 1


async def test_X1_a_proxy_that_dies_amid_an_answer(
    upstream: Scripted, proxy: ForwardProxy, fetcher: Fetcher
) -> None:
    gate: Future[None] = Future()
    upstream.on("/slow", Play(until=gate))
    waiting = asyncio.create_task(fault_of(fetcher, f"{upstream.url}/slow", through(proxy), LIMITS))
    await asyncio.to_thread(upstream.wait, 1)
    await asyncio.to_thread(proxy.stop)
    assert told(await waiting) == ("connection_lost", True, "exit")
    gate.set_result(None)


async def test_X1_a_proxy_that_answers_for_itself_and_says_so(fetcher: Fetcher) -> None:
    """By RFC 9209, or as Squid does; a 5xx that says nothing is taken for the target's."""
    with Scripted() as proxy:
        headers = [("Proxy-Status", 'p; error="dns_error"')], [("X-Squid-Error", "ERR_DNS_FAIL 0")]
        proxy.on("*", [*(Play.html(status=502, headers=said) for said in headers), Play.html(status=502)])
        for _ in headers:
            fault = await fault_of(fetcher, "http://a.test/", through(proxy.url))
            assert told(fault) == ("proxy_error", True, "exit")
        answer = await fetcher.fetch(Request("GET", "http://a.test/", ()), through(proxy.url), LIMITS)
        assert answer.status == 502


async def test_a_tunnelled_target_cannot_blame_the_proxy(
    safe: Scripted, proxy: ForwardProxy, fetcher: Fetcher
) -> None:
    """What comes through TLS is the target's own, whatever it says."""
    safe.on("/odd", [Play(status=407), Play(status=502, headers=[("Proxy-Status", "p; error=x")])])
    statuses = [
        (await fetcher.fetch(Request("GET", f"{safe.url}/odd", ()), through(proxy), LIMITS)).status
        for _ in range(2)
    ]
    assert statuses == [407, 502]


async def test_X1_a_certificate_that_somebody_on_the_way_made(
    upstream: Scripted, proxy: ForwardProxy, fetcher: Fetcher, tmp_path: Path
) -> None:
    """TLS that does not come about through an exit counts against it, towards this target."""
    with Scripted(tls=Authority().serve(tmp_path, "127.0.0.1")) as forged:
        fault = await fault_of(fetcher, f"{forged.url}/x", through(proxy))
    assert told(fault) == ("tls_failed", False, "exit")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_signs_of_life(fetcher: Fetcher, hasty: Fetcher, scheme: str, nobody: str) -> None:
    """A proxy lives that says where it cannot go, or that it does not know us; not one that says nothing."""
    alive = []
    for mood, credentials in (("well", ""), ("refuse", ""), ("well", "demo:pw"), ("hang", ""), ("reset", "")):
        with running(scheme=scheme, credentials=credentials or None) as proxy:
            proxy.way.mood = mood  # type: ignore[assignment]
            exit = through(proxy.url.replace("demo:pw@", ""))
            asking = hasty if mood == "hang" else fetcher
            alive.append(await asking.proxies.is_alive(exit))
    assert alive == [True, True, True, False, False]
    assert not await fetcher.proxies.is_alive(through(f"{scheme}://{nobody}"))
    assert not await fetcher.proxies.is_alive(through(f"{scheme}://no-such-proxy.invalid:1"))


async def test_signs_of_life_are_asked_for_once(proxy: ForwardProxy, fetcher: Fetcher) -> None:
    """Sixty-four timeouts at once are one question."""
    assert all(await asyncio.gather(*[fetcher.proxies.is_alive(through(proxy)) for _ in range(64)]))
    assert len(targets(proxy)) == 1


# --- the guard through proxies


async def test_a_custom_proxy_must_stand_outside(upstream: Scripted, proxy: ForwardProxy) -> None:
    """A user's URL could lead inside: no connection is made to it. An administrator's may stand anywhere."""
    guard = Guard(["a.test"], resolve=look_up)
    fetcher = Fetcher(guard)
    url = f"http://a.test:{upstream.url.rpartition(':')[2]}/x"
    named = proxy.url.replace("127.0.0.1", "p.test")
    for exit in (
        through(proxy, type="custom"),
        through(proxy, trusted=False),
        through(named, type="custom"),
        through(proxy.url.replace("http:", "socks5:"), type="custom"),
    ):
        assert isinstance(await fault_of(fetcher, url, exit), AddressBlocked)
    assert not targets(proxy)
    assert (await fault_of(fetcher, "http://127.0.0.1/", through(proxy))).code == "blocked_address"
    assert not targets(proxy)
    await fetcher.close()


async def test_a_custom_proxys_name_is_pinned(upstream: Scripted, proxy: ForwardProxy) -> None:
    """The system knows no `p.test`: only the pin leads there."""
    fetcher = Fetcher(Guard(["127.0.0.1"], resolve=look_up))
    exit = through(proxy.url.replace("127.0.0.1", "p.test"), type="custom")
    assert await body_of(fetcher, f"{upstream.url}/x", exit) == b"x"
    await fetcher.close()


async def test_names_are_judged_before_a_proxy_gets_them(proxy: ForwardProxy) -> None:
    """Inner names, and those that our own lookup finds inside; what only the proxy knows passes."""
    fetcher = Fetcher(Guard(resolve=look_up))
    for url in ("http://localhost/", "http://a.test/", "http://router/", "http://10.0.0.1/", "http://[::1]/"):
        assert isinstance(await fault_of(fetcher, url, through(proxy)), AddressBlocked), url
    assert not targets(proxy)
    await fetcher.fetch(Request("GET", "http://only-the-proxy-knows.invalid/", ()), through(proxy), LIMITS)
    assert targets(proxy) == [("GET", "http://only-the-proxy-knows.invalid/")]
    await fetcher.close()


async def test_many_exits_keep_few_clients(upstream: Scripted, proxy: ForwardProxy) -> None:
    """A thousand proxies must not cost a thousand clients."""
    fetcher = Fetcher(Guard(["127.0.0.1"]), most_clients=5)
    for number in range(20):
        exit = through(proxy.url.replace("//", f"//user{number}:x@"))
        assert await body_of(fetcher, f"{upstream.url}/x", exit) == b"x"
    assert len(fetcher.clients._clients) == 5
    await fetcher.close()
