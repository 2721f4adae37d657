"""When to ask again, and how long to wait before."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: Statuses by which a server says that it has not even begun.
NOT_BEGUN = frozenset({429, 503})
#: Methods that may be sent twice.
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one request is sent, and the seconds between: doubling from `base`, at most `longest`."""

    attempts: int = 5
    base: float = 0.3
    longest: float = 30.0

    def wait(
        self, attempt: int, status: int | None, headers: Mapping[str, str], *, repeatable: bool
    ) -> float | None:
        """Return the seconds before the next attempt, None where there is none. No status: no answer came."""
        if attempt >= self.attempts or not _may_help(status, repeatable):
            return None
        asked = read_retry_after(headers.get("retry-after"))
        if asked is not None:
            return asked if asked <= self.longest else None
        return float(min(self.base * 2 ** (attempt - 1), self.longest) * random.uniform(0.5, 1.0))


def _may_help(status: int | None, repeatable: bool) -> bool:
    if status is None:
        return repeatable
    return status in NOT_BEGUN or (repeatable and status >= 500)


def read_retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
