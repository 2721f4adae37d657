"""How workers know of each other's death: each renews a lease, and what a dead one had is put back.

A lease is renewed from the loop that works on shards, by the database's clock. A wrong verdict is harmless:
the checkpoints of whoever lost a shard change nothing. Whoever could not renew its own sends nothing more
until it can: what it would ask for, others may be asking for by now.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from swath.engine.outages import Outages
from swath.store import leases
from swath.store.database import Database
from swath.store.leases import Fleet

log = structlog.get_logger()

#: Signs of life that a worker gives while its lease runs.
BEATS = 5

Recover = Callable[[Sequence[str]], Awaitable[None]]


class Lease:
    """One worker's sign of life. `recover` puts back what the named workers had."""

    def __init__(
        self,
        database: Database,
        worker: str,
        slots: int,
        recover: Recover,
        seconds: float,
        outages: Outages,
    ) -> None:
        #: How long the lease runs without a sign of life.
        self.seconds = seconds
        self._database = database
        self._worker = worker
        self._slots = slots
        self._recover = recover
        self._outages = outages
        #: When the unbroken row of beats began, and when the last of them was.
        self._since = self._last = -math.inf
        #: Until when nobody takes this worker for dead.
        self._until = -math.inf
        self._renewed = asyncio.Event()
        #: How many shards all living workers together work on at a time.
        self.slots_of_all = slots

    @property
    def has_run_out(self) -> bool:
        """Tell whether the others may take this worker for dead."""
        return time.monotonic() >= self._until

    async def outwait(self) -> None:
        """Wait until the lease runs again, if it has run out."""
        while self.has_run_out:
            self._renewed.clear()
            await self._renewed.wait()

    async def take(self) -> Fleet:
        """Give a sign of life; return how the others are."""
        asked = time.monotonic()
        waiting = next(map(str, self._outages), None)
        fleet = await self._database.write(leases.beat, self._worker, self._slots, self.seconds, waiting)
        now = time.monotonic()
        if now - self._last > self.seconds / 2:
            self._since = now
        self._last = now
        self._until = asked + self.seconds
        self._renewed.set()
        self.slots_of_all = fleet.slots
        return fleet

    async def beat(self) -> None:
        """Give a sign of life, and put back what those had who give none."""
        fleet = await self.take()
        # Whoever could not reach the database would take all others for dead as soon as it can.
        proven = self._last - self._since >= self.seconds
        dead = fleet.dropped + (fleet.silent if proven else [])
        if dead:
            log.warning("workers_gone", workers=dead)
            await self._recover(dead)
            await self._database.write(leases.forget, dead, self.seconds)

    async def keep(self) -> None:
        """Beat until cancelled."""
        while True:
            try:
                await self._outages.outlast(self.beat)
            except Exception:
                log.exception("lease_not_renewed")
            await asyncio.sleep(self.seconds / BEATS)

    async def drop(self) -> None:
        """Say that this worker works no more: the others need not wait for the lease's end."""
        await self._database.write(leases.drop, self._worker)
