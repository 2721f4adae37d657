"""What to do while the database or the storage is away: wait, for what was fetched is not given up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from swath.errors import Unavailable

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds between two attempts: they grow up to the longest.
FIRST_WAIT, LONGEST_WAIT = 0.2, 4.0


async def outlast(call: Callable[[], Awaitable[T]]) -> T:
    """Make a repeatable call again for as long as what it needs is unavailable."""
    wait = FIRST_WAIT
    while True:
        try:
            return await call()
        except Unavailable as outage:
            log.warning("waiting_for_outage", reason=str(outage), seconds=wait)
        await asyncio.sleep(random.uniform(wait / 2, wait))
        wait = min(2 * wait, LONGEST_WAIT)
