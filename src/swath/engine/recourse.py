"""What to do when there is no answer to take: another exit, a wait and another try, or the item's end."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from swath.engine.checkpoint import OpenShard
from swath.engine.exits import OF_THE_EXIT
from swath.engine.fetcher import Answer
from swath.engine.live import LiveExecution
from swath.engine.tried import ExecutionFailed, Stopped, Tried
from swath.errors import FetchFault, ItemFailed
from swath.flow.verdict import Verdict, backoff, wait_hint

#: Bytes of an answer that the ledger keeps as a sample.
SAMPLE = 2_000
#: Faults of exits that one request survives; more, and the exits are not worth trying.
MOST_EXIT_FAULTS = 20
#: Error codes by which a target refuses an exit rather than the request.
BANS = frozenset({"blocked", "forbidden", "rate_limited", "proxy_auth_required"})
#: Error codes of a target that breaks down under what it is asked.
STRAINS = frozenset({"rate_limited", "service_unavailable", "gateway_timeout", "timeout"})
#: Statuses with which somebody else answers in the place of a target that is gone.
VACANT = frozenset({502, 503, 504})


class Recourse:
    """For the requests of one shard."""

    def __init__(self, live: LiveExecution, shard: OpenShard) -> None:
        self._live = live
        self._shard = shard

    async def after_fault(self, fault: FetchFault, tried: Tried) -> None:
        """Move to another exit, or wait before the next try, or raise ItemFailed where there is none."""
        policy = self._live.workflow.retry
        tried.note(fault.code)
        unreached = fault.blame == "target" and not fault.sent
        of_the_exit = fault.blame == "exit" and fault.code in OF_THE_EXIT
        if fault.retryable and not of_the_exit and await self._sit_out(tried, fault.message, unreached):
            return
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
            raise self.failed(fault.code, fault.message, fault.retryable, tried)
        await self._wait(backoff(policy, tries, random.random()), fault.code, fault.message, tried)

    async def after_verdict(self, verdict: Verdict, answer: Answer, tried: Tried) -> None:
        """Do what a verdict other than success says, or raise."""
        code, message = verdict.error_code or "failed", verdict.message or ""
        tried.note(f"{answer.status} {code}")
        if verdict.action == "fail_execution":
            raise ExecutionFailed(self.failed_by(verdict, tried))
        self._live.report_trouble(tried.target, tried.exit, code in STRAINS)
        hint = wait_hint(answer.status, answer.headers, self._live.clock.epoch()) or 0.0
        if verdict.action != "retry" or hint or answer.status not in VACANT:
            self._live.silences.of(tried.target).hear()
        elif await self._sit_out(tried, f"it answers {answer.status}"):
            return
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
            raise self.failed_by(verdict, tried)

    def failed_by(self, verdict: Verdict, tried: Tried) -> ItemFailed:
        code, message = verdict.error_code or "failed", verdict.message or ""
        return self.failed(code, message, verdict.retryable, tried)

    def failed(self, code: str, message: str, retryable: bool, tried: Tried) -> ItemFailed:
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

    async def _sit_out(self, tried: Tried, why: str, surely: bool = False) -> bool:
        """Wait with all others where the target answers nobody; False where that is the item's own trouble.

        Raises Stopped where it has lasted for longer than an item may wait: the execution is paused then.
        """
        live, silence = self._live, self._live.silences.of(tried.target)
        if not silence.miss(tried.item, tried.exit.id, len(live.exits), why, surely):
            return False
        if silence.lasted > live.workflow.retry.item_deadline:
            told = f"{tried.target} has not answered for {silence.lasted:.0f} s ({why})"
            await live.put_off(f"Paused: {told}. Nothing is lost; resume it when it answers.")
            raise Stopped
        await self._unless_called(silence.sit_out(live.clock.sleep))
        return True

    def _count(self, verdict: Verdict, tried: Tried, hint: float) -> float:
        """Count a refusal as what it is, hold the scope where that is asked for; return the wait."""
        policy = self._live.workflow.retry
        if verdict.action != "rate_limited":
            tried.failures += 1
            return max(hint, backoff(policy, tried.failures, random.random()))
        tried.limited += 1
        again = max(hint, backoff(policy, tried.limited, random.random()))
        self._live.hold(tried.target, tried.exit, again, refused=True)
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
            raise self.failed(code, told, True, tried)
        tried.patience.left -= seconds
        tried.note_wait(seconds)
        tried.patience.spent = tried.failures, tried.limited, tried.before + tried.attempts
        await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        await self._unless_called(self._live.clock.sleep(seconds))

    async def _unless_called(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Await something; raises Stopped as soon as the shard is to make way."""
        wait = asyncio.ensure_future(waiting)
        way = asyncio.ensure_future(self._shard.make_way.wait())
        try:
            await asyncio.wait((wait, way), return_when=asyncio.FIRST_COMPLETED)
            if not wait.done():
                raise Stopped
        finally:
            wait.cancel()
            way.cancel()
