"""Time, as the store keeps it, and as the engine reads it and waits for it."""

import asyncio
import time


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Clock:
    """What the engine reads times from and waits by. A test hands in one whose waits take no time."""

    def epoch(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def steady(self) -> float:
        """Return seconds that only ever grow, whoever sets the system's clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
