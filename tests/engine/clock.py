"""A clock that tests move: whoever sleeps on it wakes when it gets there, and no real time passes."""

import asyncio
import heapq
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """Hand `now` and `sleep` to what is tested; `run` moves the time on whenever everybody sleeps."""

    def __init__(self, start: float = 1_000.0) -> None:
        self.time = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.time + seconds, self._count, woken))
        await woken

    async def run(self, awaited: Awaitable[T]) -> T:
        """Await something, moving the time to the next sleeper as often as needed."""
        task = asyncio.ensure_future(awaited)
        while not task.done():
            await self.settle()
            if not task.done():
                self.wake()
        return await task

    async def settle(self) -> None:
        """Let everybody do what can be done without time."""
        for _ in range(50):
            await asyncio.sleep(0)

    def wake(self) -> None:
        """Move on to whoever wakes next."""
        assert self._sleepers, "all wait, and nobody sleeps"
        until, _, woken = heapq.heappop(self._sleepers)
        self.time = max(self.time, until)
        if not woken.done():
            woken.set_result(None)
