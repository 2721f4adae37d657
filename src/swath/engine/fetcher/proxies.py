"""What proxies say for themselves: whether one is alive, and whether an answer is its own words."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.http import Url

from swath.engine.blame import Trace, proxy_fault, trace_of
from swath.engine.clients import KNOWN_AGE, MOST_KNOWN, Clients
from swath.engine.exits import Exit
from swath.engine.fetcher.answer import Answer
from swath.engine.fetcher.client import read_fault, read_headers
from swath.errors import FetchFault

#: Seconds in which a proxy answers what it can answer by itself, if it lives.
KNOCK_TIME = 5.0
#: Bytes of a proxy's own words that are read.
MOST_WORDS = 256 * 1024
#: Seconds for which a proxy's own words are remembered.
WORDS_AGE = 60.0
#: An address of every machine's own, and a port where none listens.
NOWHERE = Url("http://0.0.0.0:1/")
#: What a proxy says that was asked to go nowhere.
EXPECTED = frozenset({"proxy_refused", "bad_response", "headers_too_large"})
#: Faults that only a proxy which lives can cause.
SIGNS_OF_LIFE = EXPECTED | {"proxy_auth_required"}


class Proxies:
    """Asks proxies to go where nobody listens, and remembers for a while what they say to that.

    `knock_time` are the seconds in which one must show a sign of life, `now` is a steady clock.
    """

    def __init__(self, clients: Clients[Client], knock_time: float, now: Callable[[], float]) -> None:
        self._clients = clients
        self._knock_time = knock_time
        self._now = now
        #: Until when the answer holds, and the answer.
        self._words: dict[Exit, tuple[float, asyncio.Task[Trace | None]]] = {}
        #: The same by proxy URL.
        self._alive: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    async def settle(self) -> None:
        """Wait for the end of what was asked."""
        asked = [task for _, task in (*self._alive.values(), *self._words.values())]
        await asyncio.gather(*asked, return_exceptions=True)

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

    async def knock(self, exit: Exit) -> FetchFault | None:
        """Ask a proxy to go where nobody listens: it must say so. Return what went wrong instead."""
        try:
            client = await self._clients.to_knock(exit, self._knock_time)
            request = client.get(NOWHERE).timeout(timedelta(seconds=self._knock_time))
            async with request.build_streamed() as response:
                return proxy_fault(407, ()) if response.status == 407 else None
        except PyreqwestError as error:
            fault = read_fault(error, exit, NOWHERE)
            return None if fault.code in EXPECTED else fault
        except FetchFault as fault:
            return fault

    async def _knock(self, exit: Exit) -> bool:
        """Tell whether a proxy has any words of its own: even a refusal is a sign of life."""
        fault = await self.knock(exit)
        return fault is None or fault.code in SIGNS_OF_LIFE

    async def _hear(self, exit: Exit) -> Trace | None:
        """Return what a proxy's own words look like; None where it has none."""
        try:
            client = await self._clients.to_knock(exit, self._knock_time)
            request = client.get(NOWHERE).timeout(timedelta(seconds=self._knock_time))
            async with request.build_streamed() as response:
                body = bytes(await response.body_reader.read(MOST_WORDS) or b"")
                return trace_of(read_headers(response.headers), body) if response.status >= 500 else None
        except (PyreqwestError, FetchFault):
            return None
