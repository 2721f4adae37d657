"""The processes that do the heavy work: the event loop has requests to send."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

import structlog

from swath.engine import extract
from swath.errors import WorkerDied
from swath.store.disk import naming_ailments

T = TypeVar("T")

log = structlog.get_logger()

#: Deaths of worker processes that a piece of work may see: another one's death ends those of all.
MOST_DEATHS = 4


class Workers:
    """As many processes as there are cores, started when first needed, and anew when one of them has died."""

    def __init__(self) -> None:
        self.count = os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, work: Callable[[Any], T], job: Any) -> T:
        """Have a process do a piece of work that can be repeated.

        Raises Unavailable where the disk fails it, and WorkerDied where it kills whoever does it.
        """
        for _ in range(MOST_DEATHS):
            pool = self._open()
            try:
                with naming_ailments():
                    # In a thread: it may start a process, and waits for that.
                    submitted = await asyncio.to_thread(pool.submit, work, job)
                    return await asyncio.wrap_future(submitted)
            except BrokenExecutor:  # one of them was killed, perhaps for want of memory
                self._forget(pool)
        raise WorkerDied(
            f"The processes that write files died {MOST_DEATHS} times over the same work; "
            "this machine may lack memory for it."
        )

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Its processes are copies of one that has loaded what they need, and share that.
            context = get_context("forkserver")
            context.set_forkserver_preload([extract.__name__])
            self._pool = ProcessPoolExecutor(self.count, mp_context=context, initializer=extract.start_worker)
        return self._pool

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        """Take no more from a pool of which a process died; the first to notice does it."""
        if self._pool is pool:
            log.warning("worker_process_died")
            self._pool = None
            pool.shutdown(wait=False)

    async def close(self) -> None:
        """Let the processes end what they are at, and go."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
