"""An execution as one process works on it: its definition compiled once, shared by all its shards."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from swath.engine.allowance import Allowance
from swath.engine.auth import Auth
from swath.engine.budget import Budget
from swath.engine.checkpoint import Checkpoints
from swath.engine.exits import OF_THE_EXIT, Exit, ExitPool
from swath.engine.frozen import Adjustments, Frozen, secrets_of
from swath.engine.gate import Gate
from swath.engine.health import EVERY
from swath.engine.inputs import Inputs
from swath.engine.pacing import Paces
from swath.engine.scopes import Scopes
from swath.engine.silence import Silences
from swath.engine.times import now_ms
from swath.errors import Unavailable
from swath.flow.bodies import decoder, list_paths
from swath.flow.definition import Json, Paginator, ProxyType, Workflow
from swath.flow.execution import Status
from swath.flow.masking import MASK, Masker, visible
from swath.flow.request import RequestTemplate
from swath.flow.verdict import Judge
from swath.store import executions, limits, proxies, shards

if TYPE_CHECKING:  # the worker holds executions, each of which knows its worker
    from swath.engine.worker import Worker

T = TypeVar("T")

log = structlog.get_logger()

#: Characters from which on a secret is masked in stored answers too (settled point 16).
LONG_SECRET = 12
#: Secrets remembered when tokens come and go.
MOST_SECRETS = 50
#: What is reserved of limited rows and bytes at a time.
ROWS, BYTES = 1_000, 4 << 20
#: Seconds of a pause from which on it is an event.
NOTEWORTHY = 5.0


class LiveExecution:
    """One execution in this process, while it works on any of its shards."""

    def __init__(self, worker: "Worker", row: Any, frozen: Frozen) -> None:
        definition = frozen.definition
        self.id: str = row.id
        self.owner_id: str = row.owner_id
        self.worker = worker
        self.clock = worker.clock
        self.definition = definition
        self.workflow = definition.workflow
        self.template = RequestTemplate(definition.endpoint)
        #: For rules and paging a number is a float; rows are read again from the stored body, exactly.
        self.decode = decoder(float, self.workflow.answer_format, list_paths(self.workflow))
        self.judge = Judge(definition.workflow.response_rules)
        #: Whether paging or a rule needs to know what an answer says that came as a success.
        self.looks_inside = row.maximum_rows is not None or counts_rows(self.workflow)
        #: What filters and rules may be filled with.
        self.parameters = {**definition.constants, **definition.parameters}
        self._secrets = secrets_of(definition)
        self.masker = Masker(self._secrets)
        self.auth = Auth(definition, self.clock, self._learn) if self.workflow.auth else None
        #: Counts the changes while the execution runs.
        self.revision = 0
        self._frozen = frozen
        self._adjusted: str | None = row.adjustments
        changes = worker.opened.adjustments(row)
        self.workflow = _adjust(definition.workflow, changes)
        self._use_exits(frozen.exits if changes.exits is None else changes.exits)
        self._scopes = self._lay_scopes()
        self.gate = Gate(worker.pacer, self.workflow.concurrency)
        self.checkpoints = Checkpoints(worker.database, worker.objects, self.id, self.outlast)
        self.users = 0
        #: Held by whoever waits for this worker's lease, and then looks which shards are still its own.
        self._returning = asyncio.Lock()

    def _begin(self, row: Any) -> None:
        """Make anew what lasts as long as shards are here; what is known of exits and tokens lasts longer."""
        place = self.worker.database, self.id
        self.inputs = Inputs(self.worker.objects, self.definition, outlast=self.outlast)
        heard = row.pages > 0
        self.silences = Silences(self.id, self.worker.outages, heard=heard, clock=self.clock.steady)
        self.budget = Budget(*place, row.maximum_requests_count, outlast=self.outlast)
        self.rows = Allowance(*place, "rows", row.maximum_rows, ROWS, outlast=self.outlast)
        self.bytes = Allowance(*place, "bytes", row.maximum_bytes, BYTES, outlast=self.outlast)
        self.stopping = asyncio.Event()
        #: The limit that was reached, as it was noted.
        self._reached: tuple[str, int | None] | None = None
        #: Whether shards are to make way until all that was taken without a limit is recorded.
        self.unsettled = False
        self._committing: asyncio.Task[None] | None = None

    @property
    def limited(self) -> bool:
        """Whether rows or bytes are counted before they are taken."""
        return self.rows.limited or self.bytes.limited

    def _use_exits(self, exits: Sequence[tuple[str, ProxyType, str, Json]]) -> None:
        self.exits = ExitPool(
            [Exit(*exit) for exit in exits],
            sticky=self.workflow.sticky_exits,
            report=self._note_exit,
            clock=self.clock.steady,
        )
        self.hot_swap = self.definition.options.do_proxy_hot_swap and len(self.exits) > 1

    def _lay_scopes(self) -> Scopes:
        tempos = self.worker.tempos if self.workflow.automatic_pace else None
        rate = self.worker.settings.proxy_rate
        return Scopes(self.owner_id, self.definition, self.workflow.rate_limits, rate, tempos)

    async def open(self, row: Any) -> None:
        """Be worked on, for the first time or again; `row` tells how the execution stands."""
        self._begin(row)
        if self.worker.joint is not None:
            for key, seconds in (await self.worker.joint.find_held()).items():
                self.worker.pacer.pause_for(key, seconds)
        self._committing = asyncio.create_task(self.checkpoints.keep_committing(self.look))
        await self.look()

    async def close(self) -> None:
        """Give back what was reserved; all shards have recorded theirs."""
        if self._committing is not None:
            self._committing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._committing
        self.inputs.close()
        self.silences.close()
        await self.checkpoints.commit()
        await self.outlast(lambda: self._write_health(0.0))
        await self.budget.close()
        await self.rows.close()
        await self.bytes.close()

    async def outlast(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a repeatable call again for as long as what it needs is away."""
        return await self.worker.outages.outlast(call, self.id)

    def stop(self) -> None:
        """Have every shard record what it has and let go."""
        self.stopping.set()

    async def look(self) -> None:
        """Stop if the execution is no longer to run; else heed what its owner has changed."""
        with contextlib.suppress(Unavailable):  # it is looked again before long
            await self._look()

    async def _look(self) -> None:
        await self._write_health()
        row = await self.worker.database.read(executions.find, self.id)
        over = row is None or row.status != Status.RUNNING or row.truncated_by == "seconds"
        if row is None or over or self.worker.draining:
            self.stop()
            return
        if row.adjustments != self._adjusted:
            self._adjusted = row.adjustments
            self._heed(self.worker.opened.adjustments(row))
        self.unsettled = row.unsettled is not None
        if self.unsettled:
            self.checkpoints.clear_out()
            self.gate.recheck()
            return
        await self.budget.change(row.maximum_requests_count)
        await self.rows.change(row.maximum_rows)
        await self.bytes.change(row.maximum_bytes)
        await self._make_way(row.priority)

    async def _make_way(self, priority: int) -> None:
        """Have the shard that was held longest let go where another execution waits for its place.

        At most one at a time, once a checkpoint; for one of a higher priority, before its time.
        """
        if self.worker.has_room or (shard := self.checkpoints.oldest()) is None:
            return
        waiting = await self.worker.database.read(shards.find_waiting, self.id)
        if waiting is None or waiting < priority:
            return
        held = self.clock.steady() - shard.opened
        if held >= self.worker.settings.shard_seconds or waiting > priority:
            shard.make_way.set()
            self.gate.recheck()

    def _heed(self, changes: Adjustments) -> None:
        """Work by other settings from now on; what is under way goes on as it began."""
        self.workflow = _adjust(self.definition.workflow, changes)
        self._use_exits(self._frozen.exits if changes.exits is None else changes.exits)
        for key in self._scopes.keys():  # noqa: SIM118 - it is no mapping
            self.worker.pacer.restart(key)
            if self.worker.joint is not None:
                self.worker.joint.restart(key)
        self._scopes = self._lay_scopes()
        self.gate.limit = self.workflow.concurrency
        self.revision += 1
        self.gate.recheck()

    @property
    def may_send(self) -> bool:
        """Tell whether the shards are surely still this worker's."""
        lease = self.worker.lease
        return lease is None or not (lease.has_run_out or self._returning.locked())

    async def come_back(self) -> None:
        """Wait until this worker counts as alive, then learn which shards others have taken meanwhile."""
        async with self._returning:
            lease = self.worker.lease
            if lease is not None and lease.has_run_out:
                await lease.outwait()
                await self.checkpoints.confirm()

    def look_soon(self) -> None:
        self.worker.changes.soon(self.look)

    async def fail(self, reason: str) -> None:
        """End the whole execution for a reason of its own."""
        told = self.masker.mask(reason)
        await self.outlast(lambda: self.worker.fail(self.id, told))

    async def put_off(self, reason: str) -> None:
        """Pause the whole execution for a reason that its owner has to see to."""
        told = self.masker.mask(reason)
        await self.outlast(lambda: self.worker.put_off(self.id, told))

    async def run_out(self, by: str) -> None:
        """Note that a limit is reached: no further shard is handed out; not where it is another by now."""
        limit = self._limit_of(by)
        if self._reached == (by, limit):
            return
        if await self.outlast(
            lambda: self.worker.database.write(limits.set_truncated, self.id, by, limit, now_ms())
        ):
            self._reached = by, limit
        else:
            await self.look()

    @property
    def goes_no_further(self) -> bool:
        """Tell whether no further item is to be begun: it stops, or a limit is reached and was not raised."""
        over = self._reached is not None and self._reached[1] == self._limit_of(self._reached[0])
        return over or self.stopping.is_set()

    def _limit_of(self, by: str) -> int | None:
        if by == "requests":
            return self.budget.limit
        return (self.rows if by == "rows" else self.bytes).limit

    def _note_exit(self, kind: str, data: dict[str, Json]) -> None:
        """Note what became of an exit; a rest of its own, whatever the target, is the proxy's health."""
        if kind == "exit_quarantined" and data["code"] in OF_THE_EXIT:
            self.worker.health.note_rest(data["exit"], data["code"], data["seconds"])
        self.note(kind, data)

    async def _write_health(self, every: float = EVERY) -> None:
        if learnt := self.worker.health.take(self.clock.steady(), every):
            await self.worker.database.write(proxies.note_health, learnt)

    def note(self, kind: str, data: dict[str, Json]) -> None:
        """Note an event of this execution; the next checkpoint records it."""
        self.checkpoints.note(kind, data)

    # --- exits and pace

    def choose_exit(self, target: str, item: int) -> Exit:
        """Return an exit that is well and not held by the target; where all are held, any."""
        exit = self.exits.choose(target, item)
        for _ in range(len(self.exits) - 1):
            if not self.held_for(target, exit):
                break
            self.exits.forget(item)
            exit = self.exits.choose(target, item)
        return exit

    def paces(self, target: str, exit: Exit) -> Paces:
        """Return the paces that a request to the target through the exit must keep."""
        return self._scopes.of(target, exit)

    def held_for(self, target: str, exit: Exit) -> float:
        """Return for how many seconds the scope (target, credential, exit) is held."""
        return self.worker.pacer.paused_for((self._scopes.own(target, exit),))

    def hold(self, target: str, exit: Exit, seconds: float, *, refused: bool = False) -> None:
        """Let nothing more be sent in the scope (target, credential, exit) for some seconds."""
        before = self.held_for(target, exit)
        key = self._scopes.own(target, exit)
        self.worker.pause(key, seconds)
        if self.worker.joint is not None:
            self.worker.joint.hold(key, seconds, refused)
        if seconds - before >= NOTEWORTHY:
            self.note("scope_held", {"target": target, "exit": exit.id, "seconds": round(seconds, 3)})

    def report_success(self, target: str, exit: Exit, seconds: float) -> None:
        """An answer came that can be taken."""
        self.silences.of(target).hear()
        self.exits.report_success(exit, target)
        self.worker.health.note_success(exit, seconds)
        if (tempo := self._scopes.tempo(target, exit)) is not None:
            tempo.succeed()

    def report_trouble(self, target: str, exit: Exit, strained: bool) -> None:
        """The target gave no answer to take; perhaps it was asked too often."""
        if strained and (tempo := self._scopes.tempo(target, exit)) is not None:
            tempo.strain(self.clock.steady())

    # --- secrets

    def _learn(self, secret: str) -> None:
        """Mask a value from now on that nobody knew before."""
        self._secrets = [*self._secrets[-MOST_SECRETS:], secret]
        self.masker = Masker(self._secrets)
        self.note("auth_refreshed", {})

    def mask_echo(self, body: bytes) -> bytes:
        """Mask long secrets that the upstream sent back; all else is kept as it came."""
        for secret in self._secrets:
            if len(secret) >= LONG_SECRET and (echo := secret.encode()) in body:
                body = body.replace(echo, MASK.encode())
        return body

    def visible(self, inputs: dict[str, Json]) -> dict[str, Json]:
        """Return the inputs without the secret ones."""
        return visible(inputs, self.definition.endpoint)


def counts_rows(workflow: Workflow) -> bool:
    """Tell whether answers are looked into while a workflow runs, or only when their rows are extracted."""
    return Judge(workflow.response_rules).looks_inside or workflow.paginator != Paginator()


def _adjust(workflow: Workflow, changes: Adjustments) -> Workflow:
    limits, concurrency = changes.rate_limits, changes.concurrency
    return replace(
        workflow,
        rate_limits=workflow.rate_limits if limits is None else limits,
        concurrency=workflow.concurrency if concurrency is None else concurrency,
    )
