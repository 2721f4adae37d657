"""Steps of the durable engine that fail, and in a process that is ending."""

import asyncio
import errno
from functools import partial
from typing import Any, cast

import pytest
from dbos import DBOSPortableJSONSerializer
from dbos._serialization import deserialize_exception, serialize_exception

from swath.engine.durable.workflows import WAITS, explain, take_step
from swath.engine.outages import Outages
from swath.engine.times import Clock
from swath.engine.worker import Worker
from swath.errors import StepFailed, WorkerDied


class Waits(Clock):
    """Waits no time, and remembers for how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Ending:
    """What steps need of a worker; it may be ending."""

    def __init__(self) -> None:
        self.outages = Outages()
        self.clock = Waits()
        self.is_ending = False
        self.steps = 0

    async def pause_while_draining(self) -> None:
        if self.is_ending:
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (WorkerDied("It died four times."), "It died four times."),
        (MemoryError(), "too little memory"),
        (OSError(errno.EACCES, "Permission denied", "/a/place"), "could not use a file: Permission denied."),
        (KeyError("a value of somebody's"), "An error of Swath's own, KeyError; the server's log has it."),
    ],
)
async def test_what_a_step_fails_with_is_told_in_words(fault: Exception, told: str) -> None:
    """Of the last of six attempts, also where the process died before anybody could say so."""
    worker = Ending()
    faults = iter([*(RuntimeError("earlier") for _ in WAITS), fault])

    async def fail() -> None:
        raise next(faults)

    with pytest.raises(StepFailed) as failed:
        await take_step(cast(Worker, cast(Any, worker)), fail)
    assert worker.clock.slept == list(WAITS)
    portable = DBOSPortableJSONSerializer()
    recorded = deserialize_exception(*serialize_exception(failed.value, None, portable), portable)
    assert told in explain(failed.value)
    assert explain(recorded) == explain(failed.value)


async def test_a_step_that_fails_for_a_while_is_made() -> None:
    """Nobody is told."""
    faults = iter([RuntimeError("for a moment")])

    async def do() -> str:
        for fault in faults:
            raise fault
        return "made"

    assert await take_step(cast(Worker, cast(Any, Ending())), do) == "made"


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
    assert worker.steps == len(steps), "The durable engine must not go away amid what is between two steps"
    for step in steps:
        step.cancel()
    ended, _ = await asyncio.wait(steps)
    assert all(step.cancelled() for step in ended)
    assert worker.steps == 0
