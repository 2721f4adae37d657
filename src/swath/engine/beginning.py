"""What precedes an execution's first request: its inputs are copied, and of a retry the shards are laid."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import msgspec

from swath.engine.changes import Changes
from swath.engine.inputs import freeze
from swath.errors import Damaged
from swath.flow.definition import Definition
from swath.flow.execution import Status, reason_left
from swath.flow.plan import count_shards
from swath.flow.renewal import Choice
from swath.store import executions, retries
from swath.store.database import Database, Row
from swath.store.objects import Objects

#: Seconds after which an execution is looked at again where nobody told of a change.
LOOK_AGAIN = 2.0


class Beginning:
    """Makes executions ready to run, and leaves off where one is cancelled meanwhile."""

    def __init__(self, database: Database, objects: Objects, changes: Changes, scratch: Path) -> None:
        self._database = database
        self._objects = objects
        self._changes = changes
        self._scratch = scratch

    async def copy_inputs(self, execution_id: str, definition: Definition) -> None:
        """Copy the collections that an execution reads; nothing is copied for one that is cancelled."""
        stop = threading.Event()
        working = asyncio.ensure_future(self._copy(definition, stop))
        change = self._changes.of(execution_id)
        try:
            while not (working.done() or stop.is_set()):
                change.clear()
                if await self._status(execution_id) in (None, Status.STOPPING):
                    stop.set()
                else:
                    await _wait_for(change, working)
            await working
        finally:  # where the process ends amid it, that ends with it
            stop.set()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _copy(self, definition: Definition, stop: threading.Event) -> None:
        for axis in definition.axes:
            if axis.snapshot is not None and not stop.is_set():
                await freeze(self._database, self._objects, *axis.snapshot, self._scratch, stop)

    async def take_over(self, row: Row[Any]) -> None:
        """Lay the shards of a retry as its parent left them; again where that was done in part."""
        parent = await self._database.read(executions.find, row.parent_id)
        if parent is None:
            raise Damaged("The execution that this one is a retry of is gone.")
        choice = msgspec.json.decode(row.choice, type=Choice)
        left = reason_left(parent.truncated_by)
        numbers = range(count_shards(row.items_total, row.shard_size))
        for some in (numbers[at : at + retries.SLICE] for at in numbers[:: retries.SLICE]):
            await self._database.write(retries.take_over, row, some, choice, left)

    async def outlast_pause(self, execution_id: str) -> None:
        """Wait for as long as an execution that has not started is paused."""
        change = self._changes.of(execution_id)
        change.clear()
        while await self._status(execution_id) == Status.PAUSED:
            await _wait_for(change)
            change.clear()

    async def _status(self, execution_id: str) -> str | None:
        row = await self._database.read(executions.find, execution_id)
        return None if row is None else str(row.status)


async def _wait_for(change: asyncio.Event, *work: asyncio.Future[Any]) -> None:
    """Wait until something changes, or some work is done."""
    changed: asyncio.Future[Any] = asyncio.ensure_future(change.wait())
    await asyncio.wait((changed, *work), timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
    changed.cancel()
