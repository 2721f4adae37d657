"""Which client a request goes out on: one for each exit and the addresses that it may connect to.

What a client is and how one is built is the fetcher's affair.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, NamedTuple, Protocol, TypeVar

from swath.engine.exits import Exit
from swath.engine.guard import Guard, read_proxy_url
from swath.flow.definition import Limits, Tls

#: Clients kept; the least recently used are dropped. One costs about 7 ms and 0.1 MB.
MOST_CLIENTS = 200
#: Pairs of an exit and a host remembered, and for how many seconds the guard is not asked again.
MOST_KNOWN = 10_000
KNOWN_AGE = 5.0
#: What connecting may take of the other times: were it all, a dead exit would look like a slow target.
CONNECT_SHARE = 0.8

#: Names, and the one address that each may connect to.
Pins = tuple[tuple[str, str], ...]


class Route(NamedTuple):
    """What a client is built for."""

    proxy: str | None
    pins: Pins
    connect_timeout: float
    read_timeout: float
    tls: Tls | None = None

    @property
    def address(self) -> str | None:
        """The address that a name without a proxy is pinned to."""
        return self.pins[0][1] if self.pins and self.proxy is None else None


class Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=Closable)


class Clients(Generic[Client]):
    """At most so many clients, built as they are needed; `build` is called in a thread, for it takes long."""

    def __init__(self, guard: Guard, build: Callable[[Route], Client], most: int = MOST_CLIENTS) -> None:
        self._guard = guard
        self._make = build
        self._most = most
        # One thread: each reads all of the system's certificates, and many at once take much memory.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swath-clients")
        self._clients: OrderedDict[Route, Client] = OrderedDict()
        self._building: dict[Route, asyncio.Task[Client]] = {}
        #: What the guard said, and until when that holds.
        self._known: dict[tuple[object, ...], tuple[Route, float]] = {}

    async def find(
        self, exit: Exit, host: str, limits: Limits, tls: Tls | None = None
    ) -> tuple[Client, Route]:
        """Return the client for a host through an exit. Raises AddressBlocked, FetchFault."""
        route = self._route(exit, host, limits, tls) or await self._judge_anew(exit, host, limits, tls)
        return await self.of(route), route

    def ready(
        self, exit: Exit, host: str, limits: Limits, tls: Tls | None = None
    ) -> tuple[Client, Route] | None:
        """Return what `find` would, where nobody need be asked and nothing built for it."""
        route = self._route(exit, host, limits, tls)
        client = self._clients.get(route) if route is not None else None
        if route is None or client is None:
            return None
        self._clients.move_to_end(route)
        return client, route

    async def of(self, route: Route) -> Client:
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

    async def judge(self, exit: Exit, host: str) -> Pins:
        """Ask the guard about all that a request connects to, and return the pins. Raises as `find` does."""
        if exit.url is None:
            return await self.pin(host)
        pins = await self.pins_of_proxy(exit)
        if exit.scheme == "socks5":
            return pins + await self.pin(host)
        await self._guard.judge_name(host)
        return pins

    async def to_knock(self, exit: Exit, seconds: float) -> Client:
        """Return a client for a question to the proxy itself; a SOCKS one must not have it looked up here."""
        proxy = f"socks5h{(exit.url or '')[6:]}" if exit.scheme == "socks5" else exit.url
        return await self.of(Route(proxy, await self.pins_of_proxy(exit), seconds * CONNECT_SHARE, seconds))

    async def pins_of_proxy(self, exit: Exit) -> Pins:
        """Return where the proxy's own name may connect; an administrator's proxy stands where it stands."""
        url = read_proxy_url(exit.url or "")
        return () if exit.exempt or url is None else await self.pin(url.host_str or "")

    async def pin(self, host: str) -> Pins:
        address = await self._guard.pin(host)
        return ((host, address),) if address else ()

    def avoid(self, host: str, route: Route) -> bool:
        """Note that a name's address could not be connected to; tells whether there is another to try."""
        if route.address is None:
            return False
        self._known.clear()
        return self._guard.avoid(host, route.address)

    async def close(self) -> None:
        """Close all clients; what is under way on them ends as a fault."""
        await asyncio.gather(*self._building.values(), return_exceptions=True)
        clients = list(self._clients.values())
        self._clients.clear()
        self._known.clear()
        for client in clients:
            await client.close()
        self._thread.shutdown(wait=False)

    def _route(self, exit: Exit, host: str, limits: Limits, tls: Tls | None) -> Route | None:
        """Return the route that the guard found good a moment ago."""
        route, until = self._known.get(_key(exit, host, limits, tls), (None, 0.0))
        return route if until > self._guard.now() else None

    async def _judge_anew(self, exit: Exit, host: str, limits: Limits, tls: Tls | None) -> Route:
        until = self._guard.now() + KNOWN_AGE
        most = CONNECT_SHARE * min(limits.timeout, limits.read_timeout)
        connect = min(limits.connect_timeout, most)
        route = Route(exit.url, await self.judge(exit, host), connect, limits.read_timeout, tls)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[_key(exit, host, limits, tls)] = route, until
        return route

    async def _build(self, route: Route) -> Client:
        client = await asyncio.get_running_loop().run_in_executor(self._thread, self._make, route)
        self._clients[route] = client
        while len(self._clients) > self._most:
            # Dropped, not closed: what is under way on it ends as it would have.
            self._clients.popitem(last=False)
        return client


def _key(exit: Exit, host: str, limits: Limits, tls: Tls | None) -> tuple[object, ...]:
    return exit.url, exit.exempt, host, limits.connect_timeout, limits.timeout, limits.read_timeout, tls
