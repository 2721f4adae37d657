"""How proxies are kept; their URLs only sealed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, insert, or_, select, update

from swath.store.listing import newest_first, older
from swath.store.schema import proxies, users


def add(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(proxies).values(values))


def find_own(connection: Connection, owner_id: str, proxy_id: str) -> Row[Any] | None:
    query = select(proxies).where(proxies.c.id == proxy_id, proxies.c.owner_id == owner_id)
    return connection.execute(query).first()


def find_usable(connection: Connection, user_id: str, proxy_id: str) -> Row[Any] | None:
    """Return a proxy that a user may use, and whether its owner is an `admin`."""
    query = select(proxies, users.c.admin).join(users)
    return connection.execute(query.where(proxies.c.id == proxy_id, _usable(user_id))).first()


def find_some(
    connection: Connection, user_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return the proxies that a user may use, newest first, older than `before`."""
    query = select(proxies).where(_usable(user_id))
    if before is not None:
        query = query.where(older(proxies, before))
    return connection.execute(query.order_by(*newest_first(proxies)).limit(limit)).all()


def find_all_usable(connection: Connection, user_id: str, kind: str) -> Sequence[Row[Any]]:
    """Return all proxies of a type that a user may use, oldest first, and whether the owner is an `admin`."""
    query = select(proxies, users.c.admin).join(users).where(_usable(user_id), proxies.c.type == kind)
    return connection.execute(query.order_by(proxies.c.created_at, proxies.c.id)).all()


def change(connection: Connection, proxy_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(proxies).where(proxies.c.id == proxy_id).values(values))


def note_health(connection: Connection, learnt: Mapping[str, Mapping[str, Any]]) -> None:
    """Write down what was learnt of proxies, by their ids; what is no proxy of ours is passed over."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for proxy_id, values in learnt.items():
        alike.setdefault(tuple(values), []).append({"its": proxy_id, **values})
    for names, rows in alike.items():
        query = update(proxies).where(proxies.c.id == bindparam("its"))
        connection.execute(query.values({name: bindparam(name) for name in names}), rows)


def remove(connection: Connection, proxy_id: str) -> None:
    connection.execute(delete(proxies).where(proxies.c.id == proxy_id))


def _usable(user_id: str) -> ColumnElement[bool]:
    return or_(proxies.c.owner_id == user_id, proxies.c.for_all)
