"""The whole engine in this process, without the REST API, on a clock whose waits take no time."""

import asyncio
import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from swath.engine.times import Clock
from swath.flow.definition import Endpoint, Json, ProxyChoice, Workflow
from swath.operations import endpoints, executions, results, triggers, workflows
from swath.operations.context import Context, User

#: Real seconds for which nothing may be under way before the clock moves on, and the same where shards come
#: by way of a database that other processes may use.
TICK, SHARED_TICK = 0.003, 0.1
#: Real seconds within which every execution of these tests ends.
PATIENCE = 180.0


class QuickClock(Clock):
    """Moves on to whoever wakes next when nothing else goes on. `slept` are the waits, as asked for.

    Time stands still but for that, so the times that an upstream notes by this clock prove who waited.
    """

    #: Tells whether requests are under way.
    busy: Callable[[], bool]

    def __init__(self, tick: float = TICK) -> None:
        self._tick = tick
        #: Set by a test in which no wait is to end by itself.
        self.stands_still = False
        self.now = 1_000.0
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._moving: asyncio.Task[None] | None = None

    def epoch(self) -> float:
        return 1_700_000_000.0 + self.now

    def steady(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, woken))
        if self._moving is None or self._moving.done():
            self._moving = asyncio.create_task(self._move())
        await woken

    async def _move(self) -> None:
        while self._sleepers:
            await self._rest()
            until, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.now = max(self.now, until)
                woken.set_result(None)

    async def _rest(self) -> None:
        """Wait until nothing has been under way for some ticks, however the ticks fall."""
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(self._tick)
            quiet = 0 if self.stands_still or self.busy() else quiet + 1


@dataclass(frozen=True)
class Ended:
    """An execution that has ended, and all that its owner can learn of it."""

    view: Mapping[str, Json]
    failures: list[dict[str, Json]]
    events: list[dict[str, Json]]
    manifest: dict[str, Json]
    files: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.view["status"])

    @property
    def reasons(self) -> dict[str, int]:
        found: dict[str, int] = self.manifest["stop_reasons"]
        return found

    @property
    def attempts(self) -> int:
        return int(self.view["counters"]["attempts"])

    def rows(self, collection: str = "results") -> list[Any]:
        """Return the rows of a result collection, without the inputs."""
        return [row["response"] for row in self.files.get(collection, [])]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


class House:
    """An open house and its administrator."""

    def __init__(self, context: Context, user: User, clock: QuickClock) -> None:
        self.context, self.user, self.clock = context, user, clock
        clock.busy = lambda: context.engine.fetcher.under_way > 0

    async def begin(
        self,
        endpoint: Endpoint,
        workflow: Workflow | None = None,
        inputs: Mapping[str, list[Any]] | None = None,
        proxy: ProxyChoice | None = None,
        **asked: Any,
    ) -> str:
        """Define what is given and trigger it; return the execution's id."""
        made = await endpoints.create(self.context, self.user, endpoint)
        workflow = replace(workflow or Workflow(name="w", endpoint_id=""), endpoint_id=made.id)
        kept = await workflows.create(self.context, self.user, workflow)
        asked = {"output_aggregation_format": "json", "execution_parameters": inputs, **asked}
        wish = triggers.Trigger(proxy=proxy, **asked)
        return await triggers.trigger(self.context, self.user, kept.id, wish)

    async def run(self, *given: Any, **more: Any) -> Ended:
        """Define, trigger, and wait for the end."""
        return await self.end(await self.begin(*given, **more))

    async def show(self, execution_id: str) -> Mapping[str, Json]:
        return await executions.show(self.context, self.user, execution_id)

    async def rest(self) -> None:
        """End what other tests have left behind."""
        known = self.context, self.user
        left, _ = await executions.list_for(*known, workflow_id=None, group="active", limit=100, cursor=None)
        for view in left:
            await executions.cancel(*known, str(view["id"]))
            await self.end(str(view["id"]))

    async def heed(self, execution_id: str, is_heeded: Callable[[Any], bool]) -> None:
        """Wait until what was changed of an execution is in force where it is worked on."""
        async with asyncio.timeout(PATIENCE):
            while not is_heeded(self.context.engine._worker.live[execution_id]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # nobody tells of it

    async def heed_limit(self, execution_id: str, limit: int, kind: str = "requests") -> None:
        """Wait until an execution heeds a limit, or stops for it."""

        def is_heeded(live: Any) -> bool:
            counted = {"requests": live.budget, "rows": live.rows, "bytes": live.bytes}[kind]
            return bool(live.unsettled or counted.limit == limit)

        await self.heed(execution_id, is_heeded)

    async def end(self, execution_id: str, read: Callable[[Any], Any] | None = None) -> Ended:
        """Wait for an execution's end and return all that can be learnt of it.

        `read` tells what is to be known of a file instead of its JSON.
        """
        async with asyncio.timeout(PATIENCE):
            while (view := await self.show(execution_id))["completed_at"] is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # nobody tells of an end: clients poll, too
        known = self.context, self.user, execution_id
        failures, _ = await executions.failures(*known, 100_000, None)
        events, _ = await executions.events(*known, 100_000, None)
        manifest = await executions.manifest(*known)
        files = {
            file["collection"]: read(file) if read else await self._read(file["url"])
            for file in view["results"]
        }
        return Ended(view, failures, events, manifest, files)

    async def _read(self, url: str) -> Any:
        _, _, secret, name = url.split("/")
        file = await results.open_result(self.context, secret, name)
        return json.loads(b"".join([part async for part in file.stream(0, file.size)]))
