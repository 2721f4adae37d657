"""One shard: many input items side by side, the pages of each in order, until all end or it is to stop."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec

from swath.engine.checkpoint import OpenShard
from swath.engine.exchange import Exchange, ExecutionFailed, LimitReached, Obtained
from swath.engine.live import LiveExecution
from swath.engine.times import now_ms
from swath.errors import ItemFailed
from swath.flow.definition import Json
from swath.flow.execution import DONE, StopReason
from swath.flow.paging import Page, Progress, Step, begin, depth_cap, pager_for, settle
from swath.flow.segment import PageRecord
from swath.flow.shard import ShardProgress
from swath.store import executions

#: Error codes that are stop reasons of their own.
REASONS = {
    "blocked_address": StopReason.BLOCKED_ADDRESS,
    "rate_limited": StopReason.RATE_LIMITED,
    "loop_detected": StopReason.LOOP_DETECTED,
}


async def run_shard(live: LiveExecution, number: int) -> tuple[int, bool]:
    """Work on a shard from its last checkpoint. Returns how many items have ended, and whether all have."""
    row = await live.worker.database.write(executions.claim_shard, live.id, number)
    stored = row.progress
    progress = ShardProgress.decode(stored) if stored else ShardProgress.new(row.first, row._mapping["count"])
    shard = OpenShard(number, row.claim, progress)
    live.checkpoints.open(shard)
    runner = ShardRunner(live, shard)
    try:
        if row.fruitless > executions.MOST_FRUITLESS_CLAIMS:
            runner.give_up()
        else:
            await runner.run()
    finally:
        await live.checkpoints.close(shard)
    done = not any(True for _ in progress.unfinished())
    state = "done" if done else "yielded"
    if done or not live.worker.draining:
        await live.worker.database.write(executions.leave_shard, live.id, number, shard.claim, state)
    return sum(progress.reasons().values()), done and not shard.fenced


class ShardRunner:
    """The items of one shard, as many at a time as the execution's concurrency allows."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard
        self._pager = pager_for(live.workflow.paginator)
        self._exchange = Exchange(live, shard)

    async def run(self) -> None:
        """Work until every item has ended, or the execution stops, or the shard is somebody else's."""
        pending = self._shard.progress.unfinished()
        count = min(self._live.workflow.concurrency, len(self._shard.progress.outcomes))
        items = [asyncio.create_task(self._work_through(pending)) for _ in range(count)]
        stop = asyncio.create_task(self._live.stopping.wait())
        try:
            await self._wait(items, stop)
        finally:
            for task in (*items, stop):
                task.cancel()
            await asyncio.gather(*items, stop, return_exceptions=True)

    async def _wait(self, items: list[asyncio.Task[None]], stop: asyncio.Task[Any]) -> None:
        waiting: set[asyncio.Task[Any]] = {*items, stop}
        while waiting != {stop}:
            ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in ended - {stop}:
                task.result()
            if stop in ended:
                return

    def give_up(self) -> None:
        """End what is left of a shard that no worker gets any further with."""
        message = "Workers that took this shard came to nothing again and again."
        for item in list(self._shard.progress.unfinished()):
            self._fail(item, ItemFailed("worker_failed", message, retryable=True), Going({}, begin()))

    async def _work_through(self, pending: Iterator[int]) -> None:
        for item in pending:
            if self._shard.fenced:
                return
            await self._work(item)

    async def _work(self, item: int) -> None:
        """Fetch the pages of one item until it ends."""
        begun = self._shard.progress.begun.get(item)
        going = Going({}, begun or begin(self._live.workflow.paginator))
        try:
            going.inputs = self._live.plan.inputs(item)
            while not await self._take_page(item, going):
                pass
        except LimitReached:
            self._shard.end(item, StopReason.REQUEST_LIMIT)
            await self._live.run_out()
        except ExecutionFailed as failed:
            self._fail(item, failed.cause, going)
            await self._live.fail(str(failed.cause))
        except ItemFailed as error:
            self._fail(item, error, going)

    async def _take_page(self, item: int, going: "Going") -> bool:
        """Fetch the next page and take its rows if they are new; return whether it was the last.

        Between settling and adding nothing is awaited: a checkpoint sees both or neither.
        """
        values = dict(going.inputs)
        url = self._pager.apply(going.progress.state, values)
        got = await self._exchange.obtain(item, self._live.template.render(values, url))
        page = Page(got.answer.status, got.answer.headers, got.value, got.answer.url)
        number = going.progress.page
        step = settle(self._live.workflow, self._pager, going.progress, page, self._live.parameters)
        if step.keep:
            self._shard.add(self._record(item, number, got, step))
        if step.stop is None:
            self._shard.progress.begun[item] = going.progress
        else:
            self._end(item, step, going, number)
        await self._live.checkpoints.make_room()
        return step.stop is not None

    def _record(self, item: int, number: int, got: Obtained, step: Step) -> PageRecord:
        return PageRecord(
            item=item,
            page=number,
            attempt=got.attempts,
            exit=got.exit_id,
            started=got.started,
            elapsed=got.answer.elapsed,
            url=self._live.masker.mask(got.answer.url),
            status=got.answer.status,
            headers=list(got.answer.headers),
            body=self._live.mask_echo(got.answer.body),
            digest=step.digest,
            rows=step.rows,
        )

    def _end(self, item: int, step: Step, going: "Going", number: int) -> None:
        """End an item after a page, as its paging says."""
        assert step.stop is not None
        progress, shard = going.progress, self._shard
        if step.pages < number:
            shard.progress.cuts[item] = step.pages
        if progress.declared_total not in (None, progress.rows):
            shard.progress.declared[item] = (progress.declared_total or 0, progress.rows)
        if step.failure is not None:
            self._fail(item, step.failure, going)
        else:
            shard.end(item, step.stop)

    def _fail(self, item: int, error: ItemFailed, going: "Going") -> None:
        """End an item that cannot go on, with a line in the ledger unless it simply was at its end."""
        reason = REASONS.get(error.code, StopReason.FAILED)
        if reason is StopReason.FAILED:
            reason = depth_cap(going.progress, error.last_status) or reason
        if reason not in DONE:
            line = describe(item, error, reason, self._live.visible(going.inputs), going.progress.page)
            self._shard.failures.append(line)
        self._shard.end(item, reason)


class Going:
    """An item that is worked on: its inputs, and how far it has come."""

    __slots__ = ("inputs", "progress")

    def __init__(self, inputs: dict[str, Json], progress: Progress) -> None:
        self.inputs = inputs
        self.progress = progress


def describe(
    item: int, error: ItemFailed, reason: StopReason, inputs: dict[str, Json], page: int
) -> dict[str, Any]:
    """Return the ledger's line of a failed item."""
    return {
        "item": item,
        "page": page,
        "stop_reason": str(reason),
        "error_code": error.code,
        "message": error.message,
        "retryable": error.retryable,
        "attempts": error.attempts,
        "last_status": error.last_status,
        "exit": error.exit,
        "inputs": msgspec.json.encode(inputs).decode(),
        "sample": error.sample,
        "at": now_ms(),
    }
