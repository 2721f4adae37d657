"""The limits of an execution: rows and bytes are reserved before they are taken, time ends by the clock."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection, select, update

from swath.flow.execution import Status
from swath.store import webhooks
from swath.store.schema import executions

Kind = Literal["rows", "bytes"]

#: Blocks that are left when no more is handed out than somebody needs at once: others would be missing it.
FEW_BLOCKS = 8


def reserve(connection: Connection, execution_id: str, kind: Kind, wanted: int, block: int) -> int:
    """Reserve what is wanted, up to a block or down to what is left; a negative amount is given back."""
    maximum, reserved = executions.c[f"maximum_{kind}"], executions.c[f"{kind}_reserved"]
    here = executions.c.id == execution_id
    most, before = connection.execute(select(maximum, reserved).where(here).with_for_update()).one()
    left = most - before
    granted = max(wanted, block) if left >= FEW_BLOCKS * max(wanted, block) else min(wanted, left)
    granted = wanted if wanted < 0 else granted
    if granted:
        connection.execute(update(executions).where(here).values({reserved.name: reserved + granted}))
    return int(granted)


def set_truncated(connection: Connection, execution_id: str, by: str, now: int) -> None:
    """Note which limit was reached, the first of them; webhooks are told of it once."""
    here = (executions.c.id == execution_id, executions.c.truncated.is_(False))
    if connection.execute(update(executions).where(*here).values(truncated=True, truncated_by=by)).rowcount:
        webhooks.notify(connection, execution_id, "execution.truncated", now)


# --- time


def find_expired(connection: Connection, now: int) -> Sequence[str]:
    """Return the executions whose time is over and that do not know it."""
    query = select(executions.c.id).where(
        executions.c.status == Status.RUNNING,
        executions.c.truncated.is_(False),
        executions.c.deadline_at <= now,
    )
    return connection.execute(query).scalars().all()


def stop_clock(connection: Connection, execution_id: str, now: int) -> None:
    """Let an execution's time stand still while it is paused."""
    connection.execute(update(executions).where(executions.c.id == execution_id).values(paused_at=now))


def start_clock(connection: Connection, execution_id: str, now: int) -> None:
    """Let an execution's time go on."""
    later = executions.c.deadline_at + (now - executions.c.paused_at)
    here = (executions.c.id == execution_id, executions.c.paused_at.is_not(None))
    connection.execute(update(executions).where(*here).values(deadline_at=later, paused_at=None))
