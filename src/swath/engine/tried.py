"""What has been tried for one page's request so far, and the ways in which that can end."""

import math

import msgspec

from swath.engine.exits import Exit
from swath.engine.fetcher import Answer
from swath.errors import ItemFailed
from swath.flow.definition import Json
from swath.flow.request import Request

#: Attempts in vain whose story is kept of one request.
MOST_TRIES = 20
NOTHING = (0, 0, 0)


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


class Unauthorized(Exception):
    """The token was refused; `failed` is what becomes of the item where no other helps."""

    def __init__(self, failed: ItemFailed) -> None:
        self.failed = failed
        super().__init__(str(failed))


class Expired(Exception):
    """The token ended while the request waited, and nothing was sent."""


class Obtained(msgspec.Struct, frozen=True):
    """An answer worth taking, and how it was come by. `started` in ms since 1970."""

    answer: Answer
    value: Json
    attempts: int
    exit_id: str
    started: int
    tries: list[tuple[str, str, float]]


class Patience(msgspec.Struct):
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


class Tried(msgspec.Struct):
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
    #: Until when, by the steady clock, the token that it carries is good.
    good_until: float = math.inf
    #: The execution's settings that the exit was chosen by.
    revision: int = 0
    #: Faults of exits, and the exits that this request has given up, by id.
    exit_faults: int = 0
    left: set[str] = msgspec.field(default_factory=set)
    last: Answer | None = None
    #: What came of the attempts in vain, by their exits, and how long was waited then; the first ones.
    tries: list[tuple[str, str, float]] = msgspec.field(default_factory=list)

    def note(self, outcome: str) -> None:
        if len(self.tries) < MOST_TRIES:
            self.tries.append((self.exit.id, outcome, 0.0))

    def note_wait(self, seconds: float) -> None:
        if self.tries:
            exit, outcome, waited = self.tries[-1]
            self.tries[-1] = exit, outcome, round(waited + seconds, 3)
