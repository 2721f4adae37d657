"""Group commit: finished pages gather in one open segment per process and execution.

Every second, or after a few megabytes, what has gathered is sealed into object storage, and then one
transaction makes the segment and the progress it stands for true. The pages and the progress are taken
at one moment of the event loop, so they cannot disagree.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog

from swath.engine.outages import Outlast
from swath.engine.times import now_ms
from swath.flow.execution import StopReason
from swath.flow.segment import NOT_COUNTED, FrameEntry, PageRecord, seal
from swath.flow.shard import ShardProgress
from swath.store import checkpoints
from swath.store.checkpoints import ShardLine
from swath.store.database import Database
from swath.store.objects import Objects

log = structlog.get_logger()

#: Seconds between checkpoints.
INTERVAL = 1.0
#: The same where each is an object of remote storage.
REMOTE_INTERVAL = 3.0
#: Seconds between two attempts to record what cannot be, though nothing is away.
INSIST_EVERY = 5.0
#: Bytes of bodies that end the wait early, and that hold back whoever adds more.
SEAL_AT = 4 * 1024 * 1024
HOLD_AT = 32 * 1024 * 1024


@dataclass(slots=True)
class OpenShard:
    """A shard that this process works on: its progress, and what no checkpoint has recorded yet."""

    number: int
    claim: int
    progress: ShardProgress
    pages: list[PageRecord] = field(default_factory=list)
    attempts: int = 0
    tallies: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Mapping[str, Any]] = field(default_factory=list)
    changed: bool = False
    #: Bytes of the bodies in `pages`.
    gathered: int = 0
    #: When it was opened, by the steady clock; and set when it is to make way for another execution's.
    opened: float = 0.0
    make_way: asyncio.Event = field(default_factory=asyncio.Event)
    #: Another worker has claimed the shard: nothing of ours can be committed any more.
    fenced: bool = False

    def add(self, page: PageRecord) -> None:
        """Put a finished page into the open segment."""
        self.pages.append(page)
        self.gathered += len(page.body)
        self.progress.absolve(page.item)
        self.changed = True

    def end(self, item: int, reason: StopReason) -> None:
        """Note that an item ended."""
        self.progress.end(item, reason)
        self.tallies["stop", reason] += 1
        self.changed = True

    def count_attempt(self, amount: int = 1) -> None:
        self.attempts += amount
        self.changed = True

    def fence(self) -> None:
        """Note that another worker has claimed the shard: nothing more is to be asked for."""
        self.fenced = True
        self.make_way.set()

    def take_line(self) -> ShardLine:
        """Return what a checkpoint must record, and begin anew."""
        line = ShardLine(
            number=self.number,
            claim=self.claim,
            progress=self.progress.encode(),
            frame=None,
            generation=self.progress.generation,
            pages=len(self.pages),
            bytes=self.gathered,
            rows=sum(page.rows for page in self.pages if page.rows != NOT_COUNTED),
            attempts=self.attempts,
            tallies=self.tallies,
            failures=self.failures,
        )
        self.pages, self.failures, self.tallies = [], [], Counter()
        self.attempts, self.gathered, self.changed = 0, 0, False
        return line


class Checkpoints:
    """The open segment of one execution in this process."""

    def __init__(self, database: Database, objects: Objects, execution_id: str, outlast: Outlast) -> None:
        self._database = database
        self._outlast = outlast
        self._objects = objects
        self._execution_id = execution_id
        self._shards: dict[int, OpenShard] = {}
        self._events: list[Mapping[str, Any]] = []
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._one_at_a_time = asyncio.Lock()

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Note an event; the next checkpoint records it."""
        self._events.append({"at": now_ms(), "kind": kind, "data": json.dumps(dict(data))})

    def open(self, shard: OpenShard) -> None:
        """Take in a shard that was claimed just now.

        This process may have it still open from before: put back by others who took it for dead, it came
        here again. The earlier one is fenced then, as if another process had claimed it.
        """
        if (earlier := self._shards.get(shard.number)) is not None:
            earlier.fence()
        self._shards[shard.number] = shard

    def clear_out(self) -> None:
        """Have all shards make way."""
        for shard in self._shards.values():
            shard.make_way.set()

    def oldest(self) -> OpenShard | None:
        """Return the shard that was opened before the others, of those that do not make way already."""
        held = (shard for shard in self._shards.values() if not shard.make_way.is_set())
        return min(held, key=lambda shard: shard.opened, default=None)

    async def close(self, shard: OpenShard) -> None:
        """Record all that the shard has left, then forget it."""
        await self.commit()
        if self._shards.get(shard.number) is shard:
            del self._shards[shard.number]

    async def make_room(self) -> None:
        """Ask for a checkpoint when much has gathered, and wait for one when too much has."""
        gathered = sum(shard.gathered for shard in self._shards.values())
        if gathered >= SEAL_AT:
            self._full.set()
        while gathered >= HOLD_AT:
            self._room.clear()
            await self._room.wait()
            gathered = sum(shard.gathered for shard in self._shards.values())

    async def keep_committing(self, every: Callable[[], Any]) -> None:
        """Commit once an interval, or when enough has gathered, until cancelled; look at `every` too."""
        pause = REMOTE_INTERVAL if self._objects.remote else 0.0
        due = time.monotonic() + pause
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), INTERVAL)
            if self._full.is_set() or time.monotonic() >= due:
                await self.commit()
                due = time.monotonic() + pause
            await every()

    async def commit(self) -> None:
        """Record all that has gathered. Tries for as long as it takes: what was fetched is not given up.

        Once begun it goes on to its end when the caller is cancelled: pages that were taken out of the
        open segment and not recorded would be lost, while a later checkpoint would call them done.
        """
        await asyncio.shield(asyncio.ensure_future(self._commit()))

    async def confirm(self) -> None:
        """Record how all shards stand, changed or not: those that others have claimed are fenced by that."""
        for shard in self._shards.values():
            shard.changed = True
        await self.commit()

    async def _commit(self) -> None:
        async with self._one_at_a_time:
            changed = [shard for shard in self._shards.values() if shard.changed and not shard.fenced]
            if not changed and not self._events:
                return
            events, self._events = self._events, []
            pages = {shard.number: shard.pages for shard in changed if shard.pages}
            lines = [shard.take_line() for shard in changed]
            self._full.clear()
            self._room.set()
            for number in await self._record(pages, lines, events):
                next(shard for shard in changed if shard.number == number).fence()

    async def _record(
        self,
        pages: Mapping[int, Sequence[PageRecord]],
        lines: Sequence[ShardLine],
        events: Sequence[Mapping[str, Any]],
    ) -> list[int]:
        """Make lines true; return the numbers of the shards that are another's."""
        mark = uuid4().hex
        sealed = await asyncio.to_thread(seal, pages) if pages else None

        async def record() -> list[int]:
            if sealed is not None:
                await self._keep_segment(f"segments/{self._execution_id}/{mark}.seg", *sealed, lines)
            return await self._database.write(
                checkpoints.commit_checkpoint, self._execution_id, lines, events, mark, now=now_ms()
            )

        return await self._insist(record)

    async def _insist(self, record: Callable[[], Awaitable[list[int]]]) -> list[int]:
        """Record whatever comes between: an outage, or a fault of ours that a new version may mend."""
        while True:
            try:
                return await self._outlast(record)
            except Exception:
                log.exception("checkpoint_failed", execution=self._execution_id)
                await asyncio.sleep(INSIST_EVERY)

    async def _keep_segment(
        self, name: str, data: bytes, entries: Sequence[FrameEntry], lines: Sequence[ShardLine]
    ) -> None:
        await self._objects.put(name, data)
        frames = {entry.shard: _place(name, entry) for entry in entries}
        for line in lines:
            line.frame = frames.get(line.number)


def _place(name: str, entry: FrameEntry) -> tuple[str, int, int, int, int, int]:
    return name, entry.offset, entry.length, len(entry.pages), *entry.first
