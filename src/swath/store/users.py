"""How users and their tokens are kept. Of a token only its digest is."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, insert, select, update

from swath.store.listing import newest_first, older
from swath.store.schema import tokens, users


def find_user(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(users).where(users.c.name == name)).first()


def add_user(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(users).values(values))


def make_admin(connection: Connection, user_id: str) -> None:
    connection.execute(update(users).where(users.c.id == user_id).values(admin=True))


def add_token(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(tokens).values(values))


def find_token(connection: Connection, digest: str) -> Row[Any] | None:
    """Return the token with this digest and whose it is: `id, last_used_at, user_id, user, admin`."""
    return connection.execute(_tokens().where(tokens.c.digest == digest)).first()


def find_token_by_id(connection: Connection, token_id: str) -> Row[Any] | None:
    return connection.execute(_tokens().where(tokens.c.id == token_id)).first()


def find_tokens(
    connection: Connection, user_id: str, before: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return a user's tokens, newest first, older than `before`, a creation time and an id."""
    query = _tokens().where(tokens.c.user_id == user_id)
    if before is not None:
        query = query.where(older(tokens, before))
    return connection.execute(query.order_by(*newest_first(tokens)).limit(limit)).all()


def delete_token(connection: Connection, token_id: str) -> None:
    connection.execute(delete(tokens).where(tokens.c.id == token_id))


def touch_token(connection: Connection, token_id: str, now: int) -> None:
    connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=now))


def has_admin_token(connection: Connection) -> bool:
    return bool(connection.execute(select(exists(_tokens().where(users.c.admin)))).scalar())


def _tokens() -> Select[Any]:
    return select(
        tokens.c.id,
        tokens.c.name,
        tokens.c.digest,
        tokens.c.created_at,
        tokens.c.last_used_at,
        tokens.c.user_id,
        users.c.name.label("user"),
        users.c.admin,
    ).join(users)
