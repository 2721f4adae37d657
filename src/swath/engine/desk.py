"""What a process without a worker has instead of the durable engine: it tells those who work."""

from swath.engine.changes import NEW
from swath.engine.fetcher import Fetcher
from swath.engine.outages import Outages
from swath.engine.worker import Worker


class Desk:
    """Takes what is asked for; workers elsewhere do it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def fetcher(self) -> Fetcher:
        """For single requests, which are no executions."""
        return self._worker.fetcher

    @property
    def outages(self) -> Outages:
        """What this process waits for."""
        return self._worker.outages

    async def launch(self) -> None:
        """Nothing is begun here."""

    def wake(self) -> None:
        """Say that an execution was queued, or a combination."""
        self._worker.changes.tell(NEW)

    def signal(self, execution_id: str) -> None:
        """Say that an execution's status was changed."""
        self._worker.signal(execution_id)

    async def forget(self, execution_id: str) -> None:
        """Only who works sweeps, and has a durable engine that keeps something."""
        raise AssertionError("A process without a worker removes nothing of an execution.")

    async def drain(self) -> None:
        await self._worker.drain()
