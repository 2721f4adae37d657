"""One page's request until there is an answer to take: exit, pace, budget, fetch, verdict, wait, again."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from swath.engine.blame import proxy_error
from swath.engine.checkpoint import OpenShard
from swath.engine.fetcher import Answer
from swath.engine.guard import is_allowed, read_url, target_of
from swath.engine.live import LiveExecution
from swath.engine.pacing import Paces
from swath.engine.recourse import Recourse
from swath.engine.times import now_ms
from swath.engine.tried import (
    NOTHING,
    Expired,
    LimitReached,
    Obtained,
    Patience,
    Stopped,
    Tried,
    Unauthorized,
)
from swath.errors import AddressBlocked, FetchFault, ItemFailed
from swath.flow.bodies import UNREAD, Decode, Flaws, NotJsonError, format_of, read_keys
from swath.flow.definition import Json
from swath.flow.request import Request
from swath.flow.verdict import UNPARSED, Judge, Verdict, may_tell_error, wait_hint

#: Tokens that one request is refused with before it counts as refused.
MOST_RENEWALS = 2

#: Makes the request, given the variables that are not the item's own.
Render = Callable[[Mapping[str, Json]], Request]

#: The defaults alone.
PLAIN = Judge()


class Exchange:
    """Obtains answers for the items of one shard, counting every attempt into it."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard
        self._recourse = Recourse(live, shard)

    def obtain(self, item: int, render: Render, patience: Patience) -> Awaitable[Obtained]:
        """Send a request until its answer is a success.

        Raises ItemFailed when it cannot be one, LimitReached when no attempts are left, Stopped when the
        execution stops, and ExecutionFailed when a rule says that nothing else is worth sending either.
        """
        if self._live.auth is not None:
            return self._obtain_with_token(item, render, patience)
        return self._insist(self._first(item, render({}), patience), self._live.judge)

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

    async def _obtain_with_token(self, item: int, render: Render, patience: Patience) -> Obtained:
        auth = self._live.auth
        assert auth is not None
        await auth.ready(lambda request: self._ask(item, request, patience))
        tried = self._first(item, render(auth.values), patience)
        while True:
            generation, tried.good_until = auth.generation, auth.good_until
            try:
                return await self._insist(tried, self._live.judge)
            except Expired:
                pass
            except Unauthorized as refused:
                tried.renewals += 1
                if tried.renewals > MOST_RENEWALS:
                    raise refused.failed from None
            await auth.renew(generation, lambda request: self._ask(item, request, patience))
            tried.request = render(auth.values)

    async def _ask(self, item: int, request: Request, patience: Patience) -> Json:
        """Send a request that no page comes of, and that no rule of the workflow judges."""
        return (await self._insist(self._first(item, request, patience), PLAIN)).value

    def _first(self, item: int, request: Request, patience: Patience) -> Tried:
        target, live = target_of(request.url), self._live
        tried = Tried(item, request, target, live.choose_exit(target, item), patience, revision=live.revision)
        if patience.carried is not NOTHING:
            tried.failures, tried.limited, tried.before = patience.take_carried()
        return tried

    async def _insist(self, tried: Tried, judge: Judge) -> Obtained:
        while True:
            started = now_ms()
            try:
                answer = await self._send(tried)
            except FetchFault as fault:
                await self._recourse.after_fault(fault, tried)
                continue
            value = self._read(answer, judge)
            verdict = judge.judge(answer.status, answer.headers, answer.body, value)
            if verdict.action in ("success", "ignore"):
                rows = verdict.action == "success" and value is not UNPARSED
                return self._take(tried, answer, value if rows else None, rows, started)
            if judge is not PLAIN and self._live.auth is not None and _is_unauthorized(verdict, answer):
                raise Unauthorized(self._recourse.failed_by(verdict, tried))
            if await self._live.worker.fetcher.proxies.is_own_answer(tried.exit, answer):
                await self._recourse.after_fault(proxy_error(answer.status), tried)
            else:
                await self._recourse.after_verdict(verdict, answer, tried)

    def _read(self, answer: Answer, judge: Judge) -> Json:
        """Return what an answer says; UNREAD where nobody asks for more than whether it is JSON."""
        live = self._live
        if not (live.looks_inside or judge is PLAIN) and 200 <= answer.status < 300:
            plain = format_of(live.workflow.answer_format, answer.content_type) == "json"
            keys = read_keys(answer.body) if plain else None
            if keys is not None and not may_tell_error(keys):
                return UNREAD
        return parse(answer, live.decode)

    def _take(self, tried: Tried, answer: Answer, value: Json, rows: bool, started: int) -> Obtained:
        """Take an answer; heed that nothing remains of an allowance, where it says so.

        Not for longer than a backoff: the header may lie, and a refusal would tell the truth.
        """
        live = self._live
        live.report_success(tried.target, tried.exit, answer.elapsed)
        tried.patience.spent = NOTHING
        hint = wait_hint(answer.status, answer.headers, live.clock.epoch())
        if hint:
            live.hold(tried.target, tried.exit, min(hint, live.workflow.retry.max_delay))
        taken = answer if rows else msgspec.structs.replace(answer, body=b"")
        return Obtained(taken, value, tried.attempts, tried.exit.id, started, tried.tries)

    # --- one attempt

    async def _send(self, tried: Tried) -> Answer:
        live = self._live
        await self._enter(tried)  # which may choose another exit
        try:
            if live.budget.limited:
                await self._reserve()
            self._count(tried)
        except BaseException:
            live.gate.leave()
            raise
        try:
            answer = await live.worker.fetcher.fetch(
                tried.request,
                tried.exit,
                live.workflow.limits,
                allowed_hosts=live.workflow.allowed_hosts,
                on_redirect=partial(self._follow, tried),
                on_end=live.gate.leave,
                stopping=live.stopping,
            )
        except FetchFault as fault:
            if fault.code == "stopped":
                raise Stopped from None
            self._shard.tallies["status", fault.code] += 1
            if not fault.sent:
                self._take_back(tried)
            raise
        tried.last = answer
        self._shard.tallies["status", str(answer.status)] += 1
        return answer

    async def _enter(self, tried: Tried) -> None:
        """Pass the gate; what the item waited because its scope was held counts against its patience."""
        live = self._live
        held = live.held_for(tried.target, tried.exit)
        if len(live.paces(tried.target, tried.exit)) > 1:
            # Once there is a slot the request is to leave at once, and wait for nothing else.
            await live.budget.make_ready()
            await live.worker.fetcher.warm(tried.request, tried.exit, live.workflow.limits)
        await live.gate.enter(partial(self._prepare, tried))
        while not live.may_send:
            live.gate.leave()
            await live.come_back()
            await live.gate.enter(partial(self._prepare, tried))
        tried.patience.left -= held
        if live.clock.steady() >= tried.good_until:
            live.gate.leave()
            raise Expired

    def _prepare(self, tried: Tried) -> Paces:
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
            raise self._recourse.failed("rate_limited", told, True, tried)
        return live.paces(tried.target, tried.exit)

    async def _follow(self, tried: Tried, request: Request) -> None:
        """Let a redirect be sent: it is an attempt, and of its own target's pace."""
        await self._live.gate.pass_again(lambda: self._live.paces(target_of(request.url), tried.exit))
        if self._live.budget.limited:
            await self._reserve()
        self._count(tried)

    async def _reserve(self) -> None:
        """Take one attempt from the budget, before anything is sent."""
        if not await self._live.budget.take():
            raise LimitReached("requests")

    def _count(self, tried: Tried) -> None:
        tried.attempts += 1
        self._shard.count_attempt()

    def _take_back(self, tried: Tried) -> None:
        """Nothing was sent: it was no attempt."""
        self._live.budget.give_back()
        self._shard.count_attempt(-1)
        tried.attempts -= 1


def _is_unauthorized(verdict: Verdict, answer: Answer) -> bool:
    return verdict.action == "refresh_auth" or (
        answer.status == 401 and verdict.action == "fail_item" and verdict.error_code == "unauthorized"
    )


def parse(answer: Answer, decode: Decode) -> Json:
    """Return an answer's body as a JSON value, or UNPARSED where it is none."""
    try:
        return decode(answer.body, answer.content_type, Flaws())
    except NotJsonError:
        return UNPARSED
