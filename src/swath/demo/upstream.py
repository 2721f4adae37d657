"""The sample upstream: the social network of `network` over HTTP on loopback, with limits and hiccups.

    GET /users/{id}                                                one user
    GET /users/{id}/posts?cursor=&limit=&min_timestamp=&max_timestamp=   cursor pages: results, next
    GET /users/{id}/followers?page=&per_page=                      numbered pages: followers, total
    GET /search?q=&offset=&limit=                                  offset pages: items, total
    GET /repos?page=&per_page=                                     a bare array and a Link header
    GET /feed?after=                                               items and a relative next_url
    GET /sample/{n}                                                20 rows ready-made, for benchmarks
    GET /_log?since=N   POST /_control                             for tests; neither logged nor limited

It speaks HTTP/1.1 straight on an asyncio protocol: an upstream must cost less than what is measured on it.
"""

import argparse
import asyncio
import time
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httptools
import msgspec

from swath.demo import network
from swath.demo.background import Background, serve

#: How many requests the log remembers; their number is exact for ever.
LOG_LENGTH = 200_000

Answer = tuple[int, tuple[tuple[str, str], ...], bytes]
Query = Mapping[str, str]

_encoder = msgspec.json.Encoder(decimal_format="number")
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


class RefusedError(Exception):
    """A request that gets an error for its answer."""

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.answer: Answer = (status, headers, _encoder.encode({"error": message}))


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
            return _route(path, dict(parse_qsl(query)))
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
        return _json({"total": self.total, "requests": self.seen(since)})

    def _obey(self, changes: dict[str, Any]) -> Answer:
        if changes.pop("reset", False):
            self.reset()
        self.behaviour = msgspec.convert({**msgspec.to_builtins(self.behaviour), **changes}, Behaviour)
        return _json(self.behaviour)


#: A page of sample rows, cut where its number stands.
_SAMPLE = _encoder.encode({"rows": network.sample_rows("@")}).split(b'"@"')


def _route(path: str, query: Query) -> Answer:
    parts = path.strip("/").split("/")
    if parts[0] == "users" and len(parts) in (2, 3):
        return _users(parts, query)
    if parts[0] == "sample" and len(parts) == 2:
        return _sample(parts[1])
    if len(parts) == 1 and parts[0] in _LISTS:
        return _LISTS[parts[0]](query)
    raise RefusedError(404, "no such page")


def _users(parts: list[str], query: Query) -> Answer:
    if not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) <= 18):
        raise RefusedError(404, "no such user")
    user_id = int(parts[1])
    if len(parts) == 2:
        return _json(network.user(user_id))
    if parts[2] in _USER_LISTS:
        return _USER_LISTS[parts[2]](user_id, query)
    raise RefusedError(404, "no such page")


def _sample(number: str) -> Answer:
    if not number.isdigit():
        raise RefusedError(404, "no such page")
    return 200, (), number.encode().join(_SAMPLE)


def _posts(user_id: int, query: Query) -> Answer:
    """A page of the posts that fit; `next` is null on the last."""
    offset, limit = _offset(query.get("cursor", "")), _whole(query, "limit", 10, 1, 100)
    bounds = _moment(query, "min_timestamp"), _moment(query, "max_timestamp")
    if bounds == (None, None):  # the way of every benchmark: only what is served is made
        total = network.posts_count(user_id)
        results = [network.post(user_id, number) for number in range(offset, min(offset + limit, total))]
    else:
        fitting = network.posts(user_id, *bounds)
        total, results = len(fitting), fitting[offset : offset + limit]
    return _json({"results": results, "next": _cursor(offset + limit) if offset + limit < total else None})


def _followers(user_id: int, query: Query) -> Answer:
    page, size = _whole(query, "page", 1, 1), _whole(query, "per_page", 25, 1, 100)
    everyone, start = network.followers(user_id), (page - 1) * size
    return _json({"page": page, "total": len(everyone), "followers": everyone[start : start + size]})


def _search(query: Query) -> Answer:
    offset, limit = _whole(query, "offset", 0, 0), _whole(query, "limit", 20, 1, 50)
    items = [network.found(n) for n in range(offset, min(offset + limit, network.SEARCH_TOTAL))]
    return _json({"total": network.SEARCH_TOTAL, "offset": offset, "items": items})


def _repos(query: Query) -> Answer:
    page, size = _whole(query, "page", 1, 1), _whole(query, "per_page", 30, 1, 100)
    numbers = range((page - 1) * size, min(page * size, network.REPOS_TOTAL))
    last = -(-network.REPOS_TOTAL // size)
    return _json([network.repo(n) for n in numbers], ("Link", _links(page, last, size)))


def _feed(query: Query) -> Answer:
    after, size = _whole(query, "after", 0, 0), 16
    numbers = range(after, min(after + size, network.FEED_TOTAL))
    following = f"/feed?after={after + size}" if after + size < network.FEED_TOTAL else None
    return _json({"items": [network.feed_entry(n) for n in numbers], "next_url": following})


_LISTS: dict[str, Callable[[Query], Answer]] = {"search": _search, "repos": _repos, "feed": _feed}
_USER_LISTS: dict[str, Callable[[int, Query], Answer]] = {"posts": _posts, "followers": _followers}


def _links(page: int, last: int, size: int) -> str:
    pages = {"first": 1, "prev": page - 1 or None, "next": page + 1 if page < last else None, "last": last}
    urls = {rel: urlencode({"page": number, "per_page": size}) for rel, number in pages.items() if number}
    return ", ".join(f'</repos?{query}>; rel="{rel}"' for rel, query in urls.items())


def _cursor(offset: int) -> str:
    """An opaque token; its `=` must be encoded in a query."""
    return urlsafe_b64encode(f"after {offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(urlsafe_b64decode(cursor).removeprefix(b"after "))
    except ValueError:
        raise RefusedError(400, "bad cursor") from None


def _whole(query: Query, name: str, default: int, least: int, most: int = 10**9) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        raise RefusedError(400, f"{name} is not a number") from None
    if number < least:
        raise RefusedError(400, f"{name} is below {least}")
    return min(number, most)


def _moment(query: Query, name: str) -> float | None:
    try:
        return float(query[name]) if name in query else None
    except ValueError:
        raise RefusedError(400, f"{name} is not a time") from None


def _json(value: Any, *headers: tuple[str, str]) -> Answer:
    return 200, headers, _encoder.encode(value)


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
