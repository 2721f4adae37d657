"""The only module that talks to the outside: one request through one exit, bounded in size and time.

The client runs an exchange to its end whatever becomes of whoever waits for it. So each exchange is a task
of its own that holds its place among the concurrent ones until it is over; cancelling a `fetch` only stops
the waiting.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any, Protocol

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, ClientClosedError, PyreqwestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import ResponseBodyReader

from swath import __version__
from swath.engine import redirects
from swath.engine.blame import Trace, fault_of, proxy_fault, trace_of
from swath.engine.clients import KNOWN_AGE, MOST_CLIENTS, MOST_KNOWN, Clients, Route
from swath.engine.exits import Exit
from swath.engine.guard import Guard, read_url
from swath.errors import FetchFault
from swath.flow.definition import Limits, Tls
from swath.flow.request import Request

#: One certificate in PEM.
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
#: Bytes read at a time: most bodies whole, and of large ones a part, with a look at the stop flag between.
CHUNK = 256 * 1024
#: Seconds in which a proxy answers what it can answer by itself, if it lives.
KNOCK_TIME = 5.0
#: Seconds for which a proxy's own words are remembered.
WORDS_AGE = 60.0
#: An address of every machine's own, and a port where none listens.
NOWHERE = Url("http://0.0.0.0:1/")
#: What a proxy says that was asked to go nowhere.
EXPECTED = frozenset({"proxy_refused", "bad_response", "headers_too_large"})
#: Faults that only a proxy which lives can cause.
SIGNS_OF_LIFE = EXPECTED | {"proxy_auth_required"}
#: Addresses of one name that one exchange tries to connect to.
MOST_ADDRESSES = 3

USER_AGENT = f"Swath/{__version__}"

OnAttempt = Callable[[Request], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]
#: Status, headers and body.
Taken = tuple[int, Headers, bytes]


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. `url` is where it came from after `hops` redirects, `elapsed` in seconds."""

    status: int
    headers: Headers
    body: bytes
    url: str
    elapsed: float
    hops: int = 0

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name == "content-type"), "")


class Slots(Protocol):
    """What bounds the concurrent exchanges: a semaphore, or something that knows more of whom it lets in."""

    async def acquire(self) -> Any: ...

    def release(self) -> None: ...


class Fetcher:
    """Makes requests, through one client per exit and pinned host. One for the process.

    `roots` are certificates in PEM to trust beside the usual ones; of clients it keeps `most_clients`; and
    `knock_time` are the seconds in which a proxy must show a sign of life.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        roots: bytes | None = None,
        most_clients: int = MOST_CLIENTS,
        knock_time: float = KNOCK_TIME,
    ) -> None:
        self.clients = Clients(guard, partial(_build, roots), most_clients)
        self._knock_time = knock_time
        self._now = guard.now
        #: The exchanges that are going on, by what becomes of each.
        self._running: dict[asyncio.Future[Answer], asyncio.Task[None]] = {}
        #: By proxy URL: until when the answer holds, and the answer.
        self._words: dict[Exit, tuple[float, asyncio.Task[Trace | None]]] = {}
        self._alive: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    @property
    def under_way(self) -> int:
        """How many exchanges are going on."""
        return len(self._running)

    async def fetch(
        self,
        request: Request,
        exit: Exit,
        limits: Limits,
        *,
        allowed_hosts: Sequence[str] = (),
        on_attempt: OnAttempt | None = None,
        slots: Slots | None = None,
        stopping: asyncio.Event | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status. Raises FetchFault, AddressBlocked.

        `slots` is held until the exchange is over, also when the waiting is cancelled. While it is held,
        `on_attempt` is awaited before the request leaves, and before each redirect that is followed: it is
        an attempt of its own. What `on_attempt` raises ends the fetch. A fault's `sent` tells of the last
        attempt only. `stopping` is looked at amid large bodies and before redirects.
        """
        if slots is not None:
            await slots.acquire()
        try:
            if on_attempt is not None:
                await on_attempt(request)
        except BaseException:
            if slots is not None:
                slots.release()
            raise
        # From here on nothing is awaited before the exchange runs on its own: what was counted is sent.
        exchange = _Exchange(self, exit, limits, allowed_hosts, on_attempt, stopping)
        outcome: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._running[outcome] = asyncio.create_task(self._run(exchange, request, outcome, slots))
        return await outcome

    async def warm(self, request: Request, exit: Exit, limits: Limits) -> None:
        """Make ready what a request needs, so that it leaves at once when its turn comes."""
        with contextlib.suppress(FetchFault):  # the request itself will tell
            host = read_url(request.url).host_str or ""
            await self.clients.find(exit, host, limits, request.tls)

    async def close(self) -> None:
        """End all exchanges that are under way, as faults, and close the clients."""
        await self.clients.close()
        asked = [task for _, task in (*self._alive.values(), *self._words.values())]
        await asyncio.gather(*self._running.values(), *asked, return_exceptions=True)

    async def _run(
        self,
        exchange: "_Exchange",
        request: Request,
        outcome: "asyncio.Future[Answer]",
        slots: Slots | None,
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
            del self._running[outcome]

    async def is_alive(self, exit: Exit) -> bool:
        """Tell whether a proxy answers what it can answer by itself; the target sees nothing of it.

        Asked once in a while for all who want to know.
        """
        if exit.url is None:
            return True
        asked = self._alive.get(exit.url)
        if asked is None or asked[0] <= self._now():
            if len(self._alive) >= MOST_KNOWN:
                self._alive.clear()
            asked = (self._now() + KNOWN_AGE, asyncio.create_task(self._knock(exit)))
            self._alive[exit.url] = asked
        return await asyncio.shield(asked[1])

    async def _knock(self, exit: Exit) -> bool:
        """Tell whether a proxy has any words of its own: even a refusal is a sign of life."""
        fault = await self.knock(exit)
        return fault is None or fault.code in SIGNS_OF_LIFE

    async def is_own_answer(self, exit: Exit, answer: Answer) -> bool:
        """Tell whether a 5xx is the proxy's own: it looks like what it says of a target that is nowhere.

        It can be only where the proxy reads what passes: plain HTTP through an HTTP proxy.
        """
        if answer.status < 500 or not exit.scheme.startswith("http") or not answer.url.startswith("http:"):
            return False
        asked = self._words.get(exit)
        if asked is None or asked[0] <= self._now():
            if len(self._words) >= MOST_KNOWN:
                self._words.clear()
            asked = self._words[exit] = (self._now() + WORDS_AGE, asyncio.create_task(self._hear(exit)))
        return await asyncio.shield(asked[1]) == trace_of(answer.headers, answer.body)

    async def _hear(self, exit: Exit) -> Trace | None:
        """Return what a proxy's own words look like; None where it has none."""
        try:
            client = await self.clients.to_knock(exit, self._knock_time)
            request = client.get(NOWHERE).timeout(timedelta(seconds=self._knock_time))
            async with request.build_streamed() as response:
                body = bytes(await response.body_reader.read(CHUNK) or b"")
                return trace_of(_read_headers(response.headers), body) if response.status >= 500 else None
        except (PyreqwestError, FetchFault):
            return None

    async def knock(self, exit: Exit) -> FetchFault | None:
        """Ask a proxy to go where nobody listens: it must say so. Return what went wrong instead."""
        try:
            client = await self.clients.to_knock(exit, self._knock_time)
            request = client.get(NOWHERE).timeout(timedelta(seconds=self._knock_time))
            async with request.build_streamed() as response:
                return proxy_fault(407, ()) if response.status == 407 else None
        except PyreqwestError as error:
            fault = _fault(error, exit, NOWHERE)
            return None if fault.code in EXPECTED else fault
        except FetchFault as fault:
            return fault


class _Exchange:
    """One request through one exit, and the redirects that follow from it."""

    __slots__ = ("_allowed_hosts", "_begun", "_exit", "_fetcher", "_limits", "_on_attempt", "_stopping")

    def __init__(
        self,
        fetcher: Fetcher,
        exit: Exit,
        limits: Limits,
        allowed_hosts: Sequence[str],
        on_attempt: OnAttempt | None,
        stopping: asyncio.Event | None,
    ) -> None:
        self._fetcher = fetcher
        self._exit = exit
        self._limits = limits
        self._allowed_hosts = allowed_hosts
        self._on_attempt = on_attempt
        self._stopping = stopping
        self._begun = time.perf_counter()

    async def run(self, request: Request) -> Answer:
        url = read_url(request.url)
        own = url.host_str or ""
        hops = 0
        while True:
            status, headers, body = await self._send(request, url)
            location = redirects.location_of(status, headers)
            if location is None:
                return Answer(status, headers, body, str(url), time.perf_counter() - self._begun, hops)
            if hops == self._limits.max_redirects:
                raise redirects.refused(f"more than {hops} in a row")
            request = await self._follow(request, status, location, own)
            url = read_url(request.url)
            hops += 1

    async def _follow(self, request: Request, status: int, location: str, own: str) -> Request:
        """Return the request that a redirect leads to, judged anew and counted as an attempt."""
        try:
            to = redirects.resolve(request.url, location)
            # The guard speaks first: a private address is that, whatever else forbids the redirect.
            await self._fetcher.clients.judge(self._exit, to.host_str or "")
            following = redirects.next_request(request, status, to, own, self._allowed_hosts)
        except FetchFault as fault:
            fault.sent = True  # for the last attempt is the one before, and that was answered
            raise
        if self._stopping is not None and self._stopping.is_set():
            raise _stopped("told to stop before a redirect")
        if self._on_attempt is not None:
            await self._on_attempt(following)
        return following

    async def _send(self, request: Request, url: Url) -> Taken:
        host = url.host_str or ""
        tries = 0
        while True:
            client, route = await self._fetcher.clients.find(self._exit, host, self._limits, request.tls)
            try:
                return await self._exchange(_prepare(client, request, url, self._time_left()), url)
            except PyreqwestError as error:
                fault = _fault(error, self._exit, url)
            tries += 1
            if fault.sent or not self._fetcher.clients.avoid(host, route) or tries == MOST_ADDRESSES:
                await self._settle_blame(fault)
                raise fault

    async def _settle_blame(self, fault: FetchFault) -> None:
        """Where exit and target may both be at fault, it is the exit's if it shows no sign of life."""
        if fault.blame == "unknown":
            fault.blame = "target" if await self._fetcher.is_alive(self._exit) else "exit"

    async def _exchange(self, prepared: StreamRequest, url: Url) -> Taken:
        async with prepared as response:
            status, headers = response.status, _read_headers(response.headers)
            self._check(status, headers, url)
            return status, headers, await self._read(response.body_reader)

    def _check(self, status: int, headers: Headers, url: Url) -> None:
        """Raise where the headers are too long, or are the proxy's own and not the target's."""
        most = self._limits.max_header_bytes
        if sum(map(len, chain.from_iterable(headers))) > most:
            raise _too_large("headers_too_large", f"the headers are longer than {most} bytes")
        if self._exit.url is None or url.scheme != "http" or not self._exit.scheme.startswith("http"):
            return
        if fault := proxy_fault(status, headers):
            raise fault

    async def _read(self, reader: ResponseBodyReader) -> bytes:
        """Read the body to its end; a read that comes short is the last."""
        most = self._limits.max_response_bytes + 1
        body = await reader.read(min(CHUNK, most))
        if body is None or len(body) < min(CHUNK, most):
            return bytes(body or b"")
        parts, size = [bytes(body)], len(body)
        while size < most:
            if self._stopping is not None and self._stopping.is_set():
                raise _stopped("told to stop amid the body")
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


def _build(roots: bytes | None, route: Route) -> Client:
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
    if route.proxy is not None:
        builder = builder.proxy(ProxyBuilder.all(route.proxy))
    try:
        return _certify(builder, roots, route.tls).build()
    except (ValueError, BuilderError):  # its text may repeat a secret
        raise FetchFault(
            "bad_certificate", "a certificate of `tls` cannot be used", False, "request", False
        ) from None


def _certify(builder: ClientBuilder, roots: bytes | None, tls: Tls | None) -> ClientBuilder:
    """Add the authorities to trust beside the usual ones, and who we are."""
    trusted = (roots or b"") + (tls.ca or "").encode() if tls else roots or b""
    for certificate in CERTIFICATE.findall(trusted):
        builder = builder.add_root_certificate_pem(certificate)
    return builder.identity_pem(tls.client.encode()) if tls and tls.client else builder


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
    except ValueError:  # a value is not ASCII: the client does not give it, but the others
        return tuple((name, value) for name in dict.fromkeys(headers) for value in _values(headers, name))


def _values(headers: HeaderMap, name: str) -> list[str]:
    try:
        return headers.getall(name)
    except ValueError:
        return ["\ufffd"]


def _too_large(code: str, message: str) -> FetchFault:
    return FetchFault(code, message, sent=True, blame="target", retryable=False)


def _fault(error: PyreqwestError, exit: Exit, url: Url) -> FetchFault:
    if isinstance(error, ClientClosedError):
        return _stopped("the process is ending")
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    return fault_of(causes, exit.scheme, url.scheme == "http")


def _stopped(message: str) -> FetchFault:
    return FetchFault("stopped", message, sent=True, blame="request")
