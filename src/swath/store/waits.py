"""What executions wait for through no doing of their own, as their owners see it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from swath.flow.execution import Status
from swath.store import webhooks
from swath.store.ledger import record_event
from swath.store.limits import stop_clock
from swath.store.schema import events, executions

#: Milliseconds within which what is back for one worker is back for the others.
SOON = 10_000


class Wait(NamedTuple):
    """A thing that is away, what it is away for, and since when in milliseconds."""

    thing: str
    reason: str
    since: int

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since // 1000, UTC)
        return f"Waiting for the {self.thing} since {since:%Y-%m-%dT%H:%M:%SZ}: {self.reason}"


def begin(connection: Connection, execution_id: str, wait: Wait, now: int) -> bool:
    """Note that an execution waits; several workers may see the same.

    Returns whether it is noted: not, while another worker has just gone on after the same outage.
    """
    if _has_gone_on(connection, execution_id, wait.thing, max(wait.since, now - SOON)):
        return False
    if _is_told(connection, execution_id, wait):
        return True  # though another worker, which is back, may have recorded pages since
    changed = connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.waiting.is_(None))
        .values(waiting=str(wait))
    )
    if changed.rowcount:
        record_event(connection, execution_id, "waiting", {"for": wait.thing, "reason": wait.reason}, now)
        webhooks.notify(connection, execution_id, "execution.waiting", now)
    return True


def end(connection: Connection, execution_id: str, wait: Wait, now: int) -> None:
    """Note that an execution goes on, unless it is paused or another worker has done so already."""
    here = (executions.c.id == execution_id, executions.c.status != Status.PAUSED)
    if not connection.execute(update(executions).where(*here).values(waiting=None)).rowcount:
        return
    if not _has_gone_on(connection, execution_id, wait.thing, wait.since):
        data: Mapping[str, Any] = {"for": wait.thing, "seconds": (now - wait.since) / 1e3}
        record_event(connection, execution_id, "went_on", data, now)


def _has_gone_on(connection: Connection, execution_id: str, thing: str, since: int) -> bool:
    return "went_on" in _find_told(connection, execution_id, thing, since)


def _is_told(connection: Connection, execution_id: str, wait: Wait) -> bool:
    """Tell whether this wait, or another worker's that began a moment before, is told of and not over."""
    return _find_told(connection, execution_id, wait.thing, wait.since - SOON)[-1:] == ["waiting"]


def _find_told(connection: Connection, execution_id: str, thing: str, since: int) -> list[str]:
    """Return what was told of waits for a thing since then, the oldest first: `waiting`, `went_on`."""
    query = select(events.c.kind, events.c.data).where(
        events.c.execution_id == execution_id, events.c.kind.in_(("waiting", "went_on")), events.c.at >= since
    )
    told = connection.execute(query.order_by(events.c.number))
    return [row.kind for row in told if json.loads(row.data)["for"] == thing]


def put_off(connection: Connection, execution_id: str, reason: str, now: int) -> bool:
    """Pause an execution that has waited for too long; tells whether it ran."""
    changed = connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status == Status.RUNNING)
        .values(status=Status.PAUSED, waiting=reason)
    )
    if changed.rowcount:
        stop_clock(connection, execution_id, now)
        record_event(connection, execution_id, "paused", {"by": "swath", "reason": reason}, now)
        webhooks.notify(connection, execution_id, "execution.paused", now)
    return bool(changed.rowcount)
