"""The attempts that an execution may still make: taken from the database in blocks, before sending."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from swath.engine.outages import Outlast
from swath.store import executions
from swath.store.database import Connection, Database

T = TypeVar("T")

#: Attempts reserved at a time. After a crash the unconfirmed part of a block stays spent.
BLOCK = 32


class Budget:
    """One process's hold on the budget of one execution. Without a limit it only ever says yes."""

    def __init__(self, database: Database, execution_id: str, limit: int | None, *, outlast: Outlast) -> None:
        self._database = database
        self._outlast = outlast
        self._execution_id = execution_id
        self._limit = limit
        self._held = 0
        self._lock = asyncio.Lock()
        #: Whether the database refused: nothing is left, or nothing that this process does not hold.
        self.exhausted = False

    @property
    def limit(self) -> int | None:
        return self._limit

    @property
    def limited(self) -> bool:
        return self._limit is not None

    async def make_ready(self) -> None:
        """See to it that an attempt can be taken without waiting, if any is left."""
        if self._limit is not None and not self._held and not self.exhausted:
            await self._reserve()

    async def take(self) -> bool:
        """Take one attempt; False when none is left."""
        if self._limit is None:
            return True
        while not self._held:
            if self.exhausted:
                return False
            await self._reserve()  # others may be quicker to take what it brings
            if self._limit is None:
                return True
        self._held -= 1
        return True

    def give_back(self) -> None:
        """Return an attempt of which nothing was sent."""
        if self._limit is not None:
            self._held += 1
            self.exhausted = False

    async def change(self, limit: int | None) -> None:
        """Go on with another limit; what is held of the old one is given back first."""
        if limit != self._limit:
            await self.close()
            self._limit, self.exhausted = limit, False

    async def close(self) -> None:
        """Give back what was reserved and not used."""
        async with self._lock:
            held, self._held = self._held, 0
            if held:
                await self._write(executions.return_attempts, held)

    async def _reserve(self) -> None:
        """Reserve a block; goes on when whoever wanted it is cancelled, for the database counts it."""
        await asyncio.shield(asyncio.ensure_future(self._reserve_block()))

    async def _reserve_block(self) -> None:
        async with self._lock:
            if self._held or self.exhausted or self._limit is None:
                return
            granted = await self._write(executions.reserve_attempts, BLOCK)
            self._held += granted  # not in one statement with the wait: others give back in the meantime
            self.exhausted = not self._held

    async def _write(self, story: Callable[[Connection, str, int], T], amount: int) -> T:
        """Run a story of the store on the execution's budget, however long the database is away."""
        return await self._outlast(lambda: self._database.write(story, self._execution_id, amount))
