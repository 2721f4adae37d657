"""The scripted upstream does what it is told: the tests that build on it may believe what they see."""

import asyncio
import http.client
import itertools
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest
from tests.upstreams.scripted import Asked, Play, Scripted


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


def connect(upstream: Scripted) -> http.client.HTTPConnection:
    host, _, port = upstream.url.removeprefix("http://").partition(":")
    return http.client.HTTPConnection(host, int(port), timeout=60)


def raw(upstream: Scripted, path: str) -> bytes:
    """Everything that comes until the connection ends."""
    host, _, port = upstream.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_scripts_are_played_in_turn_and_the_last_stays(upstream: Scripted) -> None:
    upstream.on("/turns", [Play(status=503), Play.json({"n": 1}), Play.json({"n": 2})])
    with closing(connect(upstream)) as client:
        answers = []
        for _ in range(4):
            client.request("GET", "/turns")
            answer = client.getresponse()
            answers.append((answer.status, answer.read()))
    assert answers == [(503, b""), (200, b'{"n": 1}'), (200, b'{"n": 2}'), (200, b'{"n": 2}')]
    assert {asked.connection for asked in upstream.asked} == {1}


def test_handlers_see_the_request(upstream: Scripted) -> None:
    """Method, query, headers and body, whether framed by length or by chunks."""
    upstream.on("/echo", lambda asked: Play(body=asked.body, headers=[("X-Page", asked.query["page"])]))
    with closing(connect(upstream)) as client:
        client.request("POST", "/echo?page=a%20b", body=b"whole", headers={"X-Twice": "1"})
        first = client.getresponse()
        assert (first.read(), first.headers["X-Page"]) == (b"whole", "a b")
        client.request("PUT", "/echo?page=", body=iter([b"in ", b"pieces"]), encode_chunked=True)
        assert client.getresponse().read() == b"in pieces"
    assert [asked.method for asked in upstream.asked] == ["POST", "PUT"]
    assert upstream.asked[0].header("x-twice") == "1"
    assert upstream.asked[0].time <= upstream.asked[1].time


def test_the_longest_pattern_that_fits_is_played(upstream: Scripted) -> None:
    upstream.on("*", Play(body=b"any", close=True))
    upstream.on("/users/*", Play(body=b"user", close=True))
    upstream.on("/users/1", Play(body=b"one", close=True))
    assert [raw(upstream, path)[-4:] for path in ("/x", "/users/2", "/users/1")] == [
        b"\nany",
        b"user",
        b"\none",
    ]


def test_faults_on_the_wire(upstream: Scripted) -> None:
    """Raw bytes, a cut answer, a wrong length, a missing length."""
    upstream.on("/raw", Play(raw=b"not even http", close=True))
    upstream.on("/cut", Play(body=b"0123456789", truncate=48))
    upstream.on("/long", Play(body=b"abc", length=100, close=True))
    upstream.on("/none", Play(body=b"abc", length=-1, close=True))
    assert raw(upstream, "/raw") == b"not even http"
    assert raw(upstream, "/cut") == b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012345678"
    assert b"Content-Length: 100\r\n" in raw(upstream, "/long")
    assert b"Content-Length" not in raw(upstream, "/none")


@pytest.mark.parametrize("play", [Play(reset=True), Play(body=b"abc", length=9, reset=True)])
def test_a_reset_is_one(upstream: Scripted, play: Play) -> None:
    upstream.on("/reset", play)
    with pytest.raises(ConnectionResetError):
        raw(upstream, "/reset")


def test_bodies_in_pieces(upstream: Scripted) -> None:
    """Chunked without a length, bare with one."""
    upstream.on("/chunks", lambda _: Play(pieces=iter([b"ab", b"c"]), close=True))
    upstream.on("/bare", lambda _: Play(pieces=iter([b"ab", b"c"]), length=3, close=True))
    assert raw(upstream, "/chunks").endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert raw(upstream, "/bare").endswith(b"Content-Length: 3\r\nConnection: close\r\n\r\nabc")


def test_endless_and_silent_answers_end_with_the_server() -> None:
    """Stopping does not wait for what never ends."""
    with Scripted() as upstream:
        upstream.on("/endless", Play(pieces=itertools.repeat(b"x" * 1000)))
        upstream.on("/silent", Play(silent=True))
        with closing(connect(upstream)) as reading, closing(connect(upstream)) as waiting:
            reading.request("GET", "/endless")
            assert reading.getresponse().read(5000) == b"x" * 5000
            waiting.request("GET", "/silent")
            upstream.wait(2)


async def test_an_answer_waits_for_its_gate(upstream: Scripted) -> None:
    """A test holds answers back until all have been asked for, without any clock."""
    gate: Future[None] = Future()
    upstream.on("/held", Play(body=b"now", until=gate, close=True))
    with ThreadPoolExecutor() as threads:
        asking = [threads.submit(raw, upstream, "/held") for _ in range(3)]
        await asyncio.to_thread(upstream.wait, 3, "/held")
        assert not any(one.done() for one in asking)
        gate.set_result(None)
        assert all(one.result().endswith(b"now") for one in asking)
    assert upstream.most_answering == 3


def test_handlers_may_wait(upstream: Scripted) -> None:
    async def play(asked: Asked) -> Play:
        await asyncio.sleep(0)
        return Play(body=asked.path.encode(), close=True)

    upstream.on("/later", play)
    assert raw(upstream, "/later").endswith(b"/later")


def test_what_has_no_script_fails_the_test() -> None:
    """A request that nobody expected is not answered 404 in silence."""
    upstream = Scripted().start()
    assert raw(upstream, "/nowhere").startswith(b"HTTP/1.1 500 ")
    with pytest.raises(LookupError, match="/nowhere"):
        upstream.stop()


def test_waiting_in_vain_says_what_came(upstream: Scripted) -> None:
    with pytest.raises(AssertionError, match="0 requests came, not 1"):
        upstream.wait(1, patience=0.01)
