"""The durable engine: the only module that knows DBOS.

Its workflows are tiny and stable, all logic is in steps, arguments are ids and results are counts. What
is true of an execution stands in our own tables; the engine only makes sure that somebody works on it.
"""

import asyncio
import contextlib
import os
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID

from swath.engine.changes import NEW
from swath.engine.courier import Courier
from swath.engine.fetcher import Fetcher
from swath.engine.joint import heed
from swath.engine.lease import Lease
from swath.engine.outages import Outages
from swath.engine.times import now_ms
from swath.engine.worker import REOPENED, Worker
from swath.errors import Unavailable
from swath.settings import Settings
from swath.store import work
from swath.store.database import PostgresDatabase, sqlite_module
from swath.store.postgres import ABANDONED_AFTER, OPTIONS, read_url
from swath.store.retention import claim
from swath.store.sqlite import bear_ailments, try_disk
from swath.store.work import Work

T = TypeVar("T")

log = structlog.get_logger()

#: Work that was begun under one version is only gone on with under the same; ours never changes by itself.
APPLICATION_VERSION = "1"
#: Seconds between looks for work on a queue, of which each costs some 2 ms of CPU: less often for executions
#: where every worker's looks meet in one database. And for queued executions where nobody woke us.
POLL, SHARED_POLL = 0.2, 0.5
DISPATCH_EVERY = 1.0
#: Executions that one process has begun and not ended; more wait in the queue. Paused ones count, and cost
#: no more than a sleeping task.
MOST_EXECUTIONS = 1_000
#: How a durable workflow stands that nobody works on any more.
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
#: How one stands that somebody works on, or will.
UNENDED = ["ENQUEUED", "PENDING", "DELAYED"]
#: Seconds between looks for work that was lost, over all processes, and names that are looked for at a time.
MEND_EVERY, SLICE = 60.0, 500
#: Where its tables are in a database that is shared.
SCHEMA = "swath_engine"
#: Connections of the durable engine to PostgreSQL.
ENGINE_CONNECTIONS = 8

_worker: Worker | None = None


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
        await _give_up(execution_id, f"{type(error).__name__}: {error}")
    return handed


async def _fan_out(execution_id: str, handed: int, batch: int) -> tuple[int, int]:
    """Queue shards for as long as any are handed out; return how many there have been, and the next batch."""
    while numbers := await _hand_out(execution_id, batch):
        for number in numbers:
            priority = await _outlast(partial(_here().rank, execution_id, handed), execution_id)
            name = name_work(Work(execution_id, number, batch))
            with SetWorkflowID(name), SetEnqueueOptions(priority=priority):
                await DBOS.enqueue_workflow_async("shards", run_shard, execution_id, number)
            handed += 1
        batch += 1
    return handed, batch


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


async def _outlast(call: Callable[[], Awaitable[T]], whose: str = "") -> T:
    return await _here().outages.outlast(call, whose)


#: A step that fails is tried again with growing waits: a disk may be full for a while.
_PATIENT: dict[str, Any] = {"retries_allowed": True, "max_attempts": 6, "interval_seconds": 1.0}


@DBOS.step(name="begin", **_PATIENT)
async def _begin(execution_id: str) -> int:
    return await _outlast(lambda: _here().begin(execution_id), execution_id)


@DBOS.step(name="hand_out", **_PATIENT)
async def _hand_out(execution_id: str, batch: int) -> list[int]:
    return await _outlast(lambda: _here().hand_out(execution_id, batch), execution_id)


@DBOS.step(name="work_shard", **_PATIENT)
async def _work_shard(execution_id: str, number: int) -> int:
    assert DBOS.workflow_id is not None
    batch = int(DBOS.workflow_id.rsplit(":", 1)[1])
    return await _outlast(lambda: _here().work_shard(execution_id, number, batch), execution_id)


@DBOS.step(name="drop_shard", **_PATIENT)
async def _drop_shard(execution_id: str, number: int, reason: str) -> None:
    await _outlast(lambda: _here().drop_shard(execution_id, number, reason), execution_id)


@DBOS.step(name="combine", **_PATIENT)
async def _combine(execution_id: str, revision: int) -> int:
    return await _outlast(lambda: _here().combine(execution_id, revision), execution_id)


@DBOS.step(name="give_up", **_PATIENT)
async def _give_up(execution_id: str, reason: str) -> None:
    await _outlast(lambda: _here().give_up(execution_id, reason), execution_id)


@DBOS.step(name="give_up_revision", **_PATIENT)
async def _give_up_revision(execution_id: str, revision: int, reason: str) -> None:
    await _outlast(lambda: _here().give_up_revision(execution_id, revision, reason), execution_id)


@DBOS.step(name="deliver", **_PATIENT)
async def _deliver(delivery_id: str) -> None:
    await _outlast(lambda: _here().deliver(delivery_id))


@DBOS.step(name="postpone", **_PATIENT)
async def _postpone(delivery_id: str, reason: str) -> None:
    await _outlast(lambda: _here().courier.postpone(delivery_id, reason))


class Engine:
    """The durable engine of this process: launched once, woken by triggers, drained at the end."""

    #: What this process is called among others.
    name = "embedded"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._wake = worker.changes.of(NEW)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def fetcher(self) -> Fetcher:
        """For single requests, which are no executions."""
        return self._worker.fetcher

    @property
    def courier(self) -> Courier:
        """For tests of webhooks, which somebody waits for."""
        return self._worker.courier

    @property
    def outages(self) -> Outages:
        """What this process waits for."""
        return self._worker.outages

    async def launch(self) -> None:
        """Take up unfinished work, then look for new."""
        global _worker
        _worker = self._worker
        database = self._worker.database
        if isinstance(database, PostgresDatabase):
            await self._join(database)
        else:
            path = self._worker.settings.data_dir / "engine.db"
            _switch_on_wal(path)
            self._heed_disk(path)
            DBOS(config=configure(path))
        DBOS.launch()
        await DBOS.register_queue_async(
            "shards", worker_concurrency=self._worker.slots, polling_interval_sec=POLL
        )
        await DBOS.register_queue_async(
            "executions",
            worker_concurrency=MOST_EXECUTIONS,
            polling_interval_sec=SHARED_POLL if database.shared else POLL,
        )
        self._keep_doing(self._dispatch())
        self._keep_doing(self._keep_mending())
        self._keep_doing(self._worker.changes.listen(self._hear))
        self._keep_doing(self.outages.keep_telling(database))
        if self._worker.lease is not None:
            self._keep_doing(self._worker.lease.keep(self.outages))

    async def _join(self, database: PostgresDatabase) -> None:
        """Become one worker among others: each has a name of its own, and a lease before it has any work."""
        name = self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        seconds = self._worker.settings.worker_lease
        self._worker.lease = Lease(database, name, self._worker.slots, _recover, seconds)
        await self._worker.lease.take()
        DBOS(config=configure_shared(database.url.render_as_string(hide_password=False), name))

    def _heed_disk(self, path: Path) -> None:
        """Have the durable engine wait for a disk that is full, and say so."""
        loop = asyncio.get_running_loop()
        watch: set[asyncio.Task[None]] = set()

        def look() -> None:
            if not watch:
                call = self.outages.outlast(lambda: asyncio.to_thread(try_disk, path))
                watch.add(task := asyncio.ensure_future(call))
                task.add_done_callback(watch.discard)

        bear_ailments(path, lambda: loop.call_soon_threadsafe(look))

    def _keep_doing(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def _hear(self, text: str) -> None:
        """Heed what another process told."""
        if not heed(text, self._worker.pause, self._worker.strain):
            self._worker.hear(text)

    def wake(self) -> None:
        """Say that an execution was queued, or a combination."""
        self._wake.set()

    def signal(self, execution_id: str) -> None:
        """Say that an execution's status was changed: its shards stop, or its parent looks again."""
        self._worker.signal(execution_id)

    async def forget(self, execution_id: str) -> None:
        """Remove what the durable engine keeps of an execution that has ended."""
        while found := await DBOS.list_workflows_async(
            workflow_id_prefix=execution_id, status=ENDED, limit=1_000, load_input=False, load_output=False
        ):
            await DBOS.delete_workflows_async([each.workflow_id for each in found])

    async def drain(self) -> None:
        """Stop taking work, record what is under way, and leave the rest to whoever starts next."""
        dispatcher, *others = self._tasks
        await _end(dispatcher)
        await self._worker.drain()  # with the lease kept: what is under way is still ours
        await asyncio.to_thread(DBOS.destroy)
        for task in others:
            await _end(task)
        if self._worker.lease is not None:
            await self._worker.lease.drop()

    async def _dispatch(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.outages.outlast(self._look_for_work)
            except Exception:
                log.exception("dispatch_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), DISPATCH_EVERY)

    async def _look_for_work(self) -> None:
        """Queue whatever waits to be begun."""
        agenda = await self._worker.find_agenda()
        waiting: dict[str, tuple[Any, ...]] = {id: (run_execution, id) for id in agenda.executions}
        for id, revision in agenda.combinations:
            waiting[f"{id}:combine:{revision}"] = (combine_again, id, revision)
        for id, told, attempts in agenda.deliveries:
            waiting[f"{id}:deliver:{told}:{attempts}"] = (deliver, told, attempts)
        self._worker.dispatched &= waiting.keys()
        for name, call in waiting.items():
            await self._enqueue(name, *call)

    async def mend(self) -> None:
        """Take up again what the durable engine has lost of what our tables say is under way."""
        database = self._worker.database
        expected = await database.read(work.find_expected, now_ms())
        missing = expected - await asyncio.to_thread(_find_known, DBOS.list_workflows, expected)
        if not missing:
            return
        # What ended while we looked is not lost.
        for each in missing & await database.read(work.find_expected, now_ms()):
            log.warning("work_lost", execution=each.execution_id, shard=each.shard)
            if each.shard is not None:
                await self._worker.drop_shard(each.execution_id, each.shard, "the durable engine lost it")
                continue
            name = name_work(each)
            await DBOS.delete_workflows_async([name])  # which may have ended in vain
            self._worker.dispatched.discard(name)
            await self._enqueue(name, run_execution, each.execution_id)

    async def _keep_mending(self) -> None:
        while True:
            try:
                if await self._worker.database.write(claim, "mending", now_ms(), round(MEND_EVERY * 1e3)):
                    await self.mend()
            except Unavailable:
                pass  # whoever needs the database tells of its outage
            except Exception:
                log.exception("mending_failed")
            await asyncio.sleep(MEND_EVERY)

    async def _enqueue(self, name: str, workflow: Any, *arguments: Any) -> None:
        """Queue a durable workflow; its name is its id, so that doing it again changes nothing."""
        if name in self._worker.dispatched:
            return
        with SetWorkflowID(name), SetEnqueueOptions(priority=1):
            await DBOS.enqueue_workflow_async("executions", workflow, *arguments)
        self._worker.dispatched.add(name)


def name_work(work: Work) -> str:
    """Return the id of the durable workflow that an execution, or a shard of it, is worked on by."""
    return work.execution_id if work.shard is None else f"{work.execution_id}:{work.shard}:{work.batch}"


def find_lost(settings: Settings, expected: Set[Work]) -> Set[Work]:
    """Return what nobody works on any more, as the durable engine's tables have it: for who only looks."""
    if settings.database_url:
        place = read_url(settings.database_url).render_as_string(hide_password=False)
    elif (path := settings.data_dir / "engine.db").exists():
        place = f"sqlite:///{path}"
    else:
        return expected
    client = DBOSClient(system_database_url=place, dbos_system_schema=SCHEMA)
    try:
        return expected - _find_known(client.list_workflows, expected)
    finally:
        client.destroy()


def _find_known(list_workflows: Callable[..., Sequence[Any]], expected: Set[Work]) -> Set[Work]:
    """Return what of some work has a durable workflow that has not ended."""
    names = {name_work(each): each for each in expected}
    known: set[Work] = set()
    for some in (list(names)[at : at + SLICE] for at in range(0, len(names), SLICE)):
        found = list_workflows(workflow_ids=some, status=UNENDED, load_input=False, load_output=False)
        known.update(names[each.workflow_id] for each in found)
    return known


async def _recover(workers: Sequence[str]) -> None:
    """Put the work of dead workers back into the queues, for whoever is free."""
    await asyncio.to_thread(DBOS._recover_pending_workflows, list(workers))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def configure(path: Path) -> DBOSConfig:
    """Return how the durable engine works on a file, for the one process there is."""
    own = DBOSConfig(
        system_database_url=f"sqlite:///{path}",
        db_engine_kwargs={"module": sqlite_module()},
        executor_id="embedded",
    )
    return own | _ALWAYS


def configure_shared(url: str, name: str) -> DBOSConfig:
    """Return how it works on a PostgreSQL database, for a process with a name of its own.

    Where that is cut off, its connections end as ours do.
    """
    own = DBOSConfig(
        system_database_url=url,
        # A connection that the server has closed is noticed when it is used, and the work tried again: to ask
        # before each use would double the transactions of a process that only looks for work.
        db_engine_kwargs={"connect_args": dict(OPTIONS), "pool_pre_ping": False},
        sys_db_idle_transaction_timeout_sec=ABANDONED_AFTER,
        dbos_system_schema=SCHEMA,
        sys_db_pool_size=ENGINE_CONNECTIONS,
        executor_id=name,
    )
    return own | _ALWAYS


_ALWAYS = DBOSConfig(
    name="swath",
    application_version=APPLICATION_VERSION,
    serializer=DBOSPortableJSONSerializer(),
    log_level="ERROR",
    enable_otlp=False,
)


def _switch_on_wal(path: Path) -> None:
    """Let readers of the engine's database go on while it writes; the file remembers it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
