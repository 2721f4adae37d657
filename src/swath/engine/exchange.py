"""One page's request until there is an answer to take: pace, budget, exit, fetch, verdict, wait, again."""

import asyncio
import random
from dataclasses import dataclass, field, replace

from swath.engine.checkpoint import OpenShard
from swath.engine.exits import Exit
from swath.engine.fetcher import Answer
from swath.engine.guard import target_of
from swath.engine.live import LiveExecution
from swath.engine.times import now_ms
from swath.errors import FetchFault, ItemFailed
from swath.flow.bodies import Flaws, NotJsonError, decoder
from swath.flow.definition import Json
from swath.flow.request import Request
from swath.flow.verdict import UNPARSED, Verdict, backoff, wait_hint

#: Bytes of an answer that the ledger keeps as a sample.
SAMPLE = 2_000
#: Faults of exits that one request survives; more, and the exits are not worth trying.
MOST_EXIT_FAULTS = 20
#: Error codes by which a target refuses an exit rather than the request.
BANS = frozenset({"blocked", "forbidden", "rate_limited", "proxy_auth_required"})


class LimitReached(Exception):
    """The execution has no attempts left."""


class ExecutionFailed(Exception):
    """A response rule ends the whole execution."""

    def __init__(self, cause: ItemFailed) -> None:
        self.cause = cause
        super().__init__(str(cause))


@dataclass(frozen=True, slots=True)
class Obtained:
    """An answer worth taking, and how it was come by. `started` in ms since 1970."""

    answer: Answer
    value: Json
    attempts: int
    exit_id: str
    started: int


@dataclass(slots=True)
class Tried:
    """One request, and what has been tried for it so far."""

    request: Request
    target: str
    exit: Exit
    attempts: int = 0
    exit_faults: int = 0
    #: Exits that this request has given up, by id.
    left: set[str] = field(default_factory=set)
    waited: float = 0.0
    last: Answer | None = None


class Exchange:
    """Obtains answers for the items of one shard, counting every attempt into it."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard

    async def obtain(self, item: int, request: Request) -> Obtained:
        """Send a request until its answer is a success.

        Raises ItemFailed when it cannot be one, LimitReached when no attempts are left, and
        ExecutionFailed when a rule says that nothing else is worth sending either.
        """
        target = target_of(request.url)
        tried = Tried(request, target, self._live.exits.choose(target, item))
        while True:
            started = now_ms()
            try:
                answer = await self._send(tried)
            except FetchFault as fault:
                await self._after_fault(fault, tried)
                continue
            value = parse(answer)
            verdict = self._live.judge.judge(answer.status, answer.headers, answer.body, value)
            if verdict.action in ("success", "ignore"):
                self._live.exits.report_success(tried.exit, target)
                rows = verdict.action == "success" and value is not UNPARSED
                taken = answer if rows else replace(answer, body=b"")
                return Obtained(taken, value if rows else None, tried.attempts, tried.exit.id, started)
            await self._after_verdict(verdict, answer, tried)

    async def _send(self, tried: Tried) -> Answer:
        await self._live.pace(tried.target, tried.exit)
        await self._spend(tried)
        try:
            tried.last = await self._live.worker.fetcher.fetch(
                tried.request,
                tried.exit,
                self._live.workflow.limits,
                allowed_hosts=self._live.workflow.allowed_hosts,
                on_hop=lambda: self._spend(tried),
                slots=self._live.slots,
                stopping=self._live.stopping,
            )
        except FetchFault as fault:
            self._shard.tallies["status", fault.code] += 1
            if not fault.sent:
                self._take_back(tried)
            raise
        self._shard.tallies["status", str(tried.last.status)] += 1
        return tried.last

    async def _spend(self, tried: Tried) -> None:
        """Take one attempt from the budget, counted before anything is sent."""
        if not await self._live.budget.take():
            raise LimitReached
        tried.attempts += 1
        self._shard.count_attempt()

    def _take_back(self, tried: Tried) -> None:
        """Nothing was sent: it was no attempt."""
        self._live.budget.give_back()
        self._shard.count_attempt(-1)
        tried.attempts -= 1

    # --- what to do when there is no answer to take

    async def _after_fault(self, fault: FetchFault, tried: Tried) -> None:
        """Move to another exit, or wait before the next try, or raise ItemFailed where there is none."""
        policy = self._live.workflow.retry
        of_exit = fault.blame == "exit"
        if of_exit:
            tried.exit_faults += 1
            self._live.exits.report_fault(tried.exit, tried.target, fault.code)
            if self._swap(fault.code, tried):
                return
        tries = tried.exit_faults if of_exit else tried.attempts + (not fault.sent)
        if not fault.retryable or tries >= (MOST_EXIT_FAULTS if of_exit else policy.max_attempts):
            raise self._failed(fault.code, fault.message, fault.retryable, tried)
        tried.exit_faults += not fault.sent and not of_exit
        await self._wait(backoff(policy, tries, random.random()), fault.code, fault.message, tried)

    async def _after_verdict(self, verdict: Verdict, answer: Answer, tried: Tried) -> None:
        """Do what a verdict other than success says, or raise."""
        policy = self._live.workflow.retry
        code, message = verdict.error_code or "failed", verdict.message or ""
        failed = self._failed(code, message, verdict.retryable, tried)
        if verdict.action == "fail_execution":
            raise ExecutionFailed(failed)
        hint = wait_hint(answer.status, answer.headers, now_ms() / 1000)
        again = backoff(policy, tried.attempts, random.random())
        if verdict.action == "rate_limited":
            again = hint if hint is not None else again
            self._live.hold(tried.target, tried.exit, again)
        if self._is_ban(code, tried):
            self._live.exits.report_ban(tried.exit, tried.target, code)
            if self._swap(code, tried):
                return
        if verdict.action == "rate_limited":
            await self._wait(again, code, message, tried)
        elif verdict.action == "retry" and tried.attempts < policy.max_attempts:
            await self._wait(max(hint or 0.0, again), code, message, tried)
        else:
            raise failed

    def _is_ban(self, code: str, tried: Tried) -> bool:
        """Tell whether the target may have something against the exit: a refusal, or 5xx again and again."""
        repeated = tried.attempts > 1 and tried.last is not None and tried.last.status >= 500
        return tried.exit.type != "direct" and (code in BANS or repeated)

    def _swap(self, code: str, tried: Tried) -> bool:
        """Go on through an exit that this request has not given up; False where there is none."""
        tried.left.add(tried.exit.id)
        if not self._live.hot_swap:
            return False
        after = self._live.exits.choose(tried.target, avoid=tried.exit)
        if after.id in tried.left:
            return False
        self._live.exits.report_swap(tried.exit, after, tried.target, code)
        tried.exit = after
        return True

    async def _wait(self, seconds: float, code: str, message: str, tried: Tried) -> None:
        """Wait, unless that would pass the item's deadline."""
        tried.waited += seconds
        if tried.waited > self._live.workflow.retry.item_deadline:
            told = f"{message} Waiting {seconds:.0f} s more would pass the item's deadline."
            raise self._failed(code, told, True, tried)
        await asyncio.sleep(seconds)

    def _failed(self, code: str, message: str, retryable: bool, tried: Tried) -> ItemFailed:
        last, mask = tried.last, self._live.masker.mask
        return ItemFailed(
            code,
            mask(message),
            retryable,
            attempts=tried.attempts,
            last_status=last.status if last else None,
            exit=tried.exit.id,
            sample=mask(last.body[:SAMPLE].decode("utf-8", "replace")) if last else None,
        )


#: For rules and paging a number is a float; rows are read again from the stored body, exactly.
_decode = decoder(float)


def parse(answer: Answer) -> Json:
    """Return an answer's body as JSON, or UNPARSED where it is none."""
    kind = next((value for name, value in answer.headers if name == "content-type"), "")
    try:
        return _decode(answer.body, kind, Flaws())
    except NotJsonError:
        return UNPARSED
