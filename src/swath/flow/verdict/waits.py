"""How long to wait before the next request: what the upstream asks for, and backoff where it does not."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from swath.flow.definition import RetryPolicy

Header = tuple[str, str]

_SECONDS = re.compile(r"-?\d{1,16}(?:\.\d+)?", re.ASCII)
_ITEM = re.compile(r"\b(r|remaining|t|reset)\s*=\s*(\d{1,12})", re.ASCII | re.IGNORECASE)
_REMAINING: Final = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_RESET: Final = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset", "x-ratelimit-reset-after")
_NAMES: Final = frozenset((*_REMAINING, *_RESET, "retry-after", "ratelimit"))
#: Answers that are a rate limit by their status alone.
RATE_STATUSES: Final = frozenset({420, 429})
#: Larger numbers are moments (seconds since 1970, about 1985 on), and still larger ones are milliseconds.
_MOMENT: Final = 5e8
_MILLISECONDS: Final = 1e11


def wait_hint(status: int, headers: Sequence[Header], now: float) -> float | None:
    """Return the seconds that an answer asks to wait at least, None if it asks for nothing.

    `Retry-After` counts for every status. The rate headers count where nothing remains of the allowance, or
    where the answer is a rate limit without a readable `Retry-After`. Moments are taken by the upstream's own
    clock, its `Date` header, so that clocks which differ do not make a wait too short; `now` (epoch seconds)
    stands in where there is none.
    """
    named = [(key, value.strip()) for name, value in headers if (key := name.lower()) in _NAMES]
    if not named:
        return None
    now = next((at for name, value in headers if name.lower() == "date" and (at := _moment(value))), now)
    after = _longest(_read_after(value, now) for name, value in named if name == "retry-after")
    if _is_used_up(named) or (after is None and status in RATE_STATUSES):
        return _longest((after, *_resets(named, now)))
    return after


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


def _read_after(value: str, now: float) -> float | None:
    """Read seconds or a date; what lies in the past asks for no wait, what cannot be read for nothing."""
    if _SECONDS.fullmatch(value):
        return max(0.0, float(value))
    moment = _moment(value)
    return None if moment is None else max(0.0, moment - now)


def _moment(value: str) -> float | None:
    """Read a date as HTTP, or failing that as ISO 8601 writes it."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            date = datetime.fromisoformat(value)
        except ValueError:
            return None
    try:
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _is_used_up(headers: Sequence[Header]) -> bool:
    """Tell whether a header says that no request remains."""
    for name, value in headers:
        if name in _REMAINING and _SECONDS.fullmatch(value) and float(value) <= 0:
            return True
        if name == "ratelimit" and any(policy.get("remaining") == 0 for policy in _policies(value)):
            return True
    return False


def _resets(headers: Sequence[Header], now: float) -> Iterator[float | None]:
    for name, value in headers:
        if name in _RESET:
            yield _read_reset(value, now)
        elif name == "ratelimit":
            yield from _policy_resets(value)


def _policy_resets(value: str) -> Iterator[float]:
    """Yield the resets of a `RateLimit` header: of the policies that are used up, of all if none is."""
    policies = [policy for policy in _policies(value) if "reset" in policy]
    used_up = [policy for policy in policies if policy.get("remaining") == 0]
    yield from (policy["reset"] for policy in used_up or policies)


def _policies(value: str) -> Iterator[dict[str, float]]:
    """Read a `RateLimit` header of either draft: `limit=9, remaining=0, reset=5` or `"name";r=0;t=5, ...`."""
    names = {"r": "remaining", "t": "reset"}
    for part in value.split(",") if ";" in value else [value]:
        yield {names.get(key.lower(), key.lower()): float(number) for key, number in _ITEM.findall(part)}


def _read_reset(value: str, now: float) -> float | None:
    """Read a reset that may be a delay, epoch seconds, epoch milliseconds or a date."""
    if not _SECONDS.fullmatch(value):
        moment = _moment(value)
        return None if moment is None else max(0.0, moment - now)
    number = float(value) / 1000 if float(value) >= _MILLISECONDS else float(value)
    return max(0.0, number - now if number >= _MOMENT else number)


def backoff(policy: RetryPolicy, attempt: int, chance: float) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 1): exponential, full jitter.

    `chance` is from [0, 1).
    """
    longest = policy.base_delay * 2.0 ** min(max(attempt - 1, 0), 62)
    return chance * min(policy.max_delay, longest)
