"""Steps of the durable engine in a process that is ending."""

import asyncio
from functools import partial
from typing import Any, cast

from swath.engine.durable.workflows import take_step
from swath.engine.outages import Outages
from swath.engine.worker import Worker


class Ending:
    """What steps need of a worker; it may be ending."""

    def __init__(self) -> None:
        self.outages = Outages()
        self.is_ending = False

    async def pause_while_draining(self) -> None:
        if self.is_ending:
            await asyncio.Event().wait()


async def test_none_begins_and_none_ends_while_the_process_does() -> None:
    """Nobody takes note of it any more: whoever goes on makes it again. It can still be cancelled."""
    worker, begun, over = Ending(), asyncio.Event(), asyncio.Event()

    async def do(fault: Exception | None = None) -> None:
        begun.set()
        await over.wait()
        if fault is not None:
            raise fault

    take = partial(take_step, cast(Worker, cast(Any, worker)))
    well = asyncio.create_task(take(do))
    ill = asyncio.create_task(take(lambda: do(RuntimeError("no more of this"))))
    await begun.wait()
    worker.is_ending = True
    over.set()
    begun.clear()
    late = asyncio.create_task(take(do))
    steps = (well, ill, late)
    ended, _ = await asyncio.wait(steps, timeout=0.1)
    assert not ended
    assert not begun.is_set()
    for step in steps:
        step.cancel()
    ended, _ = await asyncio.wait(steps)
    assert all(step.cancelled() for step in ended)
