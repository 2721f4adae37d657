"""An execution as one process works on it: its definition compiled once, shared by all its shards."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from swath.engine.blocks import Elements
from swath.engine.budget import Budget
from swath.engine.checkpoint import Checkpoints
from swath.engine.exits import Exit, ExitPool
from swath.engine.frozen import Frozen, secrets_of
from swath.engine.scopes import Scopes
from swath.flow.definition import Json
from swath.flow.execution import Status
from swath.flow.masking import MASK, Masker
from swath.flow.plan import Plan
from swath.flow.request import RequestTemplate
from swath.flow.verdict import Judge
from swath.store import executions

if TYPE_CHECKING:  # the worker holds executions, each of which knows its worker
    from swath.engine.worker import Worker

log = structlog.get_logger()

#: Characters from which on a secret is masked in stored answers too (settled point 16).
LONG_SECRET = 12


class LiveExecution:
    """One execution in this process, while it works on any of its shards."""

    def __init__(self, worker: "Worker", row: Any, frozen: Frozen) -> None:
        definition = frozen.definition
        self.id: str = row.id
        self.owner_id: str = row.owner_id
        self.worker = worker
        self.definition = definition
        self.workflow = definition.workflow
        self.template = RequestTemplate(definition.endpoint)
        self.judge = Judge(definition.workflow.response_rules)
        self.plan = Plan(
            definition.axes, definition.workflow.join, definition.constants, Elements(worker.objects)
        )
        #: What filters and rules may be filled with.
        self.parameters = {**definition.constants, **definition.parameters}
        self.masker = Masker(secrets_of(definition))
        self._echoes = [secret.encode() for secret in secrets_of(definition) if len(secret) >= LONG_SECRET]
        self.exits = ExitPool([Exit(*exit) for exit in frozen.exits], report=self.note)
        self.hot_swap = definition.options.do_proxy_hot_swap and len(self.exits) > 1
        self._scopes = Scopes(self.owner_id, definition, worker.settings.proxy_rate)
        self.budget = Budget(worker.database, self.id, row.maximum_requests_count)
        self.checkpoints = Checkpoints(worker.database, worker.objects, self.id)
        #: One for each request that may be under way.
        self.slots = asyncio.Semaphore(definition.workflow.concurrency)
        self.stopping = asyncio.Event()
        self.users = 0
        self._committing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, worker: "Worker", row: Any) -> "LiveExecution":
        live = cls(worker, row, worker.opened.of(row))
        live._committing = asyncio.create_task(live.checkpoints.keep_committing(live.look))
        await live.look()
        return live

    async def close(self) -> None:
        """Give back what was reserved; all shards have recorded theirs."""
        if self._committing is not None:
            self._committing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._committing
        await self.checkpoints.commit()
        await self.budget.close()

    def stop(self) -> None:
        """Have every shard record what it has and let go."""
        self.stopping.set()

    async def look(self) -> None:
        """Stop if the execution is no longer to run."""
        row = await self.worker.database.read(executions.find, self.id)
        if row is None or row.status != Status.RUNNING or self.worker.draining:
            self.stop()

    def look_soon(self) -> None:
        self._looking = asyncio.ensure_future(self.look())

    async def fail(self, reason: str) -> None:
        """End the whole execution for a reason of its own."""
        await self.worker.fail(self.id, self.masker.mask(reason))

    async def run_out(self) -> None:
        """Note that the attempts are spent: no further shard is handed out."""
        await self.worker.database.write(executions.set_truncated, self.id)

    def note(self, kind: str, data: dict[str, Json]) -> None:
        """Note an event of this execution; the next checkpoint records it."""
        self.checkpoints.note(kind, data)

    async def pace(self, target: str, exit: Exit) -> None:
        """Wait until a request to the target through the exit may be sent."""
        await self.worker.pacer.slot(self._scopes.of(target, exit))

    def hold(self, target: str, exit: Exit, seconds: float) -> None:
        """Let nothing more be sent in the scope (target, credential, exit) for some seconds."""
        self.worker.pacer.pause_for(self._scopes.own(target, exit), seconds)

    def mask_echo(self, body: bytes) -> bytes:
        """Mask long secrets that the upstream sent back; all else is kept as it came."""
        for secret in self._echoes:
            if secret in body:
                body = body.replace(secret, MASK.encode())
        return body

    def visible(self, inputs: dict[str, Json]) -> dict[str, Json]:
        """Return the inputs without the secret ones."""
        variables = self.definition.endpoint.variables
        return {
            name: value
            for name, value in inputs.items()
            if not (name in variables and variables[name].secret)
        }
