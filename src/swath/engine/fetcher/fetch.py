"""Each exchange is a task of its own: it runs to its end, whatever becomes of whoever waits for it.

The client does so whatever we do. So cancelling a `fetch` only stops the waiting, and whoever bounds the
concurrent exchanges is told when one is over.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial

from pyreqwest.client import Client

from swath.engine.clients import MOST_CLIENTS, Clients
from swath.engine.exits import Exit
from swath.engine.fetcher.answer import Answer
from swath.engine.fetcher.client import build
from swath.engine.fetcher.proxies import KNOCK_TIME, Proxies
from swath.engine.fetcher.sending import OnRedirect, Sending
from swath.engine.guard import Guard, read_url
from swath.errors import FetchFault
from swath.flow.definition import Limits
from swath.flow.request import Request


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
        self.clients: Clients[Client] = Clients(guard, partial(build, roots), most_clients)
        self.proxies = Proxies(self.clients, knock_time, guard.now)
        #: The exchanges that are going on, by what becomes of each.
        self._running: dict[asyncio.Future[Answer], asyncio.Task[None]] = {}

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
        on_redirect: OnRedirect | None = None,
        on_end: Callable[[], None] | None = None,
        stopping: asyncio.Event | None = None,
    ) -> Answer:
        """Send a request and return the answer, whatever its status. Raises FetchFault, AddressBlocked.

        `on_redirect` is awaited before each redirect that is followed, for it is an attempt of its own; what
        it raises ends the fetch. `on_end` is called when the exchange is over, also when nobody waits for it
        any more. A fault's `sent` tells of the last attempt only. `stopping` is looked at amid large bodies
        and before redirects.
        """
        # Nothing is awaited before the exchange runs on its own: what was counted is sent.
        loop = asyncio.get_running_loop()
        sending = Sending(self.clients, self.proxies, exit, limits, allowed_hosts, on_redirect, stopping)
        outcome: asyncio.Future[Answer] = loop.create_future()
        self._running[outcome] = loop.create_task(self._run(sending, request, outcome, on_end))
        return await outcome

    async def warm(self, request: Request, exit: Exit, limits: Limits) -> None:
        """Make ready what a request needs, so that it leaves at once when its turn comes."""
        with contextlib.suppress(FetchFault):  # the request itself will tell
            host = read_url(request.url).host_str or ""
            await self.clients.find(exit, host, limits, request.tls)

    async def close(self) -> None:
        """End all exchanges that are under way, as faults, and close the clients."""
        await self.clients.close()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self.proxies.settle()

    async def _run(
        self,
        sending: Sending,
        request: Request,
        outcome: "asyncio.Future[Answer]",
        on_end: Callable[[], None] | None,
    ) -> None:
        """Run an exchange to its end; whoever waited may be gone by then."""
        try:
            answer = await sending.run(request)
            if not outcome.done():
                outcome.set_result(answer)
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
        finally:
            del self._running[outcome]
            if on_end is not None:
                on_end()
