"""Every error that Swath raises on purpose, drawn as a tree.

SwathError
├── InvalidInput        400  what the caller sent cannot be used; one message per field
├── Unauthenticated     401  no token, or one that is not known
├── NotFound            404  no such thing, or a thing of somebody else
├── Conflict            409  the thing is in use, or its name is taken
├── TooManyRequests     429  the caller is faster than the server allows
├── Unavailable         503  the database or the storage does not answer; it may in a moment
├── ItemFailed               one input item cannot go on; the execution does
├── FetchFault               an exchange with the outside came to no answer
│   └── AddressBlocked       the guard refused the address it would have connected to
├── Damaged                  stored bytes do not match their checksum
│   └── Torn                 those of recorded pages: they are fetched again
├── WorkerDied               a process that does heavy work died over it, again and again
├── StepFailed               a step of the durable engine failed, again and again; says what the last time
└── SetupError               the process cannot start as configured; says what to do
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal


class SwathError(Exception):
    """Base of all errors that Swath raises on purpose."""

    #: The status with which the API answers it.
    http_status: ClassVar[int] = 500


class FieldError(SwathError):
    """An error that the API's envelope states per field: `{"errors": [{field: message}]}`."""

    def __init__(self, field: str, message: str, *more: tuple[str, str]) -> None:
        self.fields: tuple[tuple[str, str], ...] = ((field, message), *more)
        super().__init__("; ".join(f"{name}: {text}" for name, text in self.fields))

    def __reduce__(self) -> tuple[type["FieldError"], tuple[Any, ...]]:
        """Let it come out of a worker process as it went in."""
        first, *more = self.fields
        return type(self), (*first, *more)


class InvalidInput(FieldError):
    http_status = 400


class Unauthenticated(FieldError):
    http_status = 401


class NotFound(FieldError):
    http_status = 404


class Conflict(FieldError):
    http_status = 409


class TooManyRequests(FieldError):
    http_status = 429


class Unavailable(FieldError):
    """What will work again when the database or the storage does."""

    http_status = 503


@dataclass(eq=False)
class ItemFailed(SwathError):
    """One input item cannot go on. `code` stands in the ledger as `error_code`, the rest beside it."""

    code: str
    message: str
    retryable: bool = False
    attempts: int = 0
    last_status: int | None = None
    exit: str | None = None
    sample: str | None = None
    #: What was tried in vain: the exit, what came of it, and the seconds waited then.
    tries: tuple[tuple[str, str, float], ...] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


#: Whose fault a failed exchange is. `unknown` is settled by a probe of the exit, never by guessing.
Blame = Literal["exit", "target", "request", "unknown"]


@dataclass(eq=False)
class FetchFault(SwathError):
    """An exchange came to no whole answer.

    `sent` is whether bytes of the request may have left: only then was it an attempt (settled point 2).
    """

    code: str
    message: str
    sent: bool
    blame: Blame = "unknown"
    retryable: bool = True

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class AddressBlocked(FetchFault):
    """The address guard refused to connect; nothing was sent, and trying again will not help."""

    def __init__(self, message: str) -> None:
        super().__init__("blocked_address", message, sent=False, blame="request", retryable=False)


class Damaged(SwathError):
    """Stored bytes do not match their checksum."""


class Torn(Damaged):
    """The bytes of recorded pages are damaged or missing: the frame at `offset` of a segment."""

    def __init__(self, segment: str, offset: int, reason: str) -> None:
        self.segment, self.offset, self.reason = segment, offset, reason
        super().__init__(segment, offset, reason)

    def __str__(self) -> str:
        return f"Segment {self.segment} is damaged at {self.offset}: {self.reason}"


class WorkerDied(SwathError):
    """A process that does heavy work died over it, again and again."""


class StepFailed(SwathError):
    """A step of the durable engine failed, again and again; the message says for owners how the last time."""


class SetupError(SwathError):
    """The process cannot start as configured; the message says what to do."""
