"""The durable engine: the only module that knows DBOS.

Its workflows are tiny and stable, all logic is in steps, arguments are ids and results are counts. What
is true of an execution stands in our own tables; the engine only makes sure that somebody works on it.
"""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID

from swath.engine.courier import Courier
from swath.engine.fetcher import Fetcher
from swath.engine.worker import Worker
from swath.store import executions, recipes
from swath.store.database import sqlite_module

log = structlog.get_logger()

#: Work that was begun under one version is only gone on with under the same; ours never changes by itself.
APPLICATION_VERSION = "1"
#: Seconds between looks for work on a queue, and for queued executions where nobody woke us.
POLL = 0.1
DISPATCH_EVERY = 1.0
#: Executions that one process has begun and not ended; more wait in the queue. Paused ones count, and cost
#: no more than a sleeping task.
MOST_EXECUTIONS = 1_000

_worker: Worker | None = None


def _here() -> Worker:
    assert _worker is not None, "The durable engine has not been launched."
    return _worker


@DBOS.workflow(name="run_execution", max_recovery_attempts=1000)
async def run_execution(execution_id: str) -> int:
    """Plan, hand out shards while there are any, then combine. Returns the number of shards handed out."""
    handed = 0
    try:
        if await _begin(execution_id):
            handed = await _fan_out(execution_id)
        await _combine(execution_id, 0)
    except Exception as error:
        await _give_up(execution_id, f"{type(error).__name__}: {error}")
    return handed


async def _fan_out(execution_id: str) -> int:
    """Queue shards for as long as any are handed out; return how many there were."""
    handed = 0
    batch = 1
    while numbers := await _hand_out(execution_id, batch):
        for number in numbers:
            priority = 1 + min(handed, 1_000_000)
            name = f"{execution_id}:{number}:{batch}"
            with SetWorkflowID(name), SetEnqueueOptions(priority=priority):
                await DBOS.enqueue_workflow_async("shards", run_shard, execution_id, number)
            handed += 1
        batch += 1
    return handed


@DBOS.workflow(name="run_shard", max_recovery_attempts=1_000_000)
async def run_shard(execution_id: str, number: int) -> int:
    """Work on one shard until it is done or is told to stop. Returns how many items have ended."""
    try:
        return await _work_shard(execution_id, number)
    except Exception as error:
        await _drop_shard(execution_id, number, f"{type(error).__name__}: {error}")
        return 0


@DBOS.workflow(name="combine_again", max_recovery_attempts=1000)
async def combine_again(execution_id: str, revision: int) -> int:
    """Make the files of a later revision. Returns how many there are."""
    try:
        return await _combine(execution_id, revision)
    except Exception as error:
        await _give_up_revision(execution_id, revision, f"{type(error).__name__}: {error}")
        return 0


@DBOS.workflow(name="deliver", max_recovery_attempts=1000)
async def deliver(delivery_id: str, attempt: int) -> int:
    """Tell a webhook; the next attempt, if there is to be one, is queued when it is due."""
    try:
        await _deliver(delivery_id)
    except Exception as error:
        await _postpone(delivery_id, f"{type(error).__name__}: {error}")
    return attempt


#: A step that fails is tried again with growing waits: a disk may be full for a while.
_PATIENT: dict[str, Any] = {"retries_allowed": True, "max_attempts": 6, "interval_seconds": 1.0}


@DBOS.step(name="begin", **_PATIENT)
async def _begin(execution_id: str) -> bool:
    return await _here().begin(execution_id)


@DBOS.step(name="hand_out", **_PATIENT)
async def _hand_out(execution_id: str, batch: int) -> list[int]:
    return await _here().hand_out(execution_id, batch)


@DBOS.step(name="work_shard", **_PATIENT)
async def _work_shard(execution_id: str, number: int) -> int:
    return await _here().work_shard(execution_id, number)


@DBOS.step(name="drop_shard", **_PATIENT)
async def _drop_shard(execution_id: str, number: int, reason: str) -> None:
    await _here().drop_shard(execution_id, number, reason)


@DBOS.step(name="combine", **_PATIENT)
async def _combine(execution_id: str, revision: int) -> int:
    return await _here().combine(execution_id, revision)


@DBOS.step(name="give_up", **_PATIENT)
async def _give_up(execution_id: str, reason: str) -> None:
    await _here().give_up(execution_id, reason)


@DBOS.step(name="give_up_revision", **_PATIENT)
async def _give_up_revision(execution_id: str, revision: int, reason: str) -> None:
    await _here().give_up_revision(execution_id, revision, reason)


@DBOS.step(name="deliver", **_PATIENT)
async def _deliver(delivery_id: str) -> None:
    await _here().deliver(delivery_id)


@DBOS.step(name="postpone", **_PATIENT)
async def _postpone(delivery_id: str, reason: str) -> None:
    await _here().courier.postpone(delivery_id, reason)


class Engine:
    """The durable engine of this process: launched once, woken by triggers, drained at the end."""

    def __init__(self, worker: Worker, folder: Path) -> None:
        self._worker = worker
        self._path = folder / "engine.db"
        self._wake = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None

    @property
    def fetcher(self) -> Fetcher:
        """For single requests, which are no executions."""
        return self._worker.fetcher

    @property
    def courier(self) -> Courier:
        """For tests of webhooks, which somebody waits for."""
        return self._worker.courier

    async def launch(self) -> None:
        """Take up unfinished work, then look for new."""
        global _worker
        _worker = self._worker
        _switch_on_wal(self._path)
        DBOS(config=_configuration(self._path))
        DBOS.launch()
        await DBOS.register_queue_async(
            "shards", worker_concurrency=self._worker.slots, polling_interval_sec=POLL
        )
        await DBOS.register_queue_async(
            "executions", worker_concurrency=MOST_EXECUTIONS, polling_interval_sec=POLL
        )
        self._dispatcher = asyncio.create_task(self._dispatch())

    def wake(self) -> None:
        """Say that an execution was queued, or a combination."""
        self._wake.set()

    def signal(self, execution_id: str) -> None:
        """Say that an execution's status was changed: its shards stop, or its parent looks again."""
        self._worker.signal(execution_id)

    async def drain(self) -> None:
        """Stop taking work, record what is under way, and leave the rest to whoever starts next."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dispatcher
        await self._worker.drain()
        await asyncio.to_thread(DBOS.destroy)

    async def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            try:
                for execution_id in await self._worker.database.read(executions.find_waiting):
                    await self._enqueue(execution_id, run_execution, execution_id)
                for pair in await self._worker.database.read(recipes.find_waiting):
                    await self._enqueue(f"{pair[0]}:combine:{pair[1]}", combine_again, *pair)
                for pair in await self._worker.courier.find_due():
                    await self._enqueue(f"{pair[0]}:deliver:{pair[1]}", deliver, *pair)
            except Exception:
                log.exception("dispatch_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), DISPATCH_EVERY)

    async def _enqueue(self, name: str, workflow: Any, *arguments: Any) -> None:
        """Queue a durable workflow; its name is its id, so that doing it again changes nothing."""
        if name in self._worker.dispatched:
            return
        with SetWorkflowID(name), SetEnqueueOptions(priority=1):
            await DBOS.enqueue_workflow_async("executions", workflow, *arguments)
        self._worker.dispatched.add(name)


def _configuration(path: Path) -> DBOSConfig:
    return DBOSConfig(
        name="swath",
        system_database_url=f"sqlite:///{path}",
        db_engine_kwargs={"module": sqlite_module()},
        application_version=APPLICATION_VERSION,
        executor_id="embedded",
        serializer=DBOSPortableJSONSerializer(),
        log_level="ERROR",
        enable_otlp=False,
    )


def _switch_on_wal(path: Path) -> None:
    """Let readers of the engine's database go on while it writes; the file remembers it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
