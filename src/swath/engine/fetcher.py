"""The only module that talks to the outside: one request through one exit, bounded in size and time.

The client runs an exchange to its end whatever becomes of whoever waits for it. So each exchange is a task
of its own that holds its place among the concurrent ones until it is over; cancelling a `fetch` only stops
the waiting.
"""

import asyncio
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import NamedTuple
from urllib.parse import unquote

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ClientClosedError, PyreqwestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import ResponseBodyReader

from swath import __version__
from swath.engine import redirects
from swath.engine.blame import fault_of
from swath.engine.exits import DIRECT, Exit
from swath.engine.guard import Guard, read_url
from swath.errors import FetchFault
from swath.flow.definition import Limits
from swath.flow.request import Request

#: Clients kept, the least recently used are dropped. One costs about 7 ms and 0.1 MB.
MOST_CLIENTS = 200
#: Pairs of an exit and a host remembered, and for how many seconds the guard is not asked again.
MOST_KNOWN = 10_000
KNOWN_AGE = 5.0
#: Bytes read at a time: most bodies whole, and of large ones a part, with a look at the stop flag between.
CHUNK = 256 * 1024
#: Seconds in which a proxy must show a sign of life.
KNOCK_TIME = 5.0
#: Addresses of one name that one exchange tries to connect to.
MOST_ADDRESSES = 3
#: Of the whole time, what connecting may take at most.
CONNECT_SHARE = 0.8
USER_AGENT = f"swath/{__version__}"

OnHop = Callable[[], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]
#: Status, headers and body.
Taken = tuple[int, Headers, bytes]
#: Names and the one address that each may connect to.
Pins = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `url` is where it came from after `hops` redirects, `elapsed` in seconds."""

    status: int
    headers: Headers
    body: bytes
    url: str
    elapsed: float
    hops: int = 0


class _Route(NamedTuple):
    """What a client is built for: an exit, and the addresses that names are pinned to."""

    proxy: str | None
    pins: Pins
    connect_timeout: float
    read_timeout: float


class _Known(NamedTuple):
    """What was found for an exit and a host, good `until` the guard must judge them again."""

    route: _Route
    until: float


class Fetcher:
    """Makes requests, through one client per exit and pinned host. One for the process.

    `roots` are certificates in PEM to trust beside the usual ones.
    """

    def __init__(self, guard: Guard, *, roots: bytes | None = None) -> None:
        self._guard = guard
        self._roots = roots
        self._clients: OrderedDict[_Route, Client] = OrderedDict()
        self._building: dict[_Route, asyncio.Task[Client]] = {}
        self._known: dict[tuple[object, ...], _Known] = {}
        self._running: set[asyncio.Task[None]] = set()
        #: By proxy URL: until when the answer holds, and the answer.
        self._alive: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    async def fetch(
        self,
        request: Request,
        exit: Exit,
        limits: Limits,
        *,
        allowed_hosts: Sequence[str] = (),
        on_hop: OnHop | None = None,
        slots: asyncio.Semaphore | None = None,
        stopping: asyncio.Event | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status. Raises FetchFault, AddressBlocked.

        `on_hop` is awaited before each redirect is followed: it is an attempt of its own, and what `on_hop`
        raises ends the fetch. A fault's `sent` tells of the last attempt only. `slots` is held until the
        exchange is over, also when the waiting is cancelled; `stopping` is looked at amid large bodies.
        """
        if slots is not None:
            await slots.acquire()
        exchange = _Exchange(self, exit, limits, allowed_hosts, on_hop, stopping)
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._running.add(asyncio.create_task(self._run(exchange, request, outcome, slots)))
        return await outcome

    async def close(self) -> None:
        """End all exchanges that are under way, as faults, and close the clients."""
        clients = list(self._clients.values())
        self._clients.clear()
        self._known.clear()
        for client in clients:
            await client.close()
        await asyncio.gather(*self._running, *self._building.values(), return_exceptions=True)

    async def _run(
        self,
        exchange: "_Exchange",
        request: Request,
        outcome: "asyncio.Future[Answer]",
        slots: asyncio.Semaphore | None,
    ) -> None:
        """Run an exchange to its end; whoever waited may be gone by then."""
        try:
            answer = await exchange.run(request)
            if not outcome.done():
                outcome.set_result(answer)
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
        finally:
            if slots is not None:
                slots.release()
            task = asyncio.current_task()
            assert task is not None
            self._running.discard(task)

    async def client_for(self, exit: Exit, host: str, limits: Limits) -> tuple[Client, str | None]:
        """Return the client for a host through an exit, and the address it connects to, if ours to say."""
        key = (exit.url, exit.exempt, host, limits.connect_timeout, limits.timeout, limits.read_timeout)
        known = self._known.get(key)
        if known is None or known.until <= self._guard.now():
            known = self._known[key] = await self._find(exit, host, limits)
        route = known.route
        address = route.pins[0][1] if route.pins and exit.url is None else None
        return await self._client(route), address

    async def _find(self, exit: Exit, host: str, limits: Limits) -> _Known:
        until = self._guard.now() + KNOWN_AGE
        pins = await self.judge(exit, host)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        connect = min(limits.connect_timeout, limits.timeout * CONNECT_SHARE)
        return _Known(_Route(exit.url, pins, connect, limits.read_timeout), until)

    async def is_alive(self, exit: Exit) -> bool:
        """Ask a proxy itself, as if it were a web server: any sign of life in a few seconds counts.

        The target sees nothing of it. Asked once in a while for all who want to know.
        """
        if exit.url is None:
            return True
        asked = self._alive.get(exit.url)
        if asked is None or asked[0] <= self._guard.now():
            if len(self._alive) >= MOST_KNOWN:
                self._alive.clear()
            asked = (self._guard.now() + KNOWN_AGE, asyncio.create_task(self._knock(exit, exit.url)))
            self._alive[exit.url] = asked
        return await asyncio.shield(asked[1])

    async def _knock(self, exit: Exit, proxy: str) -> bool:
        url = Url(proxy)
        door = Url(f"{'https' if url.scheme == 'https' else 'http'}://{url.authority.rpartition('@')[2]}/")
        try:
            pins = () if exit.exempt else await self._pin(door.host_str or "")
            client = await self._client(_Route(None, pins, KNOCK_TIME, KNOCK_TIME))
            request = client.get(door).headers(_credentials(url)).timeout(timedelta(seconds=KNOCK_TIME))
            async with request.build_streamed():
                return True
        except PyreqwestError as error:
            fault = _fault(error, DIRECT, door)
            return fault.sent and fault.code != "timeout"
        except FetchFault:
            return False

    async def judge(self, exit: Exit, host: str) -> Pins:
        """Ask the guard about all that a request connects to. Returns the pins, raises AddressBlocked."""
        if exit.url is None:
            return await self._pin(host)
        pins = () if exit.exempt else await self._pin(_host_of(exit.url))
        if exit.scheme == "socks5":
            return pins + await self._pin(host)
        await self._guard.judge_name(host)
        return pins

    def avoid(self, host: str, address: str | None) -> bool:
        """Note that an address could not be connected to; tells whether there is another to try."""
        if address is None:
            return False
        self._known.clear()
        return self._guard.avoid(host, address)

    async def _pin(self, host: str) -> Pins:
        address = await self._guard.pin(host)
        return ((host, address),) if address else ()

    async def _client(self, route: _Route) -> Client:
        """Return the client of a route; it is built in a thread, once for all who want the same."""
        client = self._clients.get(route)
        if client is not None:
            self._clients.move_to_end(route)
            return client
        building = self._building.get(route)
        if building is None:
            building = self._building[route] = asyncio.create_task(self._build(route))
            building.add_done_callback(lambda _: self._building.pop(route, None))
        return await asyncio.shield(building)

    async def _build(self, route: _Route) -> Client:
        client = await asyncio.to_thread(_build_client, route, self._roots)
        self._clients[route] = client
        while len(self._clients) > MOST_CLIENTS:
            # Dropped, not closed: what is under way on it ends as it would have.
            self._clients.popitem(last=False)
        return client


class _Exchange:
    """One request through one exit, and the redirects that follow from it."""

    __slots__ = ("_allowed_hosts", "_begun", "_exit", "_fetcher", "_limits", "_on_hop", "_stopping")

    def __init__(
        self,
        fetcher: Fetcher,
        exit: Exit,
        limits: Limits,
        allowed_hosts: Sequence[str],
        on_hop: OnHop | None,
        stopping: asyncio.Event | None,
    ) -> None:
        self._fetcher = fetcher
        self._exit = exit
        self._limits = limits
        self._allowed_hosts = allowed_hosts
        self._on_hop = on_hop
        self._stopping = stopping
        self._begun = time.perf_counter()

    async def run(self, request: Request) -> Answer:
        url = read_url(request.url)
        own = url.host_str or ""
        for hops in range(self._limits.max_redirects + 1):
            status, headers, body = await self._send(request, url)
            location = redirects.location_of(status, headers)
            if location is None:
                return Answer(status, headers, body, str(url), time.perf_counter() - self._begun, hops)
            request = await self._follow(request, status, location, own)
            url = read_url(request.url)
        raise redirects.refused(f"more than {self._limits.max_redirects} in a row")

    async def _follow(self, request: Request, status: int, location: str, own: str) -> Request:
        """Return the request that a redirect leads to, judged anew and counted as an attempt."""
        try:
            to = redirects.resolve(request.url, location)
            # The guard speaks first: a private address is that, whatever else forbids the redirect.
            await self._fetcher.judge(self._exit, to.host_str or "")
            following = redirects.next_request(request, status, to, own, self._allowed_hosts)
        except FetchFault as fault:
            fault.sent = True  # for the last attempt is the one before, and that was answered
            raise
        if self._on_hop is not None:
            await self._on_hop()
        return following

    async def _send(self, request: Request, url: Url) -> Taken:
        host = url.host_str or ""
        tries = 0
        while True:
            client, address = await self._fetcher.client_for(self._exit, host, self._limits)
            try:
                return await self._exchange(_prepare(client, request, url, self._time_left()))
            except PyreqwestError as error:
                fault = _fault(error, self._exit, url)
            tries += 1
            if fault.sent or not self._fetcher.avoid(host, address) or tries == MOST_ADDRESSES:
                await self._settle_blame(fault)
                raise fault

    async def _settle_blame(self, fault: FetchFault) -> None:
        """Where exit and target may both be at fault, it is the exit's if it shows no sign of life."""
        if fault.blame == "unknown":
            fault.blame = "target" if await self._fetcher.is_alive(self._exit) else "exit"

    async def _exchange(self, prepared: StreamRequest) -> Taken:
        async with prepared as response:
            status, headers = response.status, _read_headers(response.headers)
            _check_headers(headers, self._limits.max_header_bytes)
            if self._exit.url is not None:
                _check_proxy(status, headers)
            return status, headers, await self._read(response.body_reader)

    async def _read(self, reader: ResponseBodyReader) -> bytes:
        """Read the body to its end; a read that comes short is the last."""
        most = self._limits.max_response_bytes + 1
        body = await reader.read(min(CHUNK, most))
        if body is None or len(body) < min(CHUNK, most):
            return bytes(body or b"")
        parts, size = [bytes(body)], len(body)
        while size < most:
            if self._stopping is not None and self._stopping.is_set():
                raise FetchFault("stopped", "told to stop amid the body", sent=True, blame="request")
            more = await reader.read(min(CHUNK, most - size))
            if more is None:
                return b"".join(parts)
            parts.append(bytes(more))
            size += len(more)
        raise _too_large("response_too_large", f"the body is longer than {most - 1} bytes")

    def _time_left(self) -> float:
        left = self._limits.timeout - (time.perf_counter() - self._begun)
        if left <= 0:
            raise FetchFault("timeout", "no time left for the redirect", sent=False, blame="target")
        return left


def _build_client(route: _Route, roots: bytes | None) -> Client:
    builder = (
        ClientBuilder()
        .no_proxy()  # what the environment names is not ours to use
        .follow_redirects(False)
        .referer(False)
        .user_agent(USER_AGENT)
        .http1_ignore_invalid_headers_in_responses(True)
        .connect_timeout(timedelta(seconds=route.connect_timeout))
        .read_timeout(timedelta(seconds=route.read_timeout))
    )
    for host, address in route.pins:
        builder = builder.resolve(host, address, 0)  # a port here would replace the scheme's
    if roots is not None:
        builder = builder.add_root_certificate_pem(roots)
    if route.proxy is not None:
        builder = builder.proxy(ProxyBuilder.all(route.proxy))
    return builder.build()


def _prepare(client: Client, request: Request, url: Url, seconds: float) -> StreamRequest:
    try:
        builder = client.request(request.method, url).timeout(timedelta(seconds=seconds))
        if request.headers:
            builder = builder.headers(request.headers)
        if request.body is not None:
            builder = builder.body_bytes(request.body)
        return builder.build_streamed()
    except ValueError:  # its text may repeat a secret
        raise FetchFault(
            "bad_request",
            "the method or a header cannot be sent",
            sent=False,
            blame="request",
            retryable=False,
        ) from None


def _read_headers(headers: HeaderMap) -> Headers:
    try:
        return tuple(headers.items())
    except ValueError:  # one value is not ASCII
        return tuple(dict.fromkeys((name, value) for name in headers for value in _values(headers, name)))


def _values(headers: HeaderMap, name: str) -> list[str]:
    try:
        return headers.getall(name)
    except ValueError:
        return ["\ufffd"]


def _check_headers(headers: Headers, most: int) -> None:
    if sum(map(len, chain.from_iterable(headers))) > most:
        raise _too_large("headers_too_large", f"the headers are longer than {most} bytes")


def _check_proxy(status: int, headers: Headers) -> None:
    """Raise what a proxy says for itself in place of the target's answer."""
    if status == 407:
        raise FetchFault("proxy_auth_required", "the proxy wants other credentials", sent=True, blame="exit")
    if status >= 500 and any(name.startswith("proxy-") or name == "x-squid-error" for name, _ in headers):
        raise FetchFault("proxy_error", f"the proxy answered {status} by itself", sent=True, blame="exit")


def _too_large(code: str, message: str) -> FetchFault:
    return FetchFault(code, message, sent=True, blame="target", retryable=False)


def _fault(error: PyreqwestError, exit: Exit, url: Url) -> FetchFault:
    if isinstance(error, ClientClosedError):
        return FetchFault("stopped", "the process is ending", sent=True, blame="request")
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    return fault_of(causes, exit.scheme, url.scheme == "http")


def _credentials(proxy: Url) -> Headers:
    if not proxy.username:
        return ()
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return (("Proxy-Authorization", f"Basic {b64encode(login.encode()).decode()}"),)


def _host_of(proxy: str) -> str:
    return Url(proxy).host_str or ""
