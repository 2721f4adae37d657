"""One process's work on executions: begin them, hand out their shards, work on shards, combine."""

import asyncio
from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from swath.engine.beginning import Beginning
from swath.engine.changes import NEW, Changes
from swath.engine.combine import Combiner
from swath.engine.courier import Courier
from swath.engine.ending import COMBINE_AGAIN, LOST_FOR_GOOD, end_begun, give_up
from swath.engine.fetcher import Fetcher
from swath.engine.frozen import Opened
from swath.engine.health import Health
from swath.engine.joint import JointPace
from swath.engine.lease import Lease
from swath.engine.live import LiveExecution
from swath.engine.orphans import collect_orphans
from swath.engine.outages import Outages
from swath.engine.pacing import Pacer
from swath.engine.runner import run_shard
from swath.engine.scopes import Tempos, name_tempo
from swath.engine.times import Clock, now_ms
from swath.errors import SwathError, Torn, Unavailable
from swath.flow.execution import TERMINAL, USUAL, Status, rank
from swath.flow.plan import SMALLEST_SHARD, choose_shard_size, count_shards, shard_bounds
from swath.settings import Settings
from swath.store import admission, executions, ledger, limits, shards, waits
from swath.store import torn as torn_pages
from swath.store.admission import Room
from swath.store.agenda import Agenda, look
from swath.store.database import Connection, Database, Row
from swath.store.objects import Objects
from swath.store.work import Work, find_expected

log = structlog.get_logger()

#: What `combine` returns where it found pages lost, which are to be fetched again first.
REOPENED = -1

#: Seconds after which a state is looked at again where nobody told of a change.
LOOK_AGAIN = 5.0
#: Workers that an execution is cut for where there are fewer: others may come while it runs.
WORKERS_TO_COME = 2
#: Executions of which it is remembered what was learnt of their exits and tokens, while no shard is here.
MOST_RESTING = 8


@dataclass(kw_only=True)
class Worker:
    """Everything that the steps of the durable engine do, and what they share in this process."""

    settings: Settings
    database: Database
    objects: Objects
    opened: Opened
    fetcher: Fetcher
    pacer: Pacer
    combiner: Combiner
    courier: Courier
    clock: Clock = field(default_factory=Clock)
    tempos: Tempos = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    #: What this process waits for.
    outages: Outages = field(default_factory=Outages)
    live: dict[str, LiveExecution] = field(default_factory=dict)
    #: Executions that this process has queued, so that they are not queued again while they wait.
    dispatched: set[str] = field(default_factory=set)
    draining: bool = False
    #: Steps of the durable engine that are under way. While the process is ending none of them ends.
    steps: int = 0
    #: Held while an item is worked on alone, to see whether this process dies with it.
    trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Where several workers share the database.
    lease: Lease | None = None
    joint: JointPace | None = None
    #: Executions without a shard here, the longest ago first: one may come, and what was learnt still holds.
    _resting: OrderedDict[str, LiveExecution] = field(default_factory=OrderedDict)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Set while this process works on no shard.
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.changes = Changes(self.database)
        scratch = self.settings.data_dir / "scratch"
        self._beginning = Beginning(self.database, self.objects, self.changes, scratch)
        if self.database.shared:
            self.joint = JointPace(self.database, self.changes, self.outages)
            self.pacer.share(self.joint.reserve)
        self._idle.set()

    @property
    def slots(self) -> int:
        """How many shards this process works on at a time."""
        return self.settings.worker_shards

    @property
    def slots_of_all(self) -> int:
        """How many shards all living workers together work on at a time."""
        return self.slots if self.lease is None else self.lease.slots_of_all

    # --- the execution

    async def begin(self, execution_id: str) -> int:
        """Copy the inputs and mark the execution as running, unless that was done.

        Returns the number of the next batch of shards; 0 where it cannot or need not run.
        """
        row = await self.database.read(executions.find_whole, execution_id)
        if row is None or row.status in TERMINAL:
            return 0
        if row.started_at is not None:
            return await self.database.read(shards.next_batch, execution_id)
        try:
            row = await self.combiner.draw_lists(row)
            definition = self.opened.of(row).definition
            await self._beginning.copy_inputs(execution_id, definition)
            if row.parent_id is not None:
                await self._beginning.take_over(row)
        except Unavailable:
            raise  # it is begun again before long
        except SwathError as error:
            await self.fail(execution_id, str(error))
            return 0
        await self._beginning.outlast_pause(execution_id)
        size = await self._shard_size(row, definition.workflow.concurrency)
        await self.database.write(executions.start, execution_id, now_ms(), size)
        return 1

    async def _shard_size(self, row: Row[Any], concurrency: int) -> int:
        """Return how many items make a shard: where workers share an execution, so few that all have some.

        The shards in a worker's places still hold as many items as it may have under way.
        """
        if self.lease is None or row.parent_id is not None:
            return int(row.shard_size)
        await self.lease.take()  # workers may have come since the last beat
        places = max(self.slots_of_all, WORKERS_TO_COME * self.slots)
        smallest = min(-(-concurrency // self.slots), SMALLEST_SHARD)
        return min(int(row.shard_size), choose_shard_size(row.items_total, places, smallest))

    async def fail(self, execution_id: str, reason: str) -> None:
        """Stop an execution for a reason of its own; what was fetched is still combined."""
        active = (Status.QUEUED, Status.RUNNING, Status.PAUSED)
        if await self.database.write(executions.move, execution_id, active, Status.STOPPING, reason):
            await self.database.write(
                ledger.record_event, execution_id, "failed", {"error": reason}, now_ms()
            )
        self.signal(execution_id)

    async def put_off(self, execution_id: str, reason: str) -> None:
        """Pause an execution that has waited for too long; its owner resumes it."""
        await self.database.write(waits.put_off, execution_id, reason, now_ms())
        self.signal(execution_id)

    async def hand_out(self, execution_id: str, batch: int) -> list[int]:
        """Wait for room in the window, then return the shards to work on next; none when all has ended.

        Repeatable: after a crash the same `batch` gives the same shards.
        """
        if known := await self.database.read(shards.find_batch, execution_id, batch):
            return known
        while True:
            change = self.changes.of(execution_id)
            change.clear()
            numbers, ended = await self._try_hand_out(execution_id, batch)
            if numbers or ended:
                return numbers
            await self._wait(change)

    async def _try_hand_out(self, execution_id: str, batch: int) -> tuple[list[int], bool]:
        row, counts = await self.database.read(_look, execution_id)
        if row.status != Status.RUNNING or row.truncated or row.unsettled:
            await self.database.write(shards.withdraw, execution_id)
            row, counts = await self.database.read(_look, execution_id)
        handed = sum(counts.get(state, 0) for state in shards.OUT)
        if row.status == Status.STOPPING or row.truncated:
            return [], handed == 0
        if row.status != Status.RUNNING:
            return [], row.status in TERMINAL
        if row.unsettled:
            if not handed:
                await self.database.write(limits.settle, execution_id)
                self.signal(execution_id)
            return [], False
        total = count_shards(row.items_total, row.shard_size)
        left = total - counts.get("done", 0) - handed
        room = 2 * self.slots_of_all - handed
        if not left or room <= 0:
            return [], not left and not handed
        next_shard = 1 + await self.database.read(shards.last_shard, execution_id)
        fresh = [
            (number, *shard_bounds(row.items_total, row.shard_size, number))
            for number in range(next_shard, min(next_shard + room, total))
        ]
        return await self.database.write(shards.hand_out, execution_id, batch, room, fresh), False

    async def ranks(self, execution_id: str, count: int) -> list[int]:
        """Return the places in the queue of the `count` shards of an execution that were handed out last.

        A shard has had a turn when it was taken, not when it was withdrawn from the queue, as by a pause.
        """
        row = await self.database.read(executions.find, execution_id)
        taken, waiting = await self.database.read(shards.count_turns, execution_id)
        first = max(0, taken + waiting - count)
        return [rank(row.priority if row else USUAL, first + place) for place in range(count)]

    @property
    def has_room(self) -> bool:
        """Tell whether this process could work on another shard."""
        return sum(live.users for live in self.live.values()) < self.slots

    async def find_agenda(self) -> Agenda:
        """Return what is to be begun, with those that the limits let in now; end those whose time is over."""
        room = Room(self.settings.max_running, self.settings.max_running_per_user)
        agenda = await self.database.read(look, room, now_ms(), self.courier.now())
        if agenda.outside:
            await self.database.write(admission.admit, room, now_ms())
            agenda = await self.database.read(look, room, now_ms(), self.courier.now())
        for execution_id, limit in agenda.expired:
            await self.database.write(limits.set_truncated, execution_id, "seconds", limit, now_ms())
            self.signal(execution_id)
        return agenda

    async def find_expected(self) -> Set[Work]:
        """Return what the durable engine must have under way."""
        return await self.database.read(find_expected, now_ms(), self.courier.now())

    async def combine(self, execution_id: str, revision: int) -> int:
        """Make a revision's files; the first ends the execution. Returns how many files there are.

        Where that was done before the process died, the execution may have been removed since. And where
        pages were found lost then, they have yet to be fetched.
        """
        if await self.database.read(executions.find, execution_id) is None:
            return 0
        if not revision and await self.database.read(_goes_on, execution_id):
            return REOPENED
        if revision:
            return await self._combine_again(execution_id, revision)
        patient = partial(self.outages.outlast, whose=execution_id)
        await end_begun(self.database, self.objects, self.opened, execution_id, patient)
        try:
            files = await self.combiner.combine(execution_id, revision)
        except Torn as torn:
            await self._reopen(execution_id, torn)
            return REOPENED
        self.changes.forget(execution_id)
        self._resting.pop(execution_id, None)
        self.changes.tell(NEW)  # who waits for its place, takes its rows or is told of its end
        await collect_orphans(self.database, self.objects, execution_id)
        return files

    async def _combine_again(self, execution_id: str, revision: int) -> int:
        try:
            return await self.combiner.combine_again(execution_id, revision)
        except Torn as torn:
            await self.give_up_revision(execution_id, revision, str(torn), LOST_FOR_GOOD)
            return 0

    async def _reopen(self, execution_id: str, torn: Torn) -> None:
        """Have the pages of a damaged or missing segment fetched again."""
        log.error("segment_damaged", execution=execution_id, reason=str(torn))
        await self.database.write(torn_pages.reopen, execution_id, torn.segment, torn.offset, now_ms())

    async def give_up(self, execution_id: str, reason: str) -> None:
        """End an execution that nothing can be made of; its responses stay, to be combined another time."""
        log.error("execution_given_up", execution=execution_id, reason=reason)
        await self.database.write(give_up, self.combiner.follow, execution_id, reason, now_ms())
        self.changes.tell(NEW)

    async def give_up_revision(
        self, execution_id: str, revision: int, reason: str, remedy: str = COMBINE_AGAIN
    ) -> None:
        """End a combination that came to nothing; the files of other revisions stay."""
        log.error("combination_given_up", execution=execution_id, revision=revision, reason=reason)
        await self.combiner.end_again(execution_id, revision, error=f"{reason} {remedy}")

    # --- a delivery

    async def deliver(self, delivery_id: str) -> None:
        """Tell a webhook, once."""
        await self.courier.deliver(delivery_id)

    # --- a shard

    async def work_shard(self, execution_id: str, number: int, batch: int) -> int:
        """Work on a shard until it is done or told to stop; extract its rows when it is done.

        One that was withdrawn may come here when its execution has ended and was removed.
        """
        if (live := await self._enter(execution_id)) is None:
            return 0
        try:
            ended, done = await run_shard(live, number, batch)
        finally:
            await self._leave(live)
        if done:
            try:
                await self.combiner.extract(execution_id, number)
            except Torn as torn:
                await self._reopen(execution_id, torn)
        self.changes.tell(execution_id)
        return ended

    async def drop_shard(self, execution_id: str, number: int, reason: str) -> None:
        """Put back a shard that could not be worked on; given up when that happens again and again."""
        log.error("shard_dropped", execution=execution_id, shard=number, reason=reason)
        await self.database.write(shards.drop_shard, execution_id, number)
        self.changes.tell(execution_id)

    async def _enter(self, execution_id: str) -> LiveExecution | None:
        async with self._opening:
            live = self.live.get(execution_id)
            if live is None:
                row = await self.database.read(executions.find_whole, execution_id)
                if row is None:
                    return None
                live = self._resting.pop(execution_id, None)
                live = live or LiveExecution(self, row, self.opened.of(row))
                await live.open(row)
                self.live[execution_id] = live
            else:
                await live.look()  # a limit that was set since must hold from the first request on
            live.users += 1
            self._idle.clear()
            return live

    async def _leave(self, live: LiveExecution) -> None:
        async with self._opening:
            live.users -= 1
            if not live.users:
                self.live.pop(live.id, None)
                await live.close()
                self._resting[live.id] = live
                if len(self._resting) > MOST_RESTING:
                    self._resting.popitem(last=False)
            if not self.live:
                self._idle.set()

    # --- signals

    def signal(self, execution_id: str) -> None:
        """Tell whoever waits on an execution, in any process, that its state has changed."""
        self.changes.tell(execution_id)
        self.hear(execution_id)

    def hear(self, execution_id: str) -> None:
        """Heed what was changed of an execution, here or in another process."""
        self.changes.note(execution_id)
        if execution_id in self.live:
            self.live[execution_id].look_soon()

    def pause(self, key: str, seconds: float) -> None:
        """Hold a scope in this process, and let who waits for it look for another way."""
        self.pacer.pause_for(key, seconds)
        for live in self.live.values():
            live.gate.recheck()

    def strain(self, key: str) -> None:
        """Go slower in a scope that has an automatic pace, for another worker was refused there."""
        if (tempo := self.tempos.get(name_tempo(key))) is not None:
            tempo.strain(self.clock.steady())

    async def drain(self) -> None:
        """Have every shard record what it has, and take no more."""
        self.draining = True
        for live in list(self.live.values()):
            live.stop()
        await self._idle.wait()
        await self.combiner.close()
        await self.fetcher.close()
        await self.changes.close()

    async def pause_while_draining(self) -> None:
        """Never return while the process is ending: the step then counts as unfinished, and is repeated."""
        if self.draining:
            await asyncio.Event().wait()

    async def _wait(self, change: asyncio.Event) -> None:
        await self.pause_while_draining()
        try:
            await asyncio.wait_for(change.wait(), LOOK_AGAIN)
        except TimeoutError:
            return


def _goes_on(connection: Connection, execution_id: str) -> bool:
    """Tell whether an execution still has shards to be worked on, perhaps once it is resumed."""
    row = executions.find(connection, execution_id)
    if row is None or row.status not in (Status.RUNNING, Status.PAUSED):
        return False
    return not shards.is_all_fetched(connection, row)


def _look(connection: Connection, execution_id: str) -> tuple[Row[Any], dict[str, int]]:
    """Return an execution's row and the numbers of its shards by state, of one moment."""
    row = executions.find(connection, execution_id)
    assert row is not None
    return row, shards.count_shards(connection, execution_id)
