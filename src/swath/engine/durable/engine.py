"""The durable engine of a process: it takes up what is unfinished, and queues what waits to be begun."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from swath.engine.changes import NEW
from swath.engine.courier import Courier
from swath.engine.durable.configuration import configure, configure_shared, switch_on_wal
from swath.engine.durable.lost import find_known, name_work
from swath.engine.durable.workflows import combine_again, deliver, run_execution, work_for
from swath.engine.fetcher import Fetcher
from swath.engine.joint import heed
from swath.engine.lease import Lease
from swath.engine.outages import Outages
from swath.engine.tasks import end
from swath.engine.times import now_ms
from swath.engine.worker import Worker
from swath.errors import Unavailable
from swath.store import work
from swath.store.database import PostgresDatabase
from swath.store.retention import claim
from swath.store.sqlite import bear_ailments, try_disk

log = structlog.get_logger()

#: Seconds between looks for work on a queue, of which each costs some 2 ms of CPU: less often for executions
#: where every worker's looks meet in one database. And for queued executions where nobody woke us.
POLL, SHARED_POLL = 0.2, 0.5
DISPATCH_EVERY = 1.0
#: Executions that one process has begun and not ended; more wait in the queue. Paused ones count, and cost
#: no more than a sleeping task.
MOST_EXECUTIONS = 1_000
#: How a durable workflow stands that nobody works on any more.
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
#: Seconds within which the durable engine comes to rest, where it can.
REST = 5.0
#: Seconds between looks for work that was lost, over all processes.
MEND_EVERY = 60.0


class Engine:
    """The durable engine of this process: launched once, woken by triggers, drained at the end."""

    #: What this process is called among others.
    name = "embedded"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._wake = worker.changes.of(NEW)
        self._tasks: list[asyncio.Task[None]] = []
        self._durable: DBOS

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
        work_for(self._worker)
        database = self._worker.database
        if isinstance(database, PostgresDatabase):
            await self._join(database)
        else:
            path = self._worker.settings.data_dir / "engine.db"
            switch_on_wal(path)
            self._heed_disk(path)
            self._durable = DBOS(config=configure(path))
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
            self._keep_doing(self._worker.lease.keep())

    async def _join(self, database: PostgresDatabase) -> None:
        """Become one worker among others: each has a name of its own, and a lease before it has any work."""
        name = self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        seconds = self._worker.settings.worker_lease
        self._worker.lease = Lease(database, name, self._worker.slots, _recover, seconds, self.outages)
        await self._worker.lease.take()
        self._durable = DBOS(
            config=configure_shared(database.url.render_as_string(hide_password=False), name)
        )

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
        """Stop taking work, record what is under way, and leave the rest to whoever starts next.

        Each part ends before what it needs: the durable engine last, when it is amid nothing any more.
        """
        dispatcher, *others = self._tasks
        await end(dispatcher)
        await asyncio.to_thread(self._stop_looking)
        await self._worker.drain()  # with the lease kept: what is under way is still ours
        await self._come_to_rest()
        await asyncio.gather(*map(end, self._durable._workflow_tasks), return_exceptions=True)
        for task in others:
            await end(task)
        await asyncio.to_thread(DBOS.destroy)
        if self._worker.lease is not None:
            await self._worker.lease.drop()

    def _stop_looking(self) -> None:
        """Have the threads end that look for work on the queues."""
        for event in self._durable.background_thread_stop_events:
            event.set()
        until = time.monotonic() + REST
        for thread in threading.enumerate():
            if thread.name.startswith("queue-worker-"):
                thread.join(max(0.0, until - time.monotonic()))

    async def _come_to_rest(self) -> None:
        """Wait until the durable engine is amid steps only, of which none ends any more."""
        with contextlib.suppress(TimeoutError):  # where the database is away it never does
            async with asyncio.timeout(REST):
                await asyncio.sleep(0)  # what its threads have taken last is begun
                while len(self._durable._active_workflows_set.activeList()) > self._worker.steps:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # it tells nobody

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
        waiting = (await self._worker.find_agenda()).waiting
        self._worker.dispatched &= {name_work(each) for each in waiting}
        for each in waiting:
            await self._enqueue(each)

    async def mend(self) -> None:
        """Take up again what the durable engine has lost of what our tables say is under way."""
        expected = await self._worker.find_expected()
        missing = expected - await asyncio.to_thread(find_known, DBOS.list_workflows, expected)
        if not missing:
            return
        # What ended while we looked is not lost.
        for each in missing & await self._worker.find_expected():
            name = name_work(each)
            log.warning("work_lost", execution=each.execution_id, work=name)
            if isinstance(each, work.Shard):
                await self._worker.drop_shard(each.execution_id, each.number, "the durable engine lost it")
                continue
            for vain in await DBOS.list_workflows_async(workflow_ids=[name], status=ENDED):
                await DBOS.delete_workflows_async([vain.workflow_id])
            self._worker.dispatched.discard(name)
            await self._enqueue(each)

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

    async def _enqueue(self, each: work.Work) -> None:
        """Queue a durable workflow; its name is its id, so that doing it again changes nothing."""
        name = name_work(each)
        if name in self._worker.dispatched:
            return
        workflow, *arguments = _find_call(each)
        with SetWorkflowID(name), SetEnqueueOptions(priority=1):
            await DBOS.enqueue_workflow_async("executions", workflow, *arguments)
        self._worker.dispatched.add(name)


def _find_call(each: work.Work) -> tuple[Any, ...]:
    """Return the durable workflow that does some work, and what it is to be called with."""
    match each:
        case work.Execution(id):
            return run_execution, id
        case work.Combination(id, revision):
            return combine_again, id, revision
        case work.Delivery(_, id, attempts):
            return deliver, id, attempts
        case work.Shard():
            raise AssertionError("Shards are queued by their execution.")


async def _recover(workers: Sequence[str]) -> None:
    """Put the work of dead workers back into the queues, for whoever is free."""
    await asyncio.to_thread(DBOS._recover_pending_workflows, list(workers))
