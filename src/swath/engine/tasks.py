"""Tasks that go on until they are told to end."""

import asyncio
import contextlib
from typing import Any

#: Seconds after which a task that goes on is told again.
AGAIN = 1.0


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended.

    A cancellation is lost where what the task waits for comes at that moment (`asyncio.wait_for` before
    Python 3.12, and libraries that wait by it): then the task goes on as if nobody had told it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN)
    with contextlib.suppress(asyncio.CancelledError):
        await task
