"""What went wrong and what was done about it: failed items, and the events of an execution."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from swath.store.database import upsert
from swath.store.schema import events, failures


def record_failures(connection: Connection, execution_id: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Write failed items; an item that failed again after a crash keeps its newest line."""
    for failure in found:
        row = upsert(connection, failures, {"execution_id": execution_id, **failure})
        newer = {name: row.excluded[name] for name in failure if name != "item"}
        connection.execute(row.on_conflict_do_update(index_elements=failures.primary_key, set_=newer))


def forget_failures(connection: Connection, execution_id: str, items: range) -> None:
    """Remove the lines of items that are begun anew."""
    here = failures.c.item.between(items.start, items.stop - 1)
    connection.execute(delete(failures).where(failures.c.execution_id == execution_id, here))


def find_events_of(connection: Connection, execution_id: str, kind: str) -> list[dict[str, Any]]:
    """Return the data of all events of a kind, oldest first."""
    query = select(events.c.data).where(events.c.execution_id == execution_id, events.c.kind == kind)
    return [json.loads(data) for data in connection.execute(query.order_by(events.c.number)).scalars()]


def find_failures(connection: Connection, execution_id: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return failed items in order, beginning behind item `after`."""
    query = select(failures).where(failures.c.execution_id == execution_id, failures.c.item > after)
    return connection.execute(query.order_by(failures.c.item).limit(limit)).all()


def count_failures(connection: Connection, execution_id: str) -> Sequence[tuple[str, int | None, int]]:
    """Count failed items by error code and last status, the most frequent first."""
    items = func.count().label("items")
    query = select(failures.c.error_code, failures.c.last_status, items).where(
        failures.c.execution_id == execution_id
    )
    groups = query.group_by(failures.c.error_code, failures.c.last_status)
    found = connection.execute(groups.order_by(items.desc(), failures.c.error_code, failures.c.last_status))
    return [(row.error_code, row.last_status, row.items) for row in found]


def find_failure(connection: Connection, execution_id: str, item: int) -> Row[Any] | None:
    query = select(failures).where(failures.c.execution_id == execution_id, failures.c.item == item)
    return connection.execute(query).first()


def record_event(
    connection: Connection, execution_id: str, kind: str, data: Mapping[str, Any], now: int
) -> None:
    values = {"execution_id": execution_id, "at": now, "kind": kind, "data": json.dumps(dict(data))}
    connection.execute(insert(events).values(values))


def record_events(connection: Connection, execution_id: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Write events as they were noted: `at`, `kind`, and `data` as JSON."""
    if found:
        connection.execute(insert(events), [{"execution_id": execution_id, **event} for event in found])


def find_events(connection: Connection, execution_id: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return events in order, beginning behind number `after`."""
    query = select(events).where(events.c.execution_id == execution_id, events.c.number > after)
    return connection.execute(query.order_by(events.c.number).limit(limit)).all()
