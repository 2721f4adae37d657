"""The limits of an execution: rows and bytes are reserved before they are taken, time ends by the clock."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from swath.flow.execution import Status
from swath.store import pace, webhooks
from swath.store.schema import executions

Kind = Literal["rows", "bytes"]

#: Blocks that are left when no more is handed out than somebody needs at once: others would be missing it.
FEW_BLOCKS = 8


def reserve(connection: Connection, execution_id: str, kind: Kind, wanted: int, block: int) -> int:
    """Reserve what is wanted, up to a block or down to what is left; a negative amount is given back."""
    maximum, reserved = executions.c[f"maximum_{kind}"], executions.c[f"{kind}_reserved"]
    here = executions.c.id == execution_id
    most, before = connection.execute(select(maximum, reserved).where(here).with_for_update()).one()
    left = max(0, most - before)  # a limit may have been lowered below what was reserved
    granted = max(wanted, block) if left >= FEW_BLOCKS * max(wanted, block) else min(wanted, left)
    granted = wanted if wanted < 0 else granted
    if granted:
        connection.execute(update(executions).where(here).values({reserved.name: reserved + granted}))
    return int(granted)


def set_truncated(connection: Connection, execution_id: str, by: str, limit: int | None, now: int) -> bool:
    """Note which limit was reached, the first of them; webhooks are told of it once.

    False where the limit is another by now, and nothing is noted.
    """
    here = executions.c.id == execution_id
    row = connection.execute(select(executions).where(here)).one()
    if row.truncated:
        return True
    if getattr(row, COLUMNS[by][0]) != limit:
        return False
    connection.execute(update(executions).where(here).values(truncated=True, truncated_by=by))
    webhooks.notify(connection, execution_id, "execution.truncated", now)
    return True


# --- changes while it runs

#: By kind: the column of the limit, and that of what is reserved of it. Time is reserved by nobody.
COLUMNS: Mapping[str, tuple[str, str | None]] = {
    "requests": ("maximum_requests_count", "attempts_reserved"),
    "rows": ("maximum_rows", "rows_reserved"),
    "bytes": ("maximum_bytes", "bytes_reserved"),
    "seconds": ("maximum_ms", None),
}


def change(connection: Connection, row: Row[Any], wanted: Mapping[str, int], now: int) -> None:
    """Set limits, by kind, of an execution that goes on; one that was reached no longer is, if it is raised.

    Of what was taken without a limit nobody knows before it is recorded: it stays unsettled until then.
    """
    values: dict[str, Any] = {COLUMNS[kind][0]: limit for kind, limit in wanted.items()}
    fresh = {kind for kind in wanted if COLUMNS[kind][1] and getattr(row, COLUMNS[kind][0]) is None}
    if fresh and row.started_at is not None:
        values["unsettled"] = json.dumps(sorted(fresh | set(json.loads(row.unsettled or "[]"))))
    if row.truncated and _has_room(row, wanted.get(row.truncated_by), now):
        values |= {"truncated": False, "truncated_by": None}
    connection.execute(update(executions).where(executions.c.id == row.id).values(values))


def _has_room(row: Row[Any], limit: int | None, now: int) -> bool:
    """Tell whether a new limit of the kind that was reached lets an execution go on."""
    if limit is None:
        return False
    name, reserved = COLUMNS[row.truncated_by]
    if reserved is None:
        return bool(row.started_at + row.paused_ms + limit > now)
    return limit > max(int(getattr(row, name)), int(getattr(row, reserved)) - 1)


def settle(connection: Connection, execution_id: str) -> None:
    """Count as reserved what was taken without a limit, now that all of it is recorded."""
    row = connection.execute(
        select(executions).where(executions.c.id == execution_id, executions.c.unsettled.is_not(None))
    ).first()
    if row is None:
        return
    taken = {"requests": row.attempts, "rows": pace.count_rows(connection, execution_id), "bytes": row.bytes}
    values: dict[str, Any] = {"unsettled": None}
    for kind in json.loads(row.unsettled):
        reserved = COLUMNS[kind][1]
        assert reserved is not None
        values[reserved] = executions.c[reserved] + taken[kind]
    connection.execute(update(executions).where(executions.c.id == execution_id).values(values))


# --- time


def find_expired(connection: Connection, now: int) -> Sequence[tuple[str, int]]:
    """Return the executions whose time is over and that do not know it, each with its limit."""
    over = executions.c.started_at + executions.c.paused_ms + executions.c.maximum_ms <= now
    query = select(executions.c.id, executions.c.maximum_ms).where(
        executions.c.status == Status.RUNNING, executions.c.truncated.is_(False), over
    )
    return [(row.id, row.maximum_ms) for row in connection.execute(query)]


def stop_clock(connection: Connection, execution_id: str, now: int) -> None:
    """Let an execution's time stand still while it is paused."""
    connection.execute(update(executions).where(executions.c.id == execution_id).values(paused_at=now))


def start_clock(connection: Connection, execution_id: str, now: int) -> None:
    """Let an execution's time go on."""
    paused = executions.c.paused_ms + (now - executions.c.paused_at)
    here = (executions.c.id == execution_id, executions.c.paused_at.is_not(None))
    connection.execute(update(executions).where(*here).values(paused_ms=paused, paused_at=None))
