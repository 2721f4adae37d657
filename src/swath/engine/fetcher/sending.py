"""One request through one exit, and the redirects that follow from it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import Url
from pyreqwest.response import ResponseBodyReader

from swath.engine import redirects
from swath.engine.blame import proxy_fault
from swath.engine.clients import Clients
from swath.engine.exits import Exit
from swath.engine.fetcher.answer import Answer, Headers
from swath.engine.fetcher.client import prepare, read_fault, read_headers, stopped
from swath.engine.fetcher.proxies import Proxies
from swath.engine.guard import read_url
from swath.errors import FetchFault
from swath.flow.definition import Limits
from swath.flow.request import Request

#: Bytes read at a time: most bodies whole, and of large ones a part, with a look at the stop flag between.
CHUNK = 256 * 1024
#: Addresses of one name that one exchange tries to connect to.
MOST_ADDRESSES = 3

OnRedirect = Callable[[Request], Awaitable[None]]
#: Status, headers and body.
Taken = tuple[int, Headers, bytes]


class Sending:
    """See the module. `run` it once."""

    def __init__(
        self,
        clients: Clients[Client],
        proxies: Proxies,
        exit: Exit,
        limits: Limits,
        allowed_hosts: Sequence[str],
        on_redirect: OnRedirect | None,
        stopping: asyncio.Event | None,
    ) -> None:
        self._clients = clients
        self._proxies = proxies
        self._exit = exit
        self._limits = limits
        self._allowed_hosts = allowed_hosts
        self._on_redirect = on_redirect
        self._stopping = stopping
        self._begun = time.perf_counter()

    async def run(self, request: Request) -> Answer:
        """Return the answer that the request leads to. Raises FetchFault, and what `on_redirect` raises."""
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
            await self._clients.judge(self._exit, to.host_str or "")
            following = redirects.next_request(request, status, to, own, self._allowed_hosts)
        except FetchFault as fault:
            fault.sent = True  # for the last attempt is the one before, and that was answered
            raise
        if self._stopping is not None and self._stopping.is_set():
            raise stopped("told to stop before a redirect")
        if self._on_redirect is not None:
            await self._on_redirect(following)
        return following

    async def _send(self, request: Request, url: Url) -> Taken:
        """Send one request, to another of the host's addresses where one cannot be connected to."""
        host, limits, tls = url.host_str or "", self._limits, request.tls
        tries = 0
        while True:
            ready = self._clients.ready(self._exit, host, limits, tls)
            client, route = ready or await self._clients.find(self._exit, host, limits, tls)
            try:
                async with prepare(client, request, url, self._time_left()) as response:
                    status, headers = response.status, read_headers(response.headers)
                    self._check(status, headers, url)
                    return status, headers, await self._read(response.body_reader)
            except PyreqwestError as error:
                fault = read_fault(error, self._exit, url)
            tries += 1
            if fault.sent or not self._clients.avoid(host, route) or tries == MOST_ADDRESSES:
                await self._settle_blame(fault)
                raise fault

    async def _settle_blame(self, fault: FetchFault) -> None:
        """Where exit and target may both be at fault, it is the exit's if it shows no sign of life."""
        if fault.blame == "unknown":
            fault.blame = "target" if await self._proxies.is_alive(self._exit) else "exit"

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
        wanted = min(CHUNK, most)
        body = await reader.read(wanted)
        if body is None or len(body) < wanted:
            return bytes(body or b"")
        parts, size = [bytes(body)], len(body)
        while size < most:
            if self._stopping is not None and self._stopping.is_set():
                raise stopped("told to stop amid the body")
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


def _too_large(code: str, message: str) -> FetchFault:
    return FetchFault(code, message, sent=True, blame="target", retryable=False)
