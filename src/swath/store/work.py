"""What must be under way in the durable engine, as our tables say: it may have lost some of it."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from itertools import chain, starmap

from sqlalchemy import Connection, and_, or_, select

from swath.flow.execution import TERMINAL, Status
from swath.store import recipes, webhooks
from swath.store.schema import executions, shards
from swath.store.shards import OUT

#: Milliseconds within which one that was let in, or that is due, is queued.
QUEUED_WITHIN = 60_000


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that somebody works on."""

    execution_id: str


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard that was handed out in a batch."""

    execution_id: str
    number: int
    batch: int


@dataclass(frozen=True, slots=True)
class Combination:
    """A later revision of an execution's files."""

    execution_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery to a webhook that is due after so many attempts."""

    execution_id: str
    id: str
    attempts: int


Work = Execution | Shard | Combination | Delivery


def find_expected(connection: Connection, now: int, due: int) -> Set[Work]:
    """Return what somebody works on, or waits in a queue for it; `due` is the time of deliveries.

    Times in milliseconds.
    """
    before = now - QUEUED_WITHIN
    overdue = webhooks.find_due(connection, due, late=QUEUED_WITHIN, before=before)
    return set(
        chain(
            _find_executions(connection, before),
            _find_shards(connection),
            starmap(Combination, recipes.find_waiting(connection, before)),
            starmap(Delivery, overdue),
        )
    )


_ended = executions.c.status.in_([str(status) for status in TERMINAL])


def _find_executions(connection: Connection, before: int) -> Iterator[Execution]:
    let_in = and_(
        executions.c.status.in_([Status.QUEUED, Status.STOPPING]), executions.c.admitted_at < before
    )
    query = select(executions.c.id).where(~_ended, or_(executions.c.started_at.is_not(None), let_in))
    return map(Execution, connection.execute(query).scalars())


def _find_shards(connection: Connection) -> Iterator[Shard]:
    query = (
        select(shards.c.execution_id, shards.c.number, shards.c.batch)
        .join(executions, executions.c.id == shards.c.execution_id)
        .where(~_ended, shards.c.state.in_(OUT))
    )
    return (Shard(*row) for row in connection.execute(query))
