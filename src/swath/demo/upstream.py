"""The sample upstream: the pages of `pages` over HTTP on loopback, with a limit, hiccups and a log.

Beside the pages there are, neither logged nor limited,

    GET /_log?since=N    what has been asked: total, and requests after number N
    POST /_control       {"delay", "hiccup_every", "limit", "reset"}, all optional; answers what holds now

It speaks HTTP/1.1 straight on an asyncio protocol: an upstream must cost less than what is measured on it.
"""

import argparse
import asyncio
import time
import zlib
from collections import deque
from typing import Any
from urllib.parse import parse_qsl

import httptools
import msgspec

from swath.demo.background import Background, serve
from swath.demo.pages import Answer, RefusedError, answer_json, page_at

#: How many requests the log remembers; their number is exact for ever.
LOG_LENGTH = 200_000

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 503: "Unavailable"}


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `requests` in any `per_seconds` from one address; a refusal asks for `retry_after` seconds."""

    requests: int = 20
    per_seconds: float = 0.5
    retry_after: float = 1


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the upstream treats its clients."""

    #: Seconds before each answer.
    delay: float = 0.0
    #: The first try of about one page in this many is answered 503; 0: none.
    hiccup_every: int = 7
    limit: Limit | None = Limit()


class Seen(msgspec.Struct, frozen=True):
    """One request as the log keeps it. `client` is the address it came from, `via` the proxy that says so."""

    number: int
    time: float
    method: str
    path: str
    query: str
    status: int
    client: str
    via: str | None


class Upstream:
    """The server: `start` and `stop` it in a thread, or `open` and `close` it on the running loop."""

    def __init__(self, behaviour: Behaviour | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.behaviour = behaviour or Behaviour()
        self.log: deque[Seen] = deque(maxlen=LOG_LENGTH)
        self.total = 0
        self.connections: set[asyncio.BaseTransport] = set()
        self._host, self._port = host, port
        self._stumbled: set[bytes] = set()
        self._recent: dict[str, deque[float]] = {}
        self._server: asyncio.Server | None = None
        self._background = Background(self)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    def start(self) -> str:
        self._background.start()
        return self.url

    def stop(self) -> None:
        self._background.stop()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in list(self.connections):
            transport.abort()  # type: ignore[attr-defined]
        await asyncio.sleep(0)  # the loop tells each connection that it is lost
        if self._server is not None:
            await self._server.wait_closed()

    def seen(self, since: int = 0) -> list[Seen]:
        """The logged requests after number `since`, in order of arrival; safe from any thread."""
        return [entry for entry in self.log.copy() if entry.number > since]

    def reset(self) -> None:
        """Forget every request, so that hiccups happen and limits count anew."""
        self.log.clear()
        self.total = 0
        self._stumbled.clear()
        self._recent.clear()

    def answer(self, method: str, target: bytes, body: bytes, client: str, via: str | None) -> Answer:
        """Judge, answer and log one request at its arrival: the log also holds what nobody waits for."""
        path, _, query = target.decode("latin-1").partition("?")
        if path.startswith("/_"):
            return self._control(method, path, query, body)
        now = time.time()
        answer = self._judge(target, path, query, client, now)
        self.total += 1
        self.log.append(Seen(self.total, now, method, path, query, answer[0], client, via))
        return answer

    def _judge(self, target: bytes, path: str, query: str, client: str, now: float) -> Answer:
        try:
            self._limit(client, now)
            self._stumble(target)
            return page_at(path, dict(parse_qsl(query)))
        except RefusedError as refused:
            return refused.answer

    def _limit(self, client: str, now: float) -> None:
        limit = self.behaviour.limit
        if limit is None:
            return
        recent = self._recent.setdefault(client, deque())
        while recent and recent[0] <= now - limit.per_seconds:
            recent.popleft()
        if len(recent) >= limit.requests:
            raise RefusedError(429, "too many requests", ("Retry-After", f"{limit.retry_after:g}"))
        recent.append(now)

    def _stumble(self, target: bytes) -> None:
        every = self.behaviour.hiccup_every
        if every and zlib.crc32(target) % every == 0 and target not in self._stumbled:
            self._stumbled.add(target)
            raise RefusedError(503, "try again")

    def _control(self, method: str, path: str, query: str, body: bytes) -> Answer:
        try:
            if path == "/_log":
                return self._tell(int(dict(parse_qsl(query)).get("since", 0)))
            if path == "/_control" and method == "POST":
                return self._obey(msgspec.json.decode(body or b"{}"))
        except (ValueError, AttributeError, TypeError) as error:
            return RefusedError(400, str(error)).answer
        return RefusedError(404, "no such page").answer

    def _tell(self, since: int) -> Answer:
        return answer_json({"total": self.total, "requests": self.seen(since)})

    def _obey(self, changes: dict[str, Any]) -> Answer:
        if changes.pop("reset", False):
            self.reset()
        self.behaviour = msgspec.convert({**msgspec.to_builtins(self.behaviour), **changes}, Behaviour)
        return answer_json(self.behaviour)


class _Connection(asyncio.Protocol):
    """One keep-alive connection. Answers leave in the order of the requests, each `delay` after its own."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._target, self._body = b"", b""
        self._via: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._client = transport.get_extra_info("peername")[0]
        self._upstream.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            self._transport.close()
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_message_begin(self) -> None:
        self._target, self._body, self._via = b"", b"", None

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"via":
            self._via = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        answer = self._upstream.answer(method, self._target, self._body, self._client, self._via)
        data, last = _encode(answer, head=method == "HEAD"), not self._parser.should_keep_alive()
        delay = self._upstream.behaviour.delay
        if delay and not self._target.startswith(b"/_"):
            asyncio.get_running_loop().call_later(delay, self._send, data, last)
        else:
            self._send(data, last)

    def _send(self, data: bytes, last: bool) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if last:
            self._transport.close()


def _encode(answer: Answer, *, head: bool) -> bytes:
    status, headers, body = answer
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    start = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{lines}\r\n"
    )
    return start.encode("latin-1") + (b"" if head else body)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Serve the sample social network; prints its URL on one line."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-hiccups", action="store_true")
    parser.add_argument("--no-limit", action="store_true")
    parser.add_argument("--until-stdin-closes", action="store_true")
    given = parser.parse_args()
    behaviour = Behaviour(
        delay=given.delay,
        hiccup_every=0 if given.no_hiccups else Behaviour().hiccup_every,
        limit=None if given.no_limit else Limit(),
    )
    upstream = Upstream(behaviour, host=given.host, port=given.port)
    serve(upstream, lambda: upstream.url, until_stdin_closes=given.until_stdin_closes)


if __name__ == "__main__":
    main()
