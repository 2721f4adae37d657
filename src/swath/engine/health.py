"""What is learnt of proxies' health while requests go through them, for whoever looks at the list of them."""

import math
from typing import Any

from swath.engine.exits import Exit
from swath.engine.times import now_ms

#: Seconds between two times that it is written down.
EVERY = 5.0
#: The columns of a proxy that change.
Learnt = dict[str, Any]


def well(latency: float) -> Learnt:
    """An exchange of so many seconds came to an answer."""
    return {"used_at": now_ms(), "latency": latency, "fault": None, "rests_until": None}


def ill(code: str, seconds: float = 0.0) -> Learnt:
    """An exchange failed by the proxy's fault, after which it rests for some seconds."""
    now = now_ms()
    return {"used_at": now, "fault": code, "rests_until": now + round(seconds * 1e3) if seconds else None}


class Health:
    """Gathers what is learnt, the newest of each proxy, until it is written down. One for the process."""

    def __init__(self) -> None:
        self._learnt: dict[str, Learnt] = {}
        self._taken = -math.inf

    def note_success(self, exit: Exit, latency: float) -> None:
        if exit.url is not None:
            self._learnt[exit.id] = well(latency)

    def note_rest(self, exit_id: str, code: str, seconds: float) -> None:
        before = self._learnt.get(exit_id, {})
        self._learnt[exit_id] = before | ill(code, seconds)

    def take(self, now: float, every: float = EVERY) -> dict[str, Learnt]:
        """Return what was learnt, and begin anew; nothing where that was done a moment ago."""
        if now - self._taken < every:
            return {}
        learnt, self._learnt = self._learnt, {}
        self._taken = now
        return learnt
