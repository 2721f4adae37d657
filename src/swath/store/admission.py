"""Which queued executions are let in, so that no more run at a time than may."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from swath.flow.execution import Status
from swath.store.database import upsert
from swath.store.schema import duties, executions

#: Executions that are let in at a time.
SLICE = 1_000

_outside = and_(
    executions.c.admitted_at.is_(None),
    executions.c.started_at.is_(None),
    executions.c.status.in_([Status.QUEUED, Status.STOPPING]),
)


@dataclass(frozen=True, slots=True)
class Room:
    """How many executions may run at a time, over all users and of each; None: as many as there are."""

    of_all: int | None = None
    per_user: int | None = None

    def admits(self, running: Counter[str], owner_id: str) -> bool:
        """Tell whether one more of an owner may run beside those that run."""
        return not self.is_full(running) and (self.per_user is None or running[owner_id] < self.per_user)

    def is_full(self, running: Counter[str]) -> bool:
        return self.of_all is not None and running.total() >= self.of_all


def is_anyone_outside(connection: Connection, room: Room) -> bool:
    """Tell quickly whether `admit` may find somebody to let in."""
    found = connection.execute(select(executions.c.status).where(_outside).limit(1)).first()
    return found is not None and (room.of_all is None or not room.is_full(count_running(connection)))


def admit(connection: Connection, room: Room, now: int) -> None:
    """Let in those that the limits allow: by priority, then by age; a user at his limit holds up nobody.

    One that was cancelled outside needs no place, only its end.
    """
    _one_at_a_time(connection)
    running = count_running(connection)
    query = select(executions.c.id, executions.c.owner_id, executions.c.status).where(_outside)
    let_in = []
    for row in connection.execute(query.order_by(executions.c.priority.desc(), executions.c.number)):
        stopping = row.status == Status.STOPPING
        if stopping or room.admits(running, row.owner_id):
            running[row.owner_id] += not stopping
            let_in.append(row.id)
            if len(let_in) == SLICE:
                break
    connection.execute(update(executions).where(executions.c.id.in_(let_in)).values(admitted_at=now))


def _one_at_a_time(connection: Connection) -> None:
    """Wait for another process that lets in, or both would fill the same place."""
    connection.execute(upsert(connection, duties, {"name": "admission", "until": 0}).on_conflict_do_nothing())
    connection.execute(select(duties).where(duties.c.name == "admission").with_for_update())


def count_running(connection: Connection) -> Counter[str]:
    """Count the executions of each owner that have a place. Paused ones have none: they cost nothing."""
    query = select(executions.c.owner_id, func.count()).where(_inside()).group_by(executions.c.owner_id)
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def _inside() -> ColumnElement[bool]:
    let_in = and_(executions.c.status == Status.QUEUED, executions.c.admitted_at.is_not(None))
    return or_(executions.c.status == Status.RUNNING, let_in)
