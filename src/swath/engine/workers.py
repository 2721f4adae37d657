"""The processes that do the heavy work: the event loop has requests to send."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from swath.engine.extract import start_worker
from swath.store.disk import naming_ailments

T = TypeVar("T")


class Workers:
    """As many processes as there are cores, started when first needed."""

    def __init__(self) -> None:
        self.count = os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, work: Callable[[Any], T], job: Any) -> T:
        """Have a process do it. Raises Unavailable where the disk fails it."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=get_context("spawn"), initializer=start_worker
            )
        pool = self._pool
        try:
            with naming_ailments():
                return await asyncio.get_running_loop().run_in_executor(pool, work, job)
        except BrokenExecutor:  # one of them was killed, perhaps for want of memory
            if self._pool is pool:
                self._pool = None
                pool.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Let the processes end what they are at, and go."""
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
