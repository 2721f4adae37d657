"""The durable workflows and their steps. Their names, arguments and order are kept: unfinished ones go on."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog
from dbos import DBOS, PortableWorkflowError, SetEnqueueOptions, SetWorkflowID

from swath.engine.durable.lost import name_work
from swath.engine.worker import REOPENED, Worker
from swath.errors import StepFailed, SwathError
from swath.store.work import Shard

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds between attempts of a step that fails: a machine may be short of something for a while.
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)

_worker: Worker | None = None


def work_for(worker: Worker) -> None:
    """Have the workflows of this process done by its worker."""
    global _worker
    _worker = worker


def _here() -> Worker:
    assert _worker is not None, "The durable engine has not been launched."
    return _worker


@DBOS.workflow(name="run_execution", max_recovery_attempts=1000)
async def run_execution(execution_id: str) -> int:
    """Plan, hand out shards while there are any, then combine. Returns the number of shards handed out."""
    handed = 0
    try:
        batch = first = int(await _begin(execution_id))  # which was true or false in versions before
        while True:
            if first:
                handed, batch = await _fan_out(execution_id, handed, batch)
            if await _combine(execution_id, 0) != REOPENED:
                break
    except Exception as error:
        await _give_up(execution_id, explain(error))
    return handed


async def _fan_out(execution_id: str, handed: int, batch: int) -> tuple[int, int]:
    """Queue shards for as long as any are handed out; return how many there have been, and the next batch."""
    while numbers := await _hand_out(execution_id, batch):
        places = await _outlast(partial(_here().ranks, execution_id, len(numbers)), execution_id)
        for number, place in zip(numbers, places, strict=True):
            name = name_work(Shard(execution_id, number, batch))
            with SetWorkflowID(name), SetEnqueueOptions(priority=place):
                await DBOS.enqueue_workflow_async("shards", run_shard, execution_id, number)
        handed += len(numbers)
        batch += 1
    return handed, batch


@DBOS.workflow(name="run_shard", max_recovery_attempts=1_000_000)
async def run_shard(execution_id: str, number: int) -> int:
    """Work on one shard until it is done or is told to stop. Returns how many items have ended."""
    try:
        return await _work_shard(execution_id, number)
    except Exception as error:
        await _drop_shard(execution_id, number, explain(error))
        return 0


@DBOS.workflow(name="combine_again", max_recovery_attempts=1000)
async def combine_again(execution_id: str, revision: int) -> int:
    """Make the files of a later revision. Returns how many there are."""
    try:
        return await _combine(execution_id, revision)
    except Exception as error:
        await _give_up_revision(execution_id, revision, explain(error))
        return 0


@DBOS.workflow(name="deliver", max_recovery_attempts=1000)
async def deliver(delivery_id: str, attempt: int) -> int:
    """Tell a webhook; the next attempt, if there is to be one, is queued when it is due."""
    try:
        await _deliver(delivery_id)
    except Exception as error:
        await _postpone(delivery_id, explain(error))
    return attempt


async def _outlast(call: Callable[[], Awaitable[T]], whose: str = "") -> T:
    return await take_step(_here(), call, whose)


async def take_step(worker: Worker, call: Callable[[], Awaitable[T]], whose: str = "") -> T:
    """Make a repeatable call, again with growing waits where it fails. Raises StepFailed.

    What it fails with is logged here: later only the words of StepFailed are known. None begins and none
    ends while the process is ending: nobody would take note of it any more.
    """
    worker.steps += 1
    try:
        for wait in WAITS:
            try:
                return await _attempt(worker, call, whose)
            except Exception:
                await worker.clock.sleep(wait)
        try:
            return await _attempt(worker, call, whose)
        except Exception as error:
            raise StepFailed(explain(error)) from error
    finally:
        worker.steps -= 1


async def _attempt(worker: Worker, call: Callable[[], Awaitable[T]], whose: str) -> T:
    await worker.pause_while_draining()
    try:
        done = await worker.outages.outlast(call, whose)
    except Exception:
        await worker.pause_while_draining()
        log.exception("step_failed", execution=whose)
        raise
    await worker.pause_while_draining()
    return done


def explain(error: Exception) -> str:
    """Say for owners what went wrong; the log has what they need not know."""
    if isinstance(error, SwathError) or _is_recorded(error):
        return str(error)
    if isinstance(error, MemoryError):
        return "The machine has too little memory for it."
    if isinstance(error, OSError) and error.strerror:
        return f"The server could not use a file: {error.strerror}."
    return f"An error of Swath's own, {type(error).__name__}; the server's log has it."


def _is_recorded(error: Exception) -> bool:
    """Tell whether it is how the durable engine gives a StepFailed back that it has recorded."""
    return isinstance(error, PortableWorkflowError) and error.name == StepFailed.__name__


@DBOS.step(name="begin")
async def _begin(execution_id: str) -> int:
    return await _outlast(lambda: _here().begin(execution_id), execution_id)


@DBOS.step(name="hand_out")
async def _hand_out(execution_id: str, batch: int) -> list[int]:
    return await _outlast(lambda: _here().hand_out(execution_id, batch), execution_id)


@DBOS.step(name="work_shard")
async def _work_shard(execution_id: str, number: int) -> int:
    assert DBOS.workflow_id is not None
    batch = int(DBOS.workflow_id.rsplit(":", 1)[1])
    return await _outlast(lambda: _here().work_shard(execution_id, number, batch), execution_id)


@DBOS.step(name="drop_shard")
async def _drop_shard(execution_id: str, number: int, reason: str) -> None:
    await _outlast(lambda: _here().drop_shard(execution_id, number, reason), execution_id)


@DBOS.step(name="combine")
async def _combine(execution_id: str, revision: int) -> int:
    return await _outlast(lambda: _here().combine(execution_id, revision), execution_id)


@DBOS.step(name="give_up")
async def _give_up(execution_id: str, reason: str) -> None:
    await _outlast(lambda: _here().give_up(execution_id, reason), execution_id)


@DBOS.step(name="give_up_revision")
async def _give_up_revision(execution_id: str, revision: int, reason: str) -> None:
    await _outlast(lambda: _here().give_up_revision(execution_id, revision, reason), execution_id)


@DBOS.step(name="deliver")
async def _deliver(delivery_id: str) -> None:
    await _outlast(lambda: _here().deliver(delivery_id))


@DBOS.step(name="postpone")
async def _postpone(delivery_id: str, reason: str) -> None:
    await _outlast(lambda: _here().courier.postpone(delivery_id, reason))
