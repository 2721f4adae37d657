"""One shard: many input items side by side, the pages of each in order, until all end or it is to stop."""

import asyncio
import traceback
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import structlog

from swath.engine.ahead import Ahead
from swath.engine.checkpoint import OpenShard
from swath.engine.exchange import Exchange
from swath.engine.live import LiveExecution
from swath.engine.times import now_ms
from swath.engine.trial import work_with_care
from swath.engine.tried import NOTHING, ExecutionFailed, LimitReached, Obtained, Patience, Stopped
from swath.errors import FetchFault, ItemFailed
from swath.flow.clip import clip
from swath.flow.definition import Json
from swath.flow.execution import DONE, PARTIAL, StopReason
from swath.flow.paging import (
    Page,
    Progress,
    State,
    Step,
    ahead,
    depth_cap,
    lookahead,
    pager_for,
    settle,
)
from swath.flow.paging.records import choose_array
from swath.flow.paths import compile_path
from swath.flow.segment import PageRecord
from swath.flow.shard import ShardProgress
from swath.store import shards

log = structlog.get_logger()

#: Error codes that are stop reasons of their own.
REASONS = {
    "blocked_address": StopReason.BLOCKED_ADDRESS,
    "rate_limited": StopReason.RATE_LIMITED,
}
#: The error code of what workers die or come to nothing with.
DEADLY = "worker_failed"
#: What the ledger says of items that end early without a failure.
TOLD = {
    StopReason.LOOP_DETECTED: "The upstream repeats itself; what it repeated was not taken.",
    StopReason.DEPTH_CAP: "The upstream refuses to page any deeper.",
}
#: Paginators whose pages can be asked for out of turn.
COUNTED = ("page_number", "offset")


async def run_shard(live: LiveExecution, number: int, batch: int) -> tuple[int, bool]:
    """Work on a shard from its last checkpoint. Returns how many items have ended, and whether all have."""
    careful = await live.worker.database.read(shards.is_suspect, live.id, number)
    row = await live.worker.database.write(shards.take_shard, live.id, number, batch)
    if row is None:
        return 0, False
    stored = row.progress
    progress = ShardProgress.decode(stored) if stored else ShardProgress.new(row.first, row._mapping["count"])
    shard = OpenShard(number, row.claim, progress, opened=live.clock.steady())
    live.checkpoints.open(shard)
    if live.unsettled:
        shard.make_way.set()
    runner = ShardRunner(live, shard)
    try:
        if row.fruitless > shards.MOST_FRUITLESS_CLAIMS:
            runner.give_up()
        elif careful:
            await work_with_care(live, shard, runner.run, runner.fail_deadly)
        else:
            await runner.run(progress.unfinished())
    finally:
        await live.checkpoints.close(shard)
    done = not any(True for _ in progress.unfinished())
    if done or not live.worker.draining:
        done = await live.worker.database.write(shards.leave_shard, live.id, number, shard.claim)
    return sum(progress.reasons().values()), done


class ShardRunner:
    """The items of one shard, as many at a time as the execution's concurrency allows."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard
        self._pager = pager_for(live.workflow.paginator)
        self._exchange = Exchange(live, shard)

    async def run(self, pending: Iterator[int]) -> None:
        """Work until these items have ended, or the execution stops, or the shard is somebody else's."""
        lines: set[asyncio.Task[Any]] = set()
        begun = 0
        stop = asyncio.create_task(self._live.stopping.wait())
        try:
            while not stop.done():
                wanted = min(self._live.gate.limit, len(self._shard.progress.outcomes))
                lines.update(asyncio.create_task(self._work_through(pending)) for _ in range(begun, wanted))
                begun = max(begun, wanted)
                change = asyncio.create_task(self._live.gate.changed.wait())
                waiting = {*lines, stop, change}
                ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                for task in ended & lines:
                    lines.discard(task)
                    task.result()
                if not lines:
                    return
        finally:
            for task in (*lines, stop):
                task.cancel()
            await asyncio.gather(*lines, stop, return_exceptions=True)

    async def _work_through(self, pending: Iterator[int]) -> None:
        for item in pending:
            if self._shard.fenced or self._shard.make_way.is_set() or self._live.goes_no_further:
                return
            await self._work(item)

    def give_up(self) -> None:
        """End what is left of a shard that no worker gets any further with."""
        message = "Workers that took this shard came to nothing again and again."
        for item in list(self._shard.progress.unfinished()):
            self._fail(item, ItemFailed(DEADLY, message, retryable=True), self._take_up(item))

    async def fail_deadly(self, item: int) -> None:
        """End an item that workers died with, though they worked at nothing else of the shard."""
        message = "Workers died while they worked at this item, again and again; they may lack memory for it."
        going = self._take_up(item)
        going.inputs = await self._live.inputs.of(item)
        self._fail(item, ItemFailed(DEADLY, message, retryable=True), going)

    async def _work(self, item: int) -> None:
        """Fetch the pages of one item until it ends."""
        going = self._take_up(item)
        most = self._most_ahead()
        ahead = Ahead(partial(self._ask, item, going), most) if most else None
        try:
            going.inputs = await self._live.inputs.of(item)
            while not await self._take_page(item, going, ahead):
                if self._shard.make_way.is_set():
                    return
        except Stopped:
            return
        except LimitReached as limit:
            await self._live.run_out(limit.by)  # the item stays as it is, for the limit may be raised
        except ExecutionFailed as failed:
            self._fail(item, failed.cause, going)
            await self._live.fail(str(failed.cause))
        except ItemFailed as error:
            self._fail(item, error, going)
        except FetchFault as fault:  # of an address that cannot even be read
            self._fail(item, ItemFailed(fault.code, fault.message, fault.retryable), going)
        except Exception:
            # An item must end: whatever is wrong with it must not keep the shard from the others.
            told = self._live.masker.mask(traceback.format_exc())
            log.error("item_failed", execution=self._live.id, item=item, traceback=told)
            message = "An error of Swath's own; the log has it."
            self._fail(item, ItemFailed("internal_error", message, retryable=True), going)
        finally:
            if ahead is not None:
                ahead.close()
            self._leave(item, going.patience)
            self._live.exits.forget(item)

    def _take_up(self, item: int) -> "Going":
        """Return an item as it was left, or as it begins."""
        progress = self._shard.progress
        begun = progress.begun.get(item) or Progress(self._pager.first())
        tried = progress.tried.pop(item, None)
        if tried is None:
            return Going({}, begun, Patience(self._live.workflow.retry.item_deadline))
        return Going({}, begun, Patience(tried[0], tried[1:]))

    def _leave(self, item: int, patience: Patience) -> None:
        """Keep what was tried for the page of an item that is left, or it could be tried for ever."""
        if patience.spent != NOTHING and self._shard.progress.reason_of(item) is None:
            self._shard.progress.tried[item] = (patience.left, *patience.spent)
            self._shard.changed = True

    def _most_ahead(self) -> int:
        """Return how many pages of one item may be under way: what other items leave of the concurrency.

        None ahead where attempts are counted: one for a page that turns out not to be there would be
        missing elsewhere. None of items on trial, of which one answer at a time is there.
        """
        if self._live.budget.limited or self._live.workflow.paginator.type not in COUNTED:
            return 0
        if self._shard.progress.doubt:
            return 0
        most = self._live.gate.limit // max(1, len(self._shard.progress.outcomes))
        return most if most > 1 else 0

    async def _ask(self, item: int, going: "Going", state: State) -> Obtained:
        values = dict(going.inputs)
        url = self._pager.apply(state, values)
        template = self._live.template
        if url is not None:
            await self._exchange.judge_next(item, url, template.render(values).url)
        return await self._exchange.obtain(
            item, lambda more: template.render({**values, **more} if more else values, url), going.patience
        )

    async def _take_page(self, item: int, going: "Going", ahead: Ahead | None) -> bool:
        """Fetch the next page and take its rows if they are new; return whether it was the last.

        Between settling and adding nothing is awaited: a checkpoint sees both or neither.
        """
        if self._live.limited:
            await self._check_allowance()
        state = going.progress.state
        got = await (self._ask(item, going, state) if ahead is None else ahead.take(state))
        page = Page(got.answer.status, got.answer.headers, got.value, got.answer.url)
        number = going.progress.page
        progress = copy(going.progress) if self._live.limited else going.progress
        step = settle(self._live.workflow, self._pager, progress, page, self._live.parameters)
        if step.keep and self._live.limited:
            got, step = await self._afford(got, step)
        going.progress = progress
        if step.keep:
            self._shard.add(self._record(item, number, got, step))
        if step.stop is None:
            self._shard.progress.begun[item] = going.progress
            if ahead is not None:
                self._look_ahead(going.progress, ahead)
        else:
            self._end(item, step, going, number, got)
        if step.stop is StopReason.ROW_LIMIT:
            await self._live.run_out("rows")
        if self._shard.progress.doubt.get(item):
            await self._live.checkpoints.commit()
        else:
            await self._live.checkpoints.make_room()
        return step.stop is not None

    async def _check_allowance(self) -> None:
        """Raise LimitReached where no row or byte may be taken: then nothing need be asked for."""
        for by, allowance in (("rows", self._live.rows), ("bytes", self._live.bytes)):
            if await allowance.is_spent():
                raise LimitReached(by)

    async def _afford(self, got: Obtained, step: Step) -> tuple[Obtained, Step]:
        """Take a page's rows and bytes from what is allowed; a page of too many rows is cut.

        Raises LimitReached for a page that does not fit and cannot be cut.
        """
        live, size = self._live, len(got.answer.body)
        if (granted := await live.bytes.take(size)) < size:
            live.bytes.give_back(granted)
            raise LimitReached("bytes")
        if (rows := await live.rows.take(step.rows)) == step.rows:
            return got, step
        body = clip(got.answer.body, self._keys(step.progress, got.value), rows) if rows else None
        if body is None:
            live.rows.give_back(rows)
            live.bytes.give_back(size)
            raise LimitReached("rows")
        live.bytes.give_back(size - len(body))
        step.progress.rows -= step.rows - rows
        cut = {"rows": rows, "stop": StopReason.ROW_LIMIT, "failure": None, "pages": step.progress.page}
        answer = msgspec.structs.replace(got.answer, body=body)
        return msgspec.structs.replace(got, answer=answer), msgspec.structs.replace(step, **cut)

    def _keys(self, progress: Progress, value: Json) -> tuple[str, ...]:
        """Return the keys that lead to a page's rows."""
        path = self._live.workflow.paginator.record_path
        if path:
            steps = compile_path(path).steps or ()
            return tuple(str(step) for step in steps)
        if progress.records is not None:
            return progress.records
        chosen = choose_array(value)
        return chosen[0] if chosen else ()

    def _look_ahead(self, progress: Progress, pages: Ahead) -> None:
        paginator = self._live.workflow.paginator
        known = lookahead(paginator, progress) if pages.window else None
        pages.expect(ahead(paginator, progress, min(known, pages.window)) if known else ())

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
            tries=got.tries,
        )

    def _end(self, item: int, step: Step, going: "Going", number: int, got: Obtained) -> None:
        """End an item after a page, as its paging says."""
        assert step.stop is not None
        if step.pages < number:
            self._shard.progress.cuts[item] = step.pages
        failure = step.failure
        if failure is None and step.stop in PARTIAL:
            failure = ItemFailed(step.stop, TOLD[step.stop])
        if failure is None:
            self._finish(item, going, step.stop)
        else:
            told = replace(failure, attempts=got.attempts, last_status=got.answer.status, exit=got.exit_id)
            self._write_line(item, told, going, step.stop)
            self._finish(item, going, step.stop)

    def _fail(self, item: int, error: ItemFailed, going: "Going") -> None:
        """End an item that cannot go on, with a line in the ledger unless it simply was at its end."""
        reason = REASONS.get(error.code, StopReason.FAILED)
        if reason is StopReason.FAILED:
            reason = depth_cap(going.progress, error.last_status) or reason
        if reason not in DONE:
            self._write_line(item, error, going, reason)
        self._finish(item, going, reason)

    def _finish(self, item: int, going: "Going", reason: StopReason) -> None:
        declared, fetched = going.progress.declared_total, going.progress.rows
        if declared not in (None, fetched):
            self._shard.progress.declared[item] = (declared or 0, fetched)
        self._shard.end(item, reason)

    def _write_line(self, item: int, error: ItemFailed, going: "Going", reason: StopReason) -> None:
        inputs = self._live.visible(going.inputs)
        self._shard.failures.append(describe(item, error, reason, inputs, going.progress.page))


class Going:
    """An item that is worked on: its inputs, how far it has come, and how long it may still wait."""

    __slots__ = ("inputs", "patience", "progress")

    def __init__(self, inputs: dict[str, Json], progress: Progress, patience: Patience) -> None:
        self.inputs = inputs
        self.progress = progress
        self.patience = patience


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
        "tries": msgspec.json.encode(error.tries).decode(),
        "at": now_ms(),
    }
