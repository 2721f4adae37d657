"""One page's request until there is an answer to take: exit, pace, budget, fetch, verdict, wait, again."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from swath.engine.blame import proxy_error
from swath.engine.checkpoint import OpenShard
from swath.engine.exits import Exit
from swath.engine.fetcher import Answer
from swath.engine.gate import Gate
from swath.engine.guard import is_allowed, read_url, target_of
from swath.engine.live import LiveExecution
from swath.engine.pacing import Pace
from swath.engine.times import now_ms
from swath.errors import AddressBlocked, FetchFault, ItemFailed
from swath.flow.bodies import UNREAD, Decode, Flaws, NotJsonError, format_of, read_keys
from swath.flow.definition import Json
from swath.flow.request import Request
from swath.flow.verdict import UNPARSED, Judge, Verdict, backoff, may_tell_error, wait_hint

#: Bytes of an answer that the ledger keeps as a sample.
SAMPLE = 2_000
#: Faults of exits that one request survives; more, and the exits are not worth trying.
MOST_EXIT_FAULTS = 20
#: Attempts in vain whose story is kept of one request.
MOST_TRIES = 20
#: Tokens that one request is refused with before it counts as refused.
MOST_RENEWALS = 2
#: Error codes by which a target refuses an exit rather than the request.
BANS = frozenset({"blocked", "forbidden", "rate_limited", "proxy_auth_required"})
#: Error codes of a target that breaks down under what it is asked.
STRAINS = frozenset({"rate_limited", "service_unavailable", "gateway_timeout", "timeout"})

#: Makes the request, given the variables that are not the item's own.
Render = Callable[[Mapping[str, Json]], Request]


class LimitReached(Exception):
    """The execution has reached a limit; `by` says which."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(by)


class Stopped(Exception):
    """The execution is to stop; the item has not ended."""


class ExecutionFailed(Exception):
    """A response rule ends the whole execution."""

    def __init__(self, cause: ItemFailed) -> None:
        self.cause = cause
        super().__init__(str(cause))


class Obtained(msgspec.Struct, frozen=True):
    """An answer worth taking, and how it was come by. `started` in ms since 1970."""

    answer: Answer
    value: Json
    attempts: int
    exit_id: str
    started: int
    tries: list[tuple[str, str, float]]


NOTHING = (0, 0, 0)


@dataclass(slots=True)
class Patience:
    """The seconds that an item may still wait for its upstream, over all its pages."""

    left: float
    #: How often its page had failed, been refused and been asked for before it was left.
    carried: tuple[int, int, int] = NOTHING
    #: The same by now.
    spent: tuple[int, int, int] = NOTHING

    def take_carried(self) -> tuple[int, int, int]:
        """Return what was tried before, to whoever asks for the page first."""
        carried, self.carried = self.carried, NOTHING
        return carried


@dataclass(slots=True)
class Tried:
    """One request, and what has been tried for it so far."""

    item: int
    request: Request
    target: str
    exit: Exit
    patience: Patience
    #: Requests that left, whoever was to blame.
    attempts: int = 0
    #: Those before the item was left and taken up again.
    before: int = 0
    #: Failures of the target, which are what `max_attempts` bounds.
    failures: int = 0
    #: Refusals for being too fast, and tokens that were refused.
    limited: int = 0
    renewals: int = 0
    #: The execution's settings that the exit was chosen by.
    revision: int = 0
    #: Faults of exits, and the exits that this request has given up, by id.
    exit_faults: int = 0
    left: set[str] = field(default_factory=set)
    last: Answer | None = None
    #: What came of the attempts in vain, by their exits, and how long was waited then; the first ones.
    tries: list[tuple[str, str, float]] = field(default_factory=list)

    def note(self, outcome: str) -> None:
        if len(self.tries) < MOST_TRIES:
            self.tries.append((self.exit.id, outcome, 0.0))

    def note_wait(self, seconds: float) -> None:
        if self.tries:
            exit, outcome, waited = self.tries[-1]
            self.tries[-1] = exit, outcome, round(waited + seconds, 3)


class Exchange:
    """Obtains answers for the items of one shard, counting every attempt into it."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard
        self._place = _Held(live.gate)

    async def obtain(self, item: int, render: Render, patience: Patience) -> Obtained:
        """Send a request until its answer is a success.

        Raises ItemFailed when it cannot be one, LimitReached when no attempts are left, Stopped when the
        execution stops, and ExecutionFailed when a rule says that nothing else is worth sending either.
        """
        auth = self._live.auth
        if auth is None:
            return await self._insist(self._first(item, render({}), patience), self._live.judge)
        await auth.ready(lambda request: self._ask(item, request, patience))
        tried = self._first(item, render(auth.values), patience)
        while True:
            generation = auth.generation
            try:
                return await self._insist(tried, self._live.judge)
            except Unauthorized as refused:
                tried.renewals += 1
                if tried.renewals > MOST_RENEWALS:
                    raise refused.failed from None
            await auth.renew(generation, lambda request: self._ask(item, request, patience))
            tried.request = render(auth.values)

    async def judge_next(self, item: int, url: str, own: str) -> None:
        """Raise ItemFailed for a next URL that leads where the endpoint at `own` may not."""
        to, home = read_url(url), read_url(own)
        allowed = is_allowed(to, home.host_str or "", self._live.workflow.allowed_hosts)
        if allowed and (home.scheme, to.scheme) != ("https", "http"):
            return
        try:
            # The guard speaks first: a private address is that, whatever else forbids it.
            exit = self._live.choose_exit(target_of(own), item)
            await self._live.worker.fetcher.clients.judge(exit, to.host_str or "")
        except AddressBlocked as blocked:
            raise ItemFailed(blocked.code, blocked.message) from None
        except FetchFault:
            pass  # it has no address at all
        why = "is not among the workflow's allowed hosts" if not allowed else "would be asked in the clear"
        raise ItemFailed("host_not_allowed", f"The next URL is not asked: {to.host_str} {why}.")

    async def _ask(self, item: int, request: Request, patience: Patience) -> Json:
        """Send a request that no page comes of, and that no rule of the workflow judges."""
        return (await self._insist(self._first(item, request, patience), PLAIN)).value

    def _first(self, item: int, request: Request, patience: Patience) -> Tried:
        target, live = target_of(request.url), self._live
        tried = Tried(item, request, target, live.choose_exit(target, item), patience, revision=live.revision)
        tried.failures, tried.limited, tried.before = patience.take_carried()
        return tried

    async def _insist(self, tried: Tried, judge: Judge) -> Obtained:
        while True:
            started = now_ms()
            try:
                answer = await self._send(tried)
            except FetchFault as fault:
                await self._after_fault(fault, tried)
                continue
            value = self._read(answer, judge)
            verdict = judge.judge(answer.status, answer.headers, answer.body, value)
            if verdict.action in ("success", "ignore"):
                self._live.report_success(tried.target, tried.exit, answer.elapsed)
                tried.patience.spent = NOTHING
                self._heed(answer, tried)
                rows = verdict.action == "success" and value is not UNPARSED
                taken = answer if rows else msgspec.structs.replace(answer, body=b"")
                return Obtained(
                    taken, value if rows else None, tried.attempts, tried.exit.id, started, tried.tries
                )
            if judge is not PLAIN and self._live.auth is not None and _is_unauthorized(verdict, answer):
                raise Unauthorized(self._failed_by(verdict, tried))
            if await self._live.worker.fetcher.is_own_answer(tried.exit, answer):
                await self._after_fault(proxy_error(answer.status), tried)
            else:
                await self._after_verdict(verdict, answer, tried)

    def _read(self, answer: Answer, judge: Judge) -> Json:
        """Return what an answer says; UNREAD where nobody asks for more than whether it is JSON."""
        live = self._live
        if not (live.looks_inside or judge is PLAIN) and 200 <= answer.status < 300:
            plain = format_of(live.workflow.answer_format, answer.content_type) == "json"
            keys = read_keys(answer.body) if plain else None
            if keys is not None and not may_tell_error(keys):
                return UNREAD
        return parse(answer, live.decode)

    def _heed(self, answer: Answer, tried: Tried) -> None:
        """Hold the scope where a good answer says that nothing remains of the allowance.

        Not for longer than a backoff: the header may lie, and a refusal would tell the truth.
        """
        hint = wait_hint(answer.status, answer.headers, self._live.clock.epoch())
        if hint:
            self._live.hold(tried.target, tried.exit, min(hint, self._live.workflow.retry.max_delay))

    async def _send(self, tried: Tried) -> Answer:
        async def count(request: Request) -> None:
            if request is not tried.request:  # a redirect
                await self._live.gate.pass_again(lambda: self._live.paces(target_of(request.url), tried.exit))
            await self._spend(tried)

        await self._enter(tried)  # which may choose another exit
        try:
            tried.last = await self._live.worker.fetcher.fetch(
                tried.request,
                tried.exit,
                self._live.workflow.limits,
                allowed_hosts=self._live.workflow.allowed_hosts,
                on_attempt=count,
                slots=self._place,
                stopping=self._live.stopping,
            )
        except FetchFault as fault:
            if fault.code == "stopped":
                raise Stopped from None
            self._shard.tallies["status", fault.code] += 1
            if not fault.sent:
                self._take_back(tried)
            raise
        self._shard.tallies["status", str(tried.last.status)] += 1
        return tried.last

    def _prepare(self, tried: Tried) -> Sequence[Pace]:
        """Return the paces that a request must keep, now that it is about to wait for them.

        An exit that is held is left for another as long as nothing of the request went through it: that is
        no swap. Raises ItemFailed where all are held for longer than the item may wait.
        """
        live = self._live
        if self._shard.make_way.is_set():
            raise Stopped
        if tried.revision != live.revision:
            tried.revision, tried.exit = live.revision, live.choose_exit(tried.target, tried.item)
        held = live.held_for(tried.target, tried.exit)
        if held > 0 and tried.attempts == 0:
            tried.exit = live.choose_exit(tried.target, tried.item)
            held = live.held_for(tried.target, tried.exit)
        if held > tried.patience.left:
            told = f"The upstream asks for {held:.0f} s of silence, which passes the item's deadline."
            raise self._failed("rate_limited", told, True, tried)
        return live.paces(tried.target, tried.exit)

    async def _enter(self, tried: Tried) -> None:
        """Pass the gate; what the item waited because its scope was held counts against its patience."""
        held = self._live.held_for(tried.target, tried.exit)
        if len(self._live.paces(tried.target, tried.exit)) > 1:
            # Once there is a slot the request is to leave at once, and wait for nothing else.
            await self._live.budget.make_ready()
            await self._live.worker.fetcher.warm(tried.request, tried.exit, self._live.workflow.limits)
        await self._live.gate.enter(lambda: self._prepare(tried))
        tried.patience.left -= held

    async def _spend(self, tried: Tried) -> None:
        """Take one attempt from the budget, counted before anything is sent."""
        if not await self._live.budget.take():
            raise LimitReached("requests")
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
        tried.note(fault.code)
        if fault.blame == "exit":
            tried.exit_faults += 1
            self._live.exits.report_fault(tried.exit, tried.target, fault.code)
            if self._swap(fault.code, tried):
                return
            tries, most = tried.exit_faults, MOST_EXIT_FAULTS
        else:
            tried.failures += 1
            self._live.report_trouble(tried.target, tried.exit, fault.code in STRAINS)
            tries, most = tried.failures, policy.max_attempts
        if not fault.retryable or tries >= most:
            raise self._failed(fault.code, fault.message, fault.retryable, tried)
        await self._wait(backoff(policy, tries, random.random()), fault.code, fault.message, tried)

    async def _after_verdict(self, verdict: Verdict, answer: Answer, tried: Tried) -> None:
        """Do what a verdict other than success says, or raise."""
        code, message = verdict.error_code or "failed", verdict.message or ""
        tried.note(f"{answer.status} {code}")
        if verdict.action == "fail_execution":
            raise ExecutionFailed(self._failed_by(verdict, tried))
        self._live.report_trouble(tried.target, tried.exit, code in STRAINS)
        hint = wait_hint(answer.status, answer.headers, self._live.clock.epoch()) or 0.0
        again = self._count(verdict, tried, hint)
        if self._is_ban(code, tried):
            self._live.exits.report_ban(tried.exit, tried.target, code)
            if self._swap(code, tried):
                return
        if verdict.action == "rate_limited":
            # The ledger calls it by this name whatever the rule does, for it is why the item ended.
            await self._wait(again, "rate_limited", message, tried)
        elif verdict.action == "retry" and tried.failures < self._live.workflow.retry.max_attempts:
            await self._wait(again, code, message, tried)
        else:
            raise self._failed_by(verdict, tried)

    def _count(self, verdict: Verdict, tried: Tried, hint: float) -> float:
        """Count a refusal as what it is, hold the scope where that is asked for; return the wait."""
        policy = self._live.workflow.retry
        if verdict.action != "rate_limited":
            tried.failures += 1
            return max(hint, backoff(policy, tried.failures, random.random()))
        tried.limited += 1
        again = max(hint, backoff(policy, tried.limited, random.random()))
        self._live.hold(tried.target, tried.exit, again)
        return again

    def _is_ban(self, code: str, tried: Tried) -> bool:
        """Tell whether the target may have something against the exit: a refusal, or 5xx again and again."""
        repeated = tried.attempts > 1 and tried.last is not None and tried.last.status >= 500
        return tried.exit.type != "direct" and (code in BANS or repeated)

    def _swap(self, code: str, tried: Tried) -> bool:
        """Go on through an exit that this request has not given up; False where there is none."""
        tried.left.add(tried.exit.id)
        if not self._live.hot_swap:
            return False
        after = self._live.exits.choose(tried.target, tried.item, avoid=tried.exit)
        if after.id in tried.left:
            return False
        self._live.exits.report_swap(tried.exit, after, tried.target, code)
        tried.exit = after
        return True

    async def _wait(self, seconds: float, code: str, message: str, tried: Tried) -> None:
        """Wait, unless that would pass the item's deadline."""
        if seconds > tried.patience.left:
            told = f"{message} Waiting {seconds:.0f} s more would pass the item's deadline."
            raise self._failed(code, told, True, tried)
        tried.patience.left -= seconds
        tried.note_wait(seconds)
        tried.patience.spent = tried.failures, tried.limited, tried.before + tried.attempts
        await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        """Wait; raises Stopped as soon as the shard is to make way."""
        sleep = asyncio.ensure_future(self._live.clock.sleep(seconds))
        way = asyncio.ensure_future(self._shard.make_way.wait())
        try:
            await asyncio.wait((sleep, way), return_when=asyncio.FIRST_COMPLETED)
            if not sleep.done():
                raise Stopped
        finally:
            sleep.cancel()
            way.cancel()

    def _failed_by(self, verdict: Verdict, tried: Tried) -> ItemFailed:
        code, message = verdict.error_code or "failed", verdict.message or ""
        return self._failed(code, message, verdict.retryable, tried)

    def _failed(self, code: str, message: str, retryable: bool, tried: Tried) -> ItemFailed:
        last, mask = tried.last, self._live.masker.mask
        return ItemFailed(
            code,
            mask(message),
            retryable,
            attempts=tried.before + tried.attempts,
            last_status=last.status if last else None,
            exit=tried.exit.id,
            sample=mask(last.body[:SAMPLE].decode("utf-8", "replace")) if last else None,
            tries=tuple(tried.tries),
        )


class Unauthorized(Exception):
    """The token was refused; `failed` is what becomes of the item where no other helps."""

    def __init__(self, failed: ItemFailed) -> None:
        self.failed = failed
        super().__init__(str(failed))


class _Held:
    """The place that a request has at the gate, for the fetcher to give up when the exchange is over."""

    __slots__ = ("_gate",)

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def acquire(self) -> None:
        """It is held already."""

    def release(self) -> None:
        self._gate.leave()


def _is_unauthorized(verdict: Verdict, answer: Answer) -> bool:
    return verdict.action == "refresh_auth" or (
        answer.status == 401 and verdict.action == "fail_item" and verdict.error_code == "unauthorized"
    )


#: The defaults alone.
PLAIN = Judge()


def parse(answer: Answer, decode: Decode) -> Json:
    """Return an answer's body as a JSON value, or UNPARSED where it is none."""
    try:
        return decode(answer.body, answer.content_type, Flaws())
    except NotJsonError:
        return UNPARSED
