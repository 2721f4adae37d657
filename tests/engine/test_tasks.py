"""Tasks that go on until they are told to end."""

import asyncio

from swath.engine.tasks import end


async def test_a_task_that_lost_a_cancellation_is_told_again() -> None:
    """As where what it waited for came at the same moment."""
    lost = 0

    async def go_on() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await end(task)
    assert (task.cancelled(), lost) == (True, 1)
