"""What must be under way in the durable engine, as our tables say: it may have lost some of it."""

from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select

from swath.flow.execution import TERMINAL, Status
from swath.store.schema import executions, shards
from swath.store.shards import OUT

#: Milliseconds within which one that was let in is queued.
QUEUED_WITHIN = 60_000


@dataclass(frozen=True, slots=True)
class Work:
    """An execution that somebody works on, or a shard of it that was handed out in a batch."""

    execution_id: str
    shard: int | None = None
    batch: int | None = None


def find_expected(connection: Connection, now: int) -> Set[Work]:
    """Return what somebody works on, or waits in a queue for it. Times in milliseconds."""
    let_in = and_(
        executions.c.status.in_([Status.QUEUED, Status.STOPPING]),
        executions.c.admitted_at < now - QUEUED_WITHIN,
    )
    ended = executions.c.status.in_([str(status) for status in TERMINAL])
    query = select(executions.c.id).where(~ended, or_(executions.c.started_at.is_not(None), let_in))
    begun = {Work(id) for id in connection.execute(query).scalars()}
    out = (
        select(shards.c.execution_id, shards.c.number, shards.c.batch)
        .join(executions, executions.c.id == shards.c.execution_id)
        .where(~ended, shards.c.state.in_(OUT))
    )
    return begun | {Work(*row) for row in connection.execute(out)}
