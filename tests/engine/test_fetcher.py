"""Direct exchanges with the outside: bounded, honest about what was sent, never where they must not go."""

import asyncio
import gzip
import itertools
import resource
import socket
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as change
from tests.engine.clock import Clock
from tests.upstreams.scripted import Play, Scripted
from tests.upstreams.tls import Authority

from swath import __version__
from swath.engine.exits import DIRECT
from swath.engine.fetcher import Answer, Fetcher
from swath.engine.guard import PIN_AGE, Guard
from swath.errors import AddressBlocked, FetchFault
from swath.flow.definition import Limits, Tls
from swath.flow.request import Request

#: Long enough for an answer on any machine; and short, where none will come.
LIMITS = Limits(timeout=180.0, connect_timeout=120.0, read_timeout=120.0)
SHORT = Limits(timeout=1.0, connect_timeout=0.5, read_timeout=0.5)


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(Guard(["127.0.0.0/8"]))
    yield fetcher
    await fetcher.close()


def get(url: str, *headers: tuple[str, str]) -> Request:
    return Request("GET", url, headers)


async def fault_of(fetcher: Fetcher, url: str | Request, limits: Limits = LIMITS, **more: Any) -> FetchFault:
    request = get(url) if isinstance(url, str) else url
    with pytest.raises(FetchFault) as fault:
        await fetcher.fetch(request, DIRECT, limits, **more)
    return fault.value


def told(fault: FetchFault) -> tuple[str, bool, str, bool]:
    return fault.code, fault.sent, fault.blame, fault.retryable


# --- an honest exchange


async def test_an_answer_comes_whole(upstream: Scripted, fetcher: Fetcher) -> None:
    """Status, every header in lower case, the body's bytes, and the address it came from."""
    upstream.on("/x", Play(status=201, body=b"\x00\xff", headers=[("X-A", "1"), ("X-A", "2")]))
    answer = await fetcher.fetch(get(f"{upstream.url}/x?q=1"), DIRECT, LIMITS)
    assert (answer.status, answer.body, answer.hops) == (201, b"\x00\xff", 0)
    assert [pair for pair in answer.headers if pair[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]
    assert answer.url == f"{upstream.url}/x?q=1"
    assert answer.elapsed > 0


async def test_a_request_goes_as_it_is(upstream: Scripted, fetcher: Fetcher) -> None:
    """Method, body and headers, repeated ones too; the fragment stays here."""
    upstream.on("/x", Play())
    headers = (("X-A", "1"), ("X-A", "2"), ("Content-Type", "text/plain"))
    await fetcher.fetch(Request("PUT", f"{upstream.url}/x#y", headers, b"body"), DIRECT, LIMITS)
    (asked,) = upstream.asked
    assert (asked.method, asked.target, asked.body) == ("PUT", "/x", b"body")
    assert [value for name, value in asked.headers if name.lower() == "x-a"] == ["1", "2"]
    assert asked.header("user-agent") == f"Swath/{__version__}"


async def test_a_request_may_bring_its_own_user_agent(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play())
    await fetcher.fetch(get(f"{upstream.url}/x", ("User-Agent", "mine")), DIRECT, LIMITS)
    assert [value for name, value in upstream.asked[0].headers if name.lower() == "user-agent"] == ["mine"]


@pytest.mark.parametrize("status", [204, 304, 404, 407, 500, 503])
async def test_any_status_is_an_answer(upstream: Scripted, fetcher: Fetcher, status: int) -> None:
    """What it means is judged elsewhere; without a proxy a 407 is the target's own."""
    upstream.on("/x", Play(status=status))
    answer = await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)
    assert (answer.status, answer.body) == (status, b"")


async def test_connections_are_used_again(upstream: Scripted, fetcher: Fetcher) -> None:
    """Also after an answer in pieces; one client serves all."""
    upstream.on("/x", [Play(pieces=iter([b"a", b"b"])), Play(body=b"c")])
    bodies = [(await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)).body for _ in range(3)]
    assert bodies == [b"ab", b"c", b"c"]
    assert upstream.asked[-1].connection == 1


async def test_clients_are_built_once(upstream: Scripted, fetcher: Fetcher) -> None:
    """Fifty first requests at once share one client."""
    upstream.on("/x", Play())
    await asyncio.gather(*[fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS) for _ in range(50)])
    assert len(fetcher.clients._clients) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_bodies_are_decompressed(upstream: Scripted, fetcher: Fetcher, encoding: str) -> None:
    text = b"the same again " * 1_000
    packed = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    upstream.on("/x", Play(body=packed, headers=[("Content-Encoding", encoding)]))
    assert (await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)).body == text


async def test_a_header_that_is_not_ascii_does_not_lose_the_answer(
    upstream: Scripted, fetcher: Fetcher
) -> None:
    """Its value cannot be read; all others can, repeated ones too."""
    upstream.on("/x", Play(body=b"x", headers=[("X-A", "1"), ("X-A", "2"), ("X-Name", "caf\xe9")]))
    answer = await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)
    assert answer.body == b"x"
    assert sorted(answer.headers) == [
        ("content-length", "1"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-name", "\ufffd"),
    ]


async def test_a_header_with_a_bad_name_does_not_lose_the_answer(
    upstream: Scripted, fetcher: Fetcher
) -> None:
    upstream.on("/x", Play(body=b"x", headers=[("X A", "1"), ("X-B", "2")]))
    answer = await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)
    assert ("x-b", "2") in answer.headers


async def test_environment_proxies_are_off(
    upstream: Scripted, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that the environment names is not the user's choice; this one is dead."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    upstream.on("/x", Play())
    assert (await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)).status == 200


async def test_tls_is_verified(authority: Authority, tmp_path: Path) -> None:
    """A certificate of an unknown authority is refused before anything is sent; a trusted one is taken."""
    with Scripted(tls=authority.serve(tmp_path, "127.0.0.1")) as upstream:
        upstream.on("/x", Play(body=b"x"))
        guard = Guard(["127.0.0.1"])
        trusting, strict = Fetcher(guard, roots=authority.root), Fetcher(guard)
        assert (await trusting.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)).body == b"x"
        assert told(await fault_of(strict, f"{upstream.url}/x")) == ("tls_failed", False, "target", True)
        assert len(upstream.asked) == 1
        await trusting.close()
        await strict.close()


async def test_an_endpoint_trusts_an_authority_of_its_own(
    authority: Authority, tmp_path: Path, fetcher: Fetcher
) -> None:
    """For its requests only; several certificates may stand in one text."""
    other = Authority()
    own = Tls(ca=(other.root + authority.root).decode())
    with Scripted(tls=authority.serve(tmp_path, "127.0.0.1")) as upstream:
        upstream.on("/x", Play(body=b"x"))
        request = change(get(f"{upstream.url}/x"), tls=own)
        assert (await fetcher.fetch(request, DIRECT, LIMITS)).body == b"x"
        assert (await fault_of(fetcher, f"{upstream.url}/x")).code == "tls_failed"


async def test_an_endpoint_says_who_we_are(authority: Authority, tmp_path: Path, fetcher: Fetcher) -> None:
    """By a certificate, where a server asks for one; no redirect takes it to another origin."""
    trusted = authority.root.decode()
    ours = Tls(ca=trusted, client=authority.identify("swath").decode())
    asking = authority.serve(tmp_path, "127.0.0.1", clients=True)
    with Scripted(tls=asking) as upstream, Scripted(tls=asking) as elsewhere:
        upstream.on("/x", Play(body=b"x"))
        upstream.on("/away", Play(status=302, headers=[("Location", f"{elsewhere.url}/x")]))
        request = change(get(f"{upstream.url}/x"), tls=ours)
        assert (await fetcher.fetch(request, DIRECT, LIMITS)).body == b"x"
        unknown = change(request, tls=Tls(ca=trusted))
        assert (await fault_of(fetcher, unknown)).retryable
        await fault_of(fetcher, change(request, url=f"{upstream.url}/away"))
        assert (len(upstream.asked), len(elsewhere.asked)) == (2, 0)


async def test_a_certificate_that_cannot_be_used_is_a_fault(upstream: Scripted, fetcher: Fetcher) -> None:
    """Nothing is sent, and nothing of it is told."""
    broken = change(get(f"{upstream.url}/x"), tls=Tls(client="open sesame"))
    fault = await fault_of(fetcher, broken)
    assert told(fault) == ("bad_certificate", False, "request", False)
    assert "sesame" not in str(fault)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


# --- R4: what the upstream does wrong


async def test_R4_nobody_listens(fetcher: Fetcher) -> None:
    """Nothing was sent, so it is no attempt."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert told(await fault_of(fetcher, url)) == ("connect_failed", False, "target", True)


async def test_R4_connection_reset(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play(reset=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("connection_lost", True, "target", True)


async def test_R4_connection_reset_amid_the_body(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play(body=b"x" * 100, length=200, reset=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("connection_lost", True, "target", True)


async def test_R4_no_answer_at_all(upstream: Scripted, fetcher: Fetcher) -> None:
    """A hang before the headers is told from a dead target: the request was sent."""
    upstream.on("/x", Play(silent=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x", SHORT)) == ("timeout", True, "target", True)


async def test_R4_slow_loris_body(upstream: Scripted, fetcher: Fetcher) -> None:
    """A byte now and then keeps no exchange alive beyond its time."""
    upstream.on("/x", Play(pieces=itertools.repeat(b"x"), pause=0.05, length=10_000))
    limits = replace(SHORT, read_timeout=10.0)
    assert told(await fault_of(fetcher, f"{upstream.url}/x", limits)) == ("timeout", True, "target", True)


async def test_R4_a_body_that_stalls(upstream: Scripted, fetcher: Fetcher) -> None:
    """Silence amid a body ends it long before the whole time is up."""
    upstream.on("/x", Play(pieces=iter([b"x", b"y"]), pause=600.0, length=2))
    limits = Limits(timeout=600.0, read_timeout=0.5)
    assert told(await fault_of(fetcher, f"{upstream.url}/x", limits)) == ("timeout", True, "target", True)


@pytest.mark.parametrize("cut", [10, 40])
async def test_R4_truncated_gzip(upstream: Scripted, fetcher: Fetcher, cut: int) -> None:
    """Half a body is none, also where its length is right."""
    packed = gzip.compress(bytes(range(256)) * 10)[:-cut]
    upstream.on("/x", Play(body=packed, headers=[("Content-Encoding", "gzip")]))
    fault = await fault_of(fetcher, f"{upstream.url}/x")
    assert told(fault) == ("bad_encoding", True, "target", True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_R4_what_does_not_decompress(upstream: Scripted, fetcher: Fetcher, encoding: str) -> None:
    upstream.on("/x", Play(body=b"\xffhello" * 9, headers=[("Content-Encoding", encoding)]))
    fault = await fault_of(fetcher, f"{upstream.url}/x")
    assert told(fault) == ("bad_encoding", True, "target", True)


async def test_R4_a_content_length_that_is_too_long(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play(body=b"half", length=8, close=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("body_incomplete", True, "target", True)


async def test_R4_chunks_that_end_early(upstream: Scripted, fetcher: Fetcher) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    upstream.on("/x", Play(raw=raw, close=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("body_incomplete", True, "target", True)


async def test_R4_an_endless_body(upstream: Scripted, fetcher: Fetcher) -> None:
    """It ends at the limit, and not retried: the next would be as long."""
    upstream.on("/x", Play(pieces=itertools.repeat(b"x" * 65536)))
    fault = await fault_of(fetcher, f"{upstream.url}/x", replace(LIMITS, max_response_bytes=1_000_000))
    assert told(fault) == ("response_too_large", True, "target", False)


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 1_000_000])
async def test_D6_the_limit_is_exact(upstream: Scripted, fetcher: Fetcher, size: int) -> None:
    """A body of the limit's length is whole; one byte more is too many."""
    upstream.on("/x", Play(body=b"x" * size))
    exact, less = replace(LIMITS, max_response_bytes=size), replace(LIMITS, max_response_bytes=size - 1)
    assert len((await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, exact)).body) == size
    if size:
        fault = await fault_of(fetcher, f"{upstream.url}/x", less)
        assert fault.code == "response_too_large"


async def test_R4_a_decompression_bomb_costs_no_memory(upstream: Scripted, fetcher: Fetcher) -> None:
    """Half a megabyte that would become 500 MB is given up at the limit."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(500)) + packer.flush()
    upstream.on("/x", Play(body=bomb, headers=[("Content-Encoding", "gzip")]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fault = await fault_of(fetcher, f"{upstream.url}/x", replace(LIMITS, max_response_bytes=2_000_000))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert fault.code == "response_too_large"
    assert grown < 60_000  # KB


async def test_R4_what_is_not_http(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play(raw=b"SSH-2.0-OpenSSH\r\n\r\n", close=True))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("bad_response", True, "target", True)


async def test_more_headers_than_the_client_takes(upstream: Scripted, fetcher: Fetcher) -> None:
    """A hundred are what it takes; a failed item, said so, and not tried again."""
    headers = [(f"X-{n}", "x") for n in range(120)]
    upstream.on("/x", Play(headers=headers))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("headers_too_large", True, "target", False)


async def test_longer_headers_than_allowed(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/x", Play(headers=[("X-A", "x" * 70_000)]))
    assert told(await fault_of(fetcher, f"{upstream.url}/x")) == ("headers_too_large", True, "target", False)
    wide = replace(LIMITS, max_header_bytes=100_000)
    assert (await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, wide)).status == 200


@pytest.mark.parametrize(
    "request_", [("GE T", ()), ("GET", (("X-A", "secret\r\nX-B: 1"),)), ("GET", (("X A", "secret"),))]
)
async def test_what_cannot_be_sent_is_not(
    upstream: Scripted, fetcher: Fetcher, request_: tuple[str, tuple[tuple[str, str], ...]]
) -> None:
    """Nothing is smuggled, and the fault does not repeat what may be a secret."""
    method, headers = request_
    fault = await fault_of(fetcher, Request(method, f"{upstream.url}/x", headers))
    assert told(fault) == ("bad_request", False, "request", False)
    assert "secret" not in str(fault)
    assert not upstream.asked


async def test_faults_do_not_repeat_the_url(upstream: Scripted, fetcher: Fetcher) -> None:
    """A token in the query must not get into a log by way of an error."""
    upstream.on("/x", Play(reset=True))
    for url in (f"{upstream.url}/x?token=secret", "http://127.0.0.1:1/?token=secret", "ftp://secret/"):
        assert "secret" not in str(await fault_of(fetcher, url))


# --- settled point 1: who stops waiting, and what goes on


async def test_a_cancelled_fetch_holds_its_slot_until_the_exchange_is_over(
    upstream: Scripted, fetcher: Fetcher
) -> None:
    """The upstream is still busy with it: another request would be one more than allowed."""
    gate: Future[None] = Future()
    upstream.on("/slow", Play(until=gate))
    upstream.on("/x", Play())
    over = asyncio.Event()
    waiting = asyncio.create_task(fetcher.fetch(get(f"{upstream.url}/slow"), DIRECT, LIMITS, on_end=over.set))
    await asyncio.to_thread(upstream.wait, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not over.is_set()
    gate.set_result(None)
    await over.wait()
    assert (await fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS)).status == 200
    assert upstream.most_answering == 1


async def test_what_is_counted_is_sent(upstream: Scripted, fetcher: Fetcher) -> None:
    """A fetch that is cancelled as soon as it has begun is sent all the same, and comes to its end."""
    upstream.on("/x", Play())
    over = asyncio.Event()
    waiting = asyncio.create_task(fetcher.fetch(get(f"{upstream.url}/x"), DIRECT, LIMITS, on_end=over.set))
    await asyncio.sleep(0)
    waiting.cancel()
    await over.wait()
    assert len(upstream.asked) == 1
    assert not fetcher._running


async def test_the_end_is_told_after_faults(upstream: Scripted, fetcher: Fetcher) -> None:
    """Once for each exchange, whatever ended it."""
    upstream.on("/x", Play(reset=True))
    ended: list[int] = []
    for _ in range(3):
        await fault_of(fetcher, f"{upstream.url}/x", on_end=lambda: ended.append(1))
    await fault_of(fetcher, "http://10.0.0.1/", on_end=lambda: ended.append(1))
    assert len(ended) == 4


async def test_told_to_stop_amid_a_large_body(upstream: Scripted, fetcher: Fetcher) -> None:
    """The flag is looked at between reads; the connection is closed, and the upstream told so."""
    stopping = asyncio.Event()

    def pieces() -> Iterator[bytes]:
        for number in itertools.count():
            if number == 20:
                loop.call_soon_threadsafe(stopping.set)
            yield b"x" * 65536

    loop = asyncio.get_running_loop()
    upstream.on("/x", Play(pieces=pieces()))
    fault = await fault_of(fetcher, f"{upstream.url}/x", LIMITS, stopping=stopping)
    assert told(fault) == ("stopped", True, "request", True)


async def test_told_to_stop_before_a_redirect(upstream: Scripted, fetcher: Fetcher) -> None:
    """The answer that led there is not the one that was asked for; the redirect is not sent."""
    upstream.on("/a", to("/b"))
    stopping = asyncio.Event()
    stopping.set()
    fault = await fault_of(fetcher, f"{upstream.url}/a", stopping=stopping)
    assert told(fault) == ("stopped", True, "request", True)
    assert len(upstream.asked) == 1


async def test_closing_ends_what_is_under_way(upstream: Scripted, fetcher: Fetcher) -> None:
    """No request outlives the fetcher; its fault says why."""
    upstream.on("/x", Play(silent=True))
    waiting = asyncio.create_task(fault_of(fetcher, f"{upstream.url}/x", LIMITS))
    await asyncio.to_thread(upstream.wait, 1)
    await fetcher.close()
    assert (await waiting).code == "stopped"
    assert not fetcher._running


# --- P10 and the guard: redirects


def to(location: str, status: int = 302) -> Play:
    return Play(status=status, headers=[("Location", location)])


async def test_redirects_are_followed_and_counted(upstream: Scripted, fetcher: Fetcher) -> None:
    """Relative ones too; each is an attempt that is asked for before it is sent."""
    upstream.on("/a", to("b?x=1"))
    upstream.on("/b", to(f"{upstream.url}/c", 308))
    upstream.on("/c", Play(body=b"there"))
    counted = []

    async def count(request: Request) -> None:
        counted.append((request.url.removeprefix(upstream.url), len(upstream.asked)))

    answer = await fetcher.fetch(get(f"{upstream.url}/a"), DIRECT, LIMITS, on_redirect=count)
    assert (answer.body, answer.hops, answer.url) == (b"there", 2, f"{upstream.url}/c")
    assert [asked.target for asked in upstream.asked] == ["/a", "/b?x=1", "/c"]
    assert counted == [("/b?x=1", 1), ("/c", 2)]


class Spent(Exception):
    """No attempts are left."""


@pytest.mark.parametrize("granted", [0, 1, 2])
async def test_an_attempt_that_is_not_granted_is_not_sent(
    upstream: Scripted, fetcher: Fetcher, granted: int
) -> None:
    """When the budget is spent, what counts it raises; that reaches whoever asked, and is an end."""
    upstream.on("/a", to("/a"))
    left = iter(range(granted))
    over = asyncio.Event()

    async def count(_request: Request) -> None:
        if next(left, None) is None:
            raise Spent

    with pytest.raises(Spent):
        await fetcher.fetch(get(f"{upstream.url}/a"), DIRECT, LIMITS, on_redirect=count, on_end=over.set)
    assert len(upstream.asked) == 1 + granted
    assert over.is_set()


async def test_redirects_are_bounded(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/a", to("/a"))
    counted = []

    async def count(request: Request) -> None:
        counted.append(request)

    fault = await fault_of(fetcher, f"{upstream.url}/a", replace(LIMITS, max_redirects=3), on_redirect=count)
    assert told(fault) == ("redirect_refused", True, "target", False)
    assert (len(upstream.asked), len(counted)) == (4, 3)


async def test_a_redirect_without_a_place_is_an_answer(upstream: Scripted, fetcher: Fetcher) -> None:
    upstream.on("/a", Play(status=302, body=b"x"))
    upstream.on("/b", Play(status=300, headers=[("Location", "/c")]))
    for path, status in (("/a", 302), ("/b", 300)):
        assert (await fetcher.fetch(get(upstream.url + path), DIRECT, LIMITS)).status == status


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("PUT", 303, "GET"),
        ("PUT", 302, "PUT"),
        ("HEAD", 303, "HEAD"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
    ],
)
async def test_the_method_changes_as_in_browsers(
    upstream: Scripted, fetcher: Fetcher, method: str, status: int, then: str
) -> None:
    """Where it becomes GET, the body and the headers about it stay behind."""
    upstream.on("/a", to("/b", status))
    upstream.on("/b", Play())
    body = None if method == "HEAD" else b"{}"
    headers = (("Content-Type", "application/json"), ("X-A", "1"))
    await fetcher.fetch(Request(method, f"{upstream.url}/a", headers, body), DIRECT, LIMITS)
    after = upstream.asked[1]
    kept = then == method
    assert (after.method, after.body) == (then, (body or b"") if kept else b"")
    assert after.header("content-type") == ("application/json" if kept else None)
    assert after.header("x-a") == "1"


SECRETS = {
    "Authorization": "Bearer s",
    "Cookie": "a=s",
    "Proxy-Authorization": "s",
    "X-Api-Key": "s",
    "Token": "s",
}


async def test_secrets_do_not_cross_origins(upstream: Scripted, fetcher: Fetcher) -> None:
    """Another port is another origin, though the host is the same; other headers go along."""
    headers = (*SECRETS.items(), ("Accept", "text/x"), ("Host", "own.test"))
    with Scripted() as other:
        upstream.on("/a", to("/b"))
        upstream.on("/b", to(f"{other.url}/c"))
        other.on("/c", Play())
        await fetcher.fetch(get(f"{upstream.url}/a", *headers), DIRECT, LIMITS)
        assert {name: upstream.asked[1].header(name) for name in SECRETS} == SECRETS
        (crossed,) = other.asked
        assert not any(crossed.header(name) for name in SECRETS)
        assert crossed.header("accept") == "text/x"
        assert crossed.header("host") == other.url.removeprefix("http://")


async def test_P10_only_allowed_hosts_are_followed(upstream: Scripted, fetcher: Fetcher) -> None:
    """By default the endpoint's own; the workflow may name others."""
    with Scripted(host="127.0.0.2") as other:
        upstream.on("/a", to(f"{other.url}/b"))
        other.on("/b", Play(body=b"there"))
        fault = await fault_of(fetcher, f"{upstream.url}/a")
        assert told(fault) == ("redirect_refused", True, "target", False)
        assert not other.asked
        answer = await fetcher.fetch(get(f"{upstream.url}/a"), DIRECT, LIMITS, allowed_hosts=["127.0.0.2"])
        assert answer.body == b"there"


@pytest.mark.parametrize(
    "location",
    ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "//[::1]/", "http://0xA000001/"],
)
async def test_P10_a_redirect_to_a_private_address_is_blocked(
    upstream: Scripted, fetcher: Fetcher, location: str
) -> None:
    """Whether its host is allowed or not. What was sent before it counts; the hop does not."""
    upstream.on("/a", to(location))
    counted = []

    async def count(request: Request) -> None:
        counted.append(request)

    for allowed in ([], ["*"]):
        fault = await fault_of(fetcher, f"{upstream.url}/a", allowed_hosts=allowed, on_redirect=count)
        assert isinstance(fault, AddressBlocked)
        assert fault.sent
    assert not counted
    assert len(upstream.asked) == 2


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "javascript:x"])
async def test_P10_a_redirect_to_what_is_no_web_address(
    upstream: Scripted, fetcher: Fetcher, location: str
) -> None:
    upstream.on("/a", to(location))
    fault = await fault_of(fetcher, f"{upstream.url}/a", allowed_hosts=["*"])
    assert told(fault) == ("redirect_refused", True, "target", False)


async def test_P10_https_is_never_left(upstream: Scripted, authority: Authority, tmp_path: Path) -> None:
    """A downgrade would show the request to everybody on the way."""
    upstream.on("/b", Play())
    with Scripted(tls=authority.serve(tmp_path, "127.0.0.1")) as safe:
        safe.on("/a", to(f"{upstream.url}/b"))
        upstream.on("/up", to(f"{safe.url}/there"))
        safe.on("/there", Play(body=b"there"))
        fetcher = Fetcher(Guard(["127.0.0.1"]), roots=authority.root)
        fault = await fault_of(fetcher, f"{safe.url}/a", allowed_hosts=["*"])
        assert told(fault) == ("redirect_refused", True, "target", False)
        assert not upstream.asked
        assert (await fetcher.fetch(get(f"{upstream.url}/up"), DIRECT, LIMITS)).body == b"there"
        await fetcher.close()


async def test_all_hops_share_one_time(upstream: Scripted, fetcher: Fetcher) -> None:
    """A chain of slow redirects takes no longer than one request may."""
    upstream.on("/a", to("/a"))
    slow = replace(SHORT, max_redirects=10_000_000)
    assert (await fault_of(fetcher, f"{upstream.url}/a", slow)).code == "timeout"


# --- the guard, on what is really connected to


class Names:
    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}

    async def __call__(self, host: str) -> list[str]:
        return self.answers[host]


async def test_a_private_address_is_never_connected_to(upstream: Scripted) -> None:
    """As an address, as a name, and in a spelling that other parsers read otherwise."""
    fetcher = Fetcher(Guard(resolve=Names(a_test=["127.0.0.1"])))
    port = upstream.url.rpartition(":")[2]
    for host in ("127.0.0.1", "a.test", "a.test.", "[::ffff:127.0.0.1]", "127.1", "x@127.0.0.1", "0"):
        fault = await fault_of(fetcher, f"http://{host}:{port}/x")
        assert isinstance(fault, AddressBlocked), host
        assert told(fault) == ("blocked_address", False, "request", False)
    await fetcher.close()
    assert not upstream.asked


async def test_dns_rebinding_reaches_only_what_was_judged(upstream: Scripted) -> None:
    """The connection goes to the address that the guard saw, whatever the name server says since."""
    clock, names = Clock(), Names(a_test=["127.0.0.1"])
    fetcher = Fetcher(Guard(["127.0.0.1", "127.0.0.2"], resolve=names, clock=clock.now))
    port = int(upstream.url.rpartition(":")[2])
    url = f"http://a.test.:{port}/x"
    with Scripted(host="127.0.0.2", port=port) as other:
        for server in (upstream, other):
            server.on("/x", Play(close=True))
        await fetcher.fetch(get(url), DIRECT, LIMITS)
        names.answers["a.test"] = ["127.0.0.2"]
        await fetcher.fetch(get(url), DIRECT, LIMITS)
        assert (len(upstream.asked), len(other.asked)) == (2, 0)
        assert upstream.asked[0].header("host") == f"a.test:{port}"
        clock.time += PIN_AGE
        await fetcher.fetch(get(url), DIRECT, LIMITS)
        assert (len(upstream.asked), len(other.asked)) == (2, 1)
        names.answers["a.test"] = ["127.0.0.3"]
        clock.time += PIN_AGE
        assert isinstance(await fault_of(fetcher, url), AddressBlocked)
    await fetcher.close()


async def test_a_dead_address_gives_way_to_the_next_in_the_same_exchange(upstream: Scripted) -> None:
    """Nothing was sent to the first, so it is still the same attempt; the next one starts where it ended."""
    names = Names(a_test=["127.0.0.9", "127.0.0.8", "127.0.0.1"])
    fetcher = Fetcher(Guard(["127.0.0.0/8"], resolve=names))
    upstream.on("/x", Play())
    url = f"http://a.test:{upstream.url.rpartition(':')[2]}/x"
    answers: list[Answer] = [await fetcher.fetch(get(url), DIRECT, LIMITS) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    names.answers["b.test"] = [f"127.0.0.{n}" for n in range(2, 9)]
    assert (await fault_of(fetcher, url.replace("a.test", "b.test"))).code == "connect_failed"
    await fetcher.close()


async def test_many_hosts_keep_few_clients(upstream: Scripted) -> None:
    """Each pinned host has a client of its own; the least recently used go, but what they do ends well."""
    gate: Future[None] = Future()
    names = Names(**{f"h{n}_test": ["127.0.0.1"] for n in range(8)})
    fetcher = Fetcher(Guard(["127.0.0.1"], resolve=names), most_clients=3)
    port = upstream.url.rpartition(":")[2]
    upstream.on("/slow", Play(until=gate, body=b"late"))
    upstream.on("/x", Play())
    waiting = asyncio.create_task(fetcher.fetch(get(f"http://h0.test:{port}/slow"), DIRECT, LIMITS))
    await asyncio.to_thread(upstream.wait, 1)
    for number in range(1, 8):
        await fetcher.fetch(get(f"http://h{number}.test:{port}/x"), DIRECT, LIMITS)
    assert len(fetcher.clients._clients) == 3
    gate.set_result(None)
    assert (await waiting).body == b"late"
    await fetcher.close()
