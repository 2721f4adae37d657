"""The local proxies carry requests the way a real one does, and can be told to misbehave."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.proxy import ProxyBuilder

from swath.demo.proxies import DEMO, ForwardProxy, Plan, Proxies
from swath.demo.upstream import Behaviour, Upstream

PLANS = {
    "http": Plan(name="h", type="shared", location="nyc"),
    "http with credentials": Plan(name="hc", type="shared", location="nyc", credentials="demo:p:w"),
    "socks": Plan(name="s", type="shared", location="nyc", scheme="socks5"),
    "socks with credentials": Plan(
        name="sc", type="shared", location="nyc", scheme="socks5", credentials="demo:p:w"
    ),
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    running = Upstream(Behaviour(hiccup_every=0, limit=None))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    running = Proxies(tuple(PLANS.values()))
    running.start()
    yield running
    running.stop()


async def fetch(url: str, proxy: str, times: int = 1, **request: Any) -> list[tuple[int, bytes]]:
    """Requests one after the other on one client, as the engine makes them."""
    builder = ClientBuilder().proxy(ProxyBuilder.all(proxy))
    answers = []
    async with builder.build() as client:
        for _ in range(times):
            made = client.request(request.get("method", "GET"), url)
            if "body" in request:
                made = made.body_bytes(request["body"])
            response = await made.build().send()
            answers.append((response.status, bytes(await response.bytes())))
    return answers


@pytest.mark.parametrize("kind", PLANS)
async def test_requests_go_through(upstream: Upstream, proxies: Proxies, kind: str) -> None:
    """Several requests on one connection; the upstream sees the proxy's own address."""
    proxy = proxies[PLANS[kind].name]
    answers = await fetch(f"{upstream.url}/users/5", proxy.url, times=3)
    assert [status for status, _ in answers] == [200] * 3
    assert {entry.client for entry in upstream.seen()} == {proxy.way.address}


async def test_http_proxies_name_themselves_to_the_target(upstream: Upstream, proxies: Proxies) -> None:
    """Each request of a connection carries the `Via` of its proxy."""
    await fetch(f"{upstream.url}/users/5", proxies["h"].url, times=2)
    assert [entry.via for entry in upstream.seen()] == ["1.1 h", "1.1 h"]
    assert [passed.target for passed in proxies["h"].way.passed] == [f"{upstream.url}/users/5"] * 2


async def test_bodies_go_through_whole(upstream: Upstream, proxies: Proxies) -> None:
    """A body longer than one read arrives complete, and the next request after it is understood."""
    control = f"{upstream.url}/_control"
    body = json.dumps({"delay": 0.0}).encode() + b" " * 300_000
    answers = await fetch(control, proxies["h"].url, times=2, method="POST", body=body)
    assert [status for status, _ in answers] == [200, 200]


def test_chunked_bodies_go_through_whole(upstream: Upstream, proxies: Proxies) -> None:
    """A body without a length is forwarded to its last chunk, and the connection serves on."""
    head = f"POST {upstream.url}/_control HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = 'c\r\n{"delay": 0.\r\n2\r\n5}\r\n0\r\n\r\n'
    following = f"GET {upstream.url}/users/6 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(address_of(proxies["h"].url), timeout=60) as connection:
        connection.sendall((head + chunks).encode())
        answer = connection.recv(65536)
        connection.sendall(following.encode())
        answer += b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200") == 2
    assert upstream.behaviour.delay == 0.5


def test_connect_opens_a_tunnel(upstream: Upstream, proxies: Proxies) -> None:
    """After CONNECT bytes pass unchanged, so there is no `Via`, but the address tells."""
    host, port = address_of(upstream.url)
    with socket.create_connection(address_of(proxies["h"].url), timeout=60) as connection:
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /users/9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    (seen,) = upstream.seen()
    assert (seen.via, seen.client) == (None, proxies["h"].way.address)


async def test_wrong_credentials_are_refused(upstream: Upstream, proxies: Proxies) -> None:
    """407 over HTTP, a failed handshake over SOCKS; the upstream sees nothing."""
    wrong = proxies["hc"].url.replace("p:w", "wrong")
    assert await fetch(f"{upstream.url}/users/5", wrong) == [(407, b"")]
    with pytest.raises(PyreqwestError):
        await fetch(f"{upstream.url}/users/5", proxies["sc"].url.replace("p:w", "wrong"))
    assert upstream.total == 0


async def test_an_unreachable_target_is_the_proxys_own_error(proxies: Proxies) -> None:
    """A page of the proxy over HTTP, a refusal over SOCKS."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        ((status, body),) = await fetch(url, proxies["h"].url)
        assert (status, body.startswith(b"<html>")) == (502, True)
        with pytest.raises(PyreqwestError):
            await fetch(url, proxies["s"].url)


async def test_moods_make_a_proxy_faulty(upstream: Upstream, proxies: Proxies) -> None:
    """A proxy in a bad mood refuses or resets, and serves again when it is well."""
    proxy = proxies["h"]
    proxy.way.mood = "refuse"
    assert (await fetch(f"{upstream.url}/users/5", proxy.url))[0][0] == 502
    proxy.way.mood = "reset"
    with pytest.raises(PyreqwestError):
        await fetch(f"{upstream.url}/users/5", proxy.url)
    proxy.way.mood = "well"
    assert (await fetch(f"{upstream.url}/users/5", proxy.url))[0][0] == 200
    assert upstream.total == 1


async def test_a_proxy_can_die_and_come_back(upstream: Upstream) -> None:
    """A stopped proxy refuses connections; started again it serves at the same URL."""
    proxy = ForwardProxy(PLANS["http"])
    url = proxy.start()
    proxy.stop()
    with pytest.raises(PyreqwestError):
        await fetch(f"{upstream.url}/users/5", url)
    assert proxy.start() == url
    assert (await fetch(f"{upstream.url}/users/5", url))[0][0] == 200
    proxy.stop()


def test_stopping_ends_what_hangs(upstream: Upstream, proxies: Proxies) -> None:
    """A proxy stops while a client waits for an answer that never comes."""
    proxies["h"].way.mood = "hang"
    with socket.create_connection(address_of(proxies["h"].url), timeout=60) as connection:
        connection.sendall(b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n")
        proxies.stop()
        with contextlib.suppress(ConnectionResetError):  # where it has not read what was sent
            assert connection.recv(1) == b""


def test_a_reset_is_one(proxies: Proxies) -> None:
    """The client sees a reset, not an orderly end."""
    proxies["h"].way.mood = "reset"
    with socket.create_connection(address_of(proxies["h"].url), timeout=60) as connection:
        connection.sendall(b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_credentials_stay_out_of_repr() -> None:
    assert "p:w" not in repr(PLANS["http with credentials"])
    assert "p:w" not in repr(ForwardProxy(PLANS["http with credentials"]).way)


def test_it_runs_as_a_process_that_says_what_to_register(upstream: Upstream) -> None:
    """One JSON line with shared and dedicated proxies in nyc; a signal ends it cleanly."""
    command = [sys.executable, "-m", "swath.demo.proxies", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert [one["name"] for one in told] == [plan.name for plan in DEMO]
    assert {one["type"] for one in told if one["location"] == "nyc"} == {"shared", "dedicated"}


def address_of(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("/")[2].rpartition("@")[2].rpartition(":")
    return host, int(port)
