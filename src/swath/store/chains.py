"""How executions that take another's rows are kept: their lists, what they read, what started them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, FromClause, Row, and_, select, update

from swath.flow.execution import TERMINAL
from swath.store import collections, ledger
from swath.store.schema import executions

#: The version of a list that is drawn: it has only one.
ONLY = 1


def add_list(connection: Connection, owner_id: str, now: int) -> tuple[int, int]:
    """Make room for a list that is to be drawn: a collection that nobody sees. Returns number and version."""
    values = {"id": str(uuid4()), "owner_id": owner_id, "name": "", "kind": "text", "created_at": now}
    number = collections.add(connection, values)
    collections.pin(connection, number, ONLY)
    return number, ONLY


def settle(
    connection: Connection,
    execution_id: str,
    values: Mapping[str, Any],
    lists: Iterable[tuple[tuple[int, int], str]],
    told: Mapping[str, Any],
    now: int,
) -> None:
    """Say that an execution's lists were drawn: where they are, and how many items that makes; once."""
    undrawn = False
    for (number, version), name in lists:
        if collections.find_snapshot(connection, number, version) is None:
            collections.set_snapshot(connection, number, version, name)
            undrawn = True
    if undrawn:
        connection.execute(update(executions).where(executions.c.id == execution_id).values(values))
        ledger.record_event(connection, execution_id, "inputs_drawn", told, now)


def find_source(
    connection: Connection, owner_id: str, workflow_id: str, statuses: Iterable[str]
) -> Row[Any] | None:
    """Return the newest execution of a workflow that ended so and whose rows are there."""
    query = select(executions).where(
        executions.c.owner_id == owner_id,
        executions.c.workflow_id == workflow_id,
        executions.c.status.in_(list(statuses)),
        executions.c.archive_removed_at.is_(None),
    )
    return connection.execute(query.order_by(executions.c.number.desc()).limit(1)).first()


def find_reader(connection: Connection, execution_id: str) -> str | None:
    """Return an execution that has yet to read this one's rows; None where there is none."""
    query = select(executions.c.id).where(executions.c.source_id == execution_id, is_unread(executions))
    return connection.execute(query.limit(1)).scalar()


def is_unread(reader: FromClause) -> ColumnElement[bool]:
    """Tell whether an execution has not begun: what it takes rows from must stay."""
    return and_(reader.c.started_at.is_(None), reader.c.status.not_in([str(each) for each in TERMINAL]))


def find_started(connection: Connection, execution_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the executions that each one's end has started, oldest first."""
    query = select(executions.c.id, executions.c.triggered_by)
    query = query.where(executions.c.triggered_by.in_(list(execution_ids)))
    found: dict[str, list[str]] = {}
    for row in connection.execute(query.order_by(executions.c.number)):
        found.setdefault(row.triggered_by, []).append(row.id)
    return found
