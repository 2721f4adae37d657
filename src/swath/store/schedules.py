"""How schedules are kept, and who has a run of one: whoever moves its next time on."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from swath.store.listing import newest_first, older
from swath.store.schema import schedules, users


def add(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(schedules).values(values))


def find_own(connection: Connection, owner_id: str, schedule_id: str) -> Row[Any] | None:
    query = select(schedules).where(schedules.c.id == schedule_id, schedules.c.owner_id == owner_id)
    return connection.execute(query).first()


def find_some(
    connection: Connection, owner_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return an owner's schedules, newest first, older than `before`."""
    query = select(schedules).where(schedules.c.owner_id == owner_id)
    if before is not None:
        query = query.where(older(schedules, before))
    return connection.execute(query.order_by(*newest_first(schedules)).limit(limit)).all()


def change(connection: Connection, schedule_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(schedules).where(schedules.c.id == schedule_id).values(values))


def remove(connection: Connection, schedule_id: str) -> None:
    connection.execute(delete(schedules).where(schedules.c.id == schedule_id))


def find_due(connection: Connection, now: int, limit: int = 100) -> Sequence[Row[Any]]:
    """Return the schedules that are due, the longest due first, with `user` and `admin` of their owners."""
    query = select(schedules, users.c.name.label("user"), users.c.admin).join(users)
    due = query.where(schedules.c.enabled, schedules.c.next_run_at <= now)
    return connection.execute(due.order_by(schedules.c.next_run_at, schedules.c.id).limit(limit)).all()


def move_on(connection: Connection, schedule_id: str, due: int, values: Mapping[str, Any]) -> bool:
    """Take the run that is due at `due`: set `next_run_at` and other values; False where another has it."""
    taken = connection.execute(
        update(schedules)
        .where(schedules.c.id == schedule_id, schedules.c.enabled, schedules.c.next_run_at == due)
        .values(values)
    )
    return taken.rowcount == 1
