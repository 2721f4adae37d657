"""The states of an execution and of its input items, and the moves between them."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """The state of an execution; the sentence after each is its meaning."""

    #: Triggered, not yet started.
    QUEUED = "queued"
    #: Requests are sent, or files are being combined.
    RUNNING = "running"
    #: Held by its owner; goes on when resumed.
    PAUSED = "paused"
    #: Cancelled by its owner or by a rule; what was fetched is being combined.
    STOPPING = "stopping"
    #: Every item is done.
    SUCCEEDED = "succeeded"
    #: Some item failed or is partial, and some is done or partial.
    PARTIALLY_FAILED = "partially_failed"
    #: No item is done or partial, or the execution itself could not go on.
    FAILED = "failed"
    #: Ended by its owner.
    CANCELLED = "cancelled"


class StopReason(StrEnum):
    """Why an input item ended; the sentence after each is its meaning."""

    #: The upstream had no more pages.
    COMPLETE = "complete"
    #: An empty page ended the list.
    EMPTY_PAGE = "empty_page"
    #: The workflow's own predicate ended it.
    STOP_WHEN = "stop_when"
    #: `max_pages_per_item` was reached.
    PAGE_LIMIT = "page_limit"
    #: `maximum_requests_count` was reached.
    REQUEST_LIMIT = "request_limit"
    #: The upstream repeats itself; the repeated page's rows are not taken.
    LOOP_DETECTED = "loop_detected"
    #: The upstream refuses to page any deeper.
    DEPTH_CAP = "depth_cap"
    #: The wait that the upstream asks for passes the item's deadline.
    RATE_LIMITED = "rate_limited"
    #: The request would have gone to a forbidden address.
    BLOCKED_ADDRESS = "blocked_address"
    #: Tried as often as the workflow allows, or not worth trying again.
    FAILED = "failed"
    #: The execution was cancelled before the item ended.
    CANCELLED = "cancelled"
    #: The execution's limit of rows was reached.
    ROW_LIMIT = "row_limit"
    #: The execution's limit of bytes was reached.
    BYTE_LIMIT = "byte_limit"
    #: The execution's time was over.
    TIME_LIMIT = "time_limit"


#: Stored as one byte an item; the order is part of the stored format, so only append.
STOP_CODES: tuple[StopReason, ...] = tuple(StopReason)

#: Why items end when a limit is reached that the caller set for the whole execution.
LIMITS: Mapping[str, StopReason] = {
    "requests": StopReason.REQUEST_LIMIT,
    "rows": StopReason.ROW_LIMIT,
    "bytes": StopReason.BYTE_LIMIT,
    "seconds": StopReason.TIME_LIMIT,
}
LIMITED = frozenset(LIMITS.values())
DONE = LIMITED | frozenset(
    {
        StopReason.COMPLETE,
        StopReason.EMPTY_PAGE,
        StopReason.STOP_WHEN,
        StopReason.PAGE_LIMIT,
    }
)
PARTIAL = frozenset({StopReason.LOOP_DETECTED, StopReason.DEPTH_CAP})
TERMINAL = frozenset({Status.SUCCEEDED, Status.PARTIALLY_FAILED, Status.FAILED, Status.CANCELLED})

#: What `?status=` of the original means in our states (settled point 13).
STATUS_GROUPS: Mapping[str, frozenset[Status]] = {
    "active": frozenset({Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.STOPPING}),
    "completed": frozenset({Status.SUCCEEDED, Status.PARTIALLY_FAILED}),
    "failed": frozenset({Status.FAILED}),
    "cancelled": frozenset({Status.CANCELLED}),
}


#: Priorities that an owner may give, the highest first, and the one that is meant where none is given.
LOWEST, USUAL, HIGHEST = 1, 5, 9
#: Shards of an execution after which it has had its start: from then on all take turns.
HEAD_START = 32


def rank(priority: int, started: int) -> int:
    """Return the place of an execution's next shard in the queue, the smallest first.

    Within a priority those go first that have had least so far: a small execution passes a large one. No
    more than its first shards, though, or every new one would hold up all that have had more.
    """
    return 1 + (HIGHEST - priority) * 1_000 + min(started, HEAD_START)


def reason_left(truncated_by: str | None) -> StopReason:
    """Return why items did not end that an ended execution had not come to."""
    return LIMITS[truncated_by] if truncated_by else StopReason.CANCELLED


def judge_end(counts: Mapping[StopReason, int], *, cancelled: bool) -> Status:
    """Return the terminal state of an execution whose items ended as `counts` says."""
    if cancelled:
        return Status.CANCELLED
    done = sum(counts.get(reason, 0) for reason in DONE)
    partial = sum(counts.get(reason, 0) for reason in PARTIAL)
    if done == sum(counts.values()):
        return Status.SUCCEEDED
    return Status.PARTIALLY_FAILED if done + partial else Status.FAILED
