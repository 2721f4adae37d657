"""How webhooks are kept, and what they are to be told: an outbox, filled where the event becomes true."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, insert, select, update

from swath.store.listing import newest_first, older
from swath.store.schema import deliveries, executions, webhooks

#: Deliveries of one webhook that are remembered once they are over.
KEPT = 1_000
#: Deliveries that are found due at a time.
MOST_DUE = 100


def add(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(webhooks).values(values))


def find_own(connection: Connection, owner_id: str, webhook_id: str) -> Row[Any] | None:
    query = select(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.owner_id == owner_id)
    return connection.execute(query).first()


def find_some(
    connection: Connection, owner_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return an owner's webhooks, newest first, older than `before`."""
    query = select(webhooks).where(webhooks.c.owner_id == owner_id)
    if before is not None:
        query = query.where(older(webhooks, before))
    return connection.execute(query.order_by(*newest_first(webhooks)).limit(limit)).all()


def change(connection: Connection, webhook_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(values))


def remove(connection: Connection, webhook_id: str) -> None:
    """Remove a webhook and all that it was told or was to be told."""
    connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


# --- what they are to be told


def notify(connection: Connection, execution_id: str, event: str, now: int) -> None:
    """Have all enabled webhooks of an execution's owner told of an event, if they want to be."""
    query = (
        select(webhooks.c.id, webhooks.c.events)
        .join(executions, executions.c.owner_id == webhooks.c.owner_id)
        .where(executions.c.id == execution_id, webhooks.c.enabled)
    )
    for row in connection.execute(query).all():
        if event in json.loads(row.events):
            put(connection, row.id, event, execution_id, now)


def put(connection: Connection, webhook_id: str, event: str, execution_id: str | None, now: int) -> str:
    """Put a delivery into the outbox, due at once; return its id."""
    delivery_id = str(uuid4())
    values = {
        "id": delivery_id,
        "webhook_id": webhook_id,
        "execution_id": execution_id,
        "event": event,
        "state": "waiting",
        "attempts": 0,
        # A test is delivered by whoever asked for it, not by the outbox.
        "next_at": 0 if execution_id is not None else None,
        "created_at": now,
    }
    connection.execute(insert(deliveries).values(values))
    return delivery_id


def find_due(
    connection: Connection, now: int, *, late: int = 0, before: int | None = None
) -> list[tuple[str, str, int]]:
    """Return execution, id and attempts so far of the deliveries that are due, the longest due first.

    No more than can be under way before long; of these only such that are `late` by so many milliseconds
    and were put into the outbox `before`.
    """
    query = (
        select(*(deliveries.c[name] for name in ("execution_id", "id", "attempts", "next_at", "created_at")))
        .where(deliveries.c.state == "waiting", deliveries.c.next_at <= now)
        .order_by(deliveries.c.next_at, deliveries.c.number)
        .limit(MOST_DUE)
    )
    return [
        (row.execution_id, row.id, row.attempts)
        for row in connection.execute(query)
        if row.next_at <= now - late and (before is None or row.created_at < before)
    ]


def find_delivery(connection: Connection, delivery_id: str) -> Row[Any] | None:
    """Return a delivery, with `url`, `secret` and `enabled` of its webhook."""
    query = select(deliveries, webhooks.c.url, webhooks.c.secret, webhooks.c.enabled).join(webhooks)
    return connection.execute(query.where(deliveries.c.id == delivery_id)).first()


def forget(connection: Connection, execution_id: str) -> None:
    """Forget what webhooks were told of an execution; what they have yet to be told stays."""
    over = (deliveries.c.execution_id == execution_id, deliveries.c.state != "waiting")
    connection.execute(delete(deliveries).where(*over))


def find_undelivered(connection: Connection, execution_id: str) -> Sequence[Row[Any]]:
    """Return what webhooks have yet to be told of an execution."""
    query = select(deliveries).where(deliveries.c.execution_id == execution_id)
    return connection.execute(query.where(deliveries.c.state == "waiting")).all()


def find_payload(connection: Connection, delivery_id: str) -> str | None:
    """Return what is sent, where that was written down."""
    return connection.execute(select(deliveries.c.payload).where(deliveries.c.id == delivery_id)).scalar()


def keep_payload(connection: Connection, delivery_id: str, payload: str) -> str:
    """Keep what is sent, unless there is something already; return what is kept."""
    here = deliveries.c.id == delivery_id
    connection.execute(update(deliveries).where(here, deliveries.c.payload.is_(None)).values(payload=payload))
    return find_payload(connection, delivery_id) or payload


def note_attempt(connection: Connection, delivery_id: str, values: Mapping[str, Any]) -> None:
    """Note what became of an attempt; of deliveries that are over only the newest are remembered."""
    here = deliveries.c.id == delivery_id
    connection.execute(update(deliveries).where(here).values(attempts=deliveries.c.attempts + 1, **values))
    found = connection.execute(select(deliveries.c.webhook_id).where(here)).scalar()
    if found is not None and values["state"] != "waiting":
        _forget_old(connection, found)


def _forget_old(connection: Connection, webhook_id: str) -> None:
    over = (deliveries.c.webhook_id == webhook_id, deliveries.c.state != "waiting")
    newest = select(deliveries.c.number).where(*over).order_by(deliveries.c.number.desc())
    oldest_kept = connection.execute(newest.offset(KEPT - 1).limit(1)).scalar()
    if oldest_kept is not None:
        connection.execute(delete(deliveries).where(*over, deliveries.c.number < oldest_kept))


def find_deliveries(
    connection: Connection, webhook_id: str, before: int | None, limit: int
) -> Sequence[Row[Any]]:
    """Return a webhook's deliveries, newest first, older than number `before`."""
    query = select(deliveries).where(deliveries.c.webhook_id == webhook_id)
    if before is not None:
        query = query.where(deliveries.c.number < before)
    return connection.execute(query.order_by(deliveries.c.number.desc()).limit(limit)).all()


def send_again(connection: Connection, webhook_id: str, delivery_id: str) -> bool:
    """Have a delivery that is over made again at once; tells whether there is such a one."""
    changed = connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id)
        .where(deliveries.c.state != "waiting", deliveries.c.execution_id.is_not(None))
        .values(state="waiting", next_at=0)
    )
    return changed.rowcount == 1
