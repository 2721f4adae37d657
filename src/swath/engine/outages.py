"""What to do while the database, the storage or a disk is away: wait, for what was fetched is not given up.

The log says so once, and once more when it is over; owners are told of a wait that lasts by an event of
their execution, by its `waiting_for`, and by webhooks.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from swath.engine.times import now_ms
from swath.errors import Unavailable
from swath.store import waits
from swath.store.database import Database
from swath.store.waits import Wait

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds between two attempts: they grow up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 4.0
#: Milliseconds of a wait from which on owners are told, and seconds between looks for such.
NOTEWORTHY, LOOK = 3_000, 1.0


class Outlast(Protocol):
    """Makes a repeatable call again for as long as what it needs is unavailable."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T: ...


@dataclass(slots=True)
class _Outage:
    """Something that is away, and how many calls of which executions wait for it ("" for none's)."""

    wait: Wait
    waiting: Counter[str] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)


class Outages:
    """All that one process waits for."""

    def __init__(self) -> None:
        self._away: dict[str, _Outage] = {}
        #: Waits of executions that are over, and of which they are still to be told.
        self._over: list[tuple[str, Wait, int]] = []

    def __iter__(self) -> Iterator[Wait]:
        """Yield what is waited for now, of what all executions share."""
        return (outage.wait for outage in self._away.values() if outage.wait.thing != "upstream")

    async def outlast(self, call: Callable[[], Awaitable[T]], whose: str = "") -> T:
        """Make a repeatable call again for as long as what it needs is unavailable.

        `whose` is the execution that waits with it.
        """
        pause = FIRST_WAIT
        away: str | None = None
        try:
            while True:
                try:
                    result = await call()
                except Unavailable as outage:
                    away = self._change(away, outage, whose)
                else:
                    if away is not None:
                        self.end(away, whose, is_back=True)
                        away = None
                    return result
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(2 * pause, LONGEST_WAIT)
        finally:
            if away is not None:
                self.end(away, whose, is_back=False)

    def _change(self, before: str | None, error: Unavailable, whose: str) -> str:
        """Note that a call waits, perhaps for something else than before; return for what."""
        (thing, reason), *_ = error.fields
        if thing != before:
            if before is not None:
                self.end(before, whose, is_back=True)
            self.begin(thing, Wait(thing, reason, now_ms()), whose)
        return thing

    def begin(self, key: str, wait: Wait, whose: str) -> None:
        """Note that something is waited for. One `key` is one thing that is away."""
        if key not in self._away:
            log.warning("waiting", thing=wait.thing, reason=wait.reason)
            self._away[key] = _Outage(wait)
        self._away[key].waiting[whose] += 1

    def end(self, key: str, whose: str, *, is_back: bool) -> None:
        """Note that it is waited for no more, because it is back or because nobody wants it now."""
        outage, now = self._away[key], now_ms()
        outage.waiting[whose] -= 1
        if not outage.waiting[whose]:
            del outage.waiting[whose]
            if whose and (whose in outage.told or now - outage.wait.since >= NOTEWORTHY):
                outage.told.discard(whose)
                self._over.append((whose, outage.wait, now))
        if not outage.waiting:
            del self._away[key]
            if is_back:
                log.warning("going_on", thing=outage.wait.thing, seconds=(now - outage.wait.since) / 1e3)

    async def keep_telling(self, database: Database) -> None:
        """Tell executions what they wait for, until cancelled; as soon as that can be written."""
        while True:
            await asyncio.sleep(LOOK)
            with contextlib.suppress(Unavailable):
                await self.tell(database, now_ms())

    async def tell(self, database: Database, now: int) -> None:
        """Tell of the waits that have lasted, and of those that are over. Raises Unavailable."""
        for outage in list(self._away.values()):
            if now - outage.wait.since >= NOTEWORTHY:
                for whose in outage.waiting.keys() - outage.told - {""}:
                    if await database.write(waits.begin, whose, outage.wait, now):
                        outage.told.add(whose)
        while self._over:
            await database.write(waits.end, *self._over[0])
            del self._over[0]
