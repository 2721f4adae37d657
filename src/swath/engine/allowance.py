"""Rows or bytes that an execution may still take: reserved in the database before they are taken."""

import asyncio

from swath.engine.outages import Outlast
from swath.store import limits
from swath.store.database import Database
from swath.store.limits import Kind


class Allowance:
    """One process's hold on what an execution may still take. Without a limit it grants all."""

    def __init__(
        self,
        database: Database,
        execution_id: str,
        kind: Kind,
        limit: int | None,
        block: int,
        *,
        outlast: Outlast,
    ) -> None:
        self._database = database
        self._outlast = outlast
        self._execution_id = execution_id
        self._kind = kind
        self._block = block
        self._limit = limit
        self._held = 0
        self._lock = asyncio.Lock()

    @property
    def limit(self) -> int | None:
        return self._limit

    @property
    def limited(self) -> bool:
        return self._limit is not None

    async def change(self, limit: int | None) -> None:
        """Go on with another limit; what is held of the old one is given back first."""
        if limit != self._limit:
            await self.close()
            self._limit = limit

    async def take(self, wanted: int) -> int:
        """Take up to so much; return how much it was."""
        if not self.limited:
            return wanted
        await self._hold(wanted)
        granted = min(wanted, self._held)
        self._held -= granted
        return granted

    async def is_spent(self) -> bool:
        """Tell whether nothing is left to take."""
        if not self.limited:
            return False
        await self._hold(1)
        return self._held == 0

    def give_back(self, amount: int) -> None:
        """Return what was not taken after all."""
        self._held += amount

    async def close(self) -> None:
        """Give back what was reserved and not taken."""
        async with self._lock:
            unused, self._held = self._held, 0
            if unused:
                await self._outlast(lambda: self._reserve(-unused))

    async def _hold(self, wanted: int) -> None:
        """Have so much in hand if it is there; goes on when the caller is cancelled: the database counts."""
        while self._held < wanted:  # others may be quicker to take what was fetched
            if not await asyncio.shield(asyncio.ensure_future(self._fetch(wanted))):
                return

    async def _fetch(self, wanted: int) -> bool:
        """Reserve what is missing; return whether all of it was there."""
        async with self._lock:
            missing = wanted - self._held
            if missing <= 0:
                return True
            granted = await self._outlast(lambda: self._reserve(missing))
            self._held += granted  # not in one statement with the wait: others take in the meantime
            return granted >= missing

    async def _reserve(self, amount: int) -> int:
        return await self._database.write(limits.reserve, self._execution_id, self._kind, amount, self._block)
