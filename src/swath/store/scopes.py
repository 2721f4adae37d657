"""The pace of a scope that several workers share: one row, one statement, by the database's clock."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, cast, delete, extract, func, select, update
from sqlalchemy.types import BigInteger

from swath.store.database import upsert
from swath.store.schema import scopes

#: Microseconds after which a scope that nobody has used is forgotten.
IDLE = 3_600_000_000


def reserve(connection: Connection, key: str, interval: float, count: int) -> float:
    """Take a scope's next `count` slots, `interval` seconds apart; return how soon the first is due."""
    now, taken = _now(), round(interval * 1e6 * count)
    row = upsert(connection, scopes, {"key": key, "due": now + taken, "held_until": 0})
    due = func.greatest(scopes.c.due, scopes.c.held_until, now) + taken
    row = row.on_conflict_do_update(index_elements=scopes.primary_key, set_={"due": due})
    wait = connection.execute(row.returning(scopes.c.due - taken - now)).scalar_one()
    return max(0.0, float(wait) / 1e6)


def hold(connection: Connection, key: str, seconds: float) -> None:
    """Let nobody send anything in a scope for some seconds; of two pauses the longer holds."""
    until = _now() + round(seconds * 1e6)
    row = upsert(connection, scopes, {"key": key, "due": until, "held_until": until})
    longer = func.greatest(scopes.c.held_until, until)
    connection.execute(
        row.on_conflict_do_update(index_elements=scopes.primary_key, set_={"held_until": longer})
    )


def restart(connection: Connection, key: str) -> None:
    """Have a scope's next slot due now, for its limit has changed; a pause holds."""
    soonest = func.least(scopes.c.due, func.greatest(scopes.c.held_until, _now()))
    connection.execute(update(scopes).where(scopes.c.key == key).values(due=soonest))


def find_held(connection: Connection) -> dict[str, float]:
    """Return the scopes that are held, each with the seconds for which it still is."""
    left = scopes.c.held_until - _now()
    rows: Any = connection.execute(select(scopes.c.key, left).where(left > 0))
    return {key: float(microseconds) / 1e6 for key, microseconds in rows}


def forget_idle(connection: Connection) -> None:
    old = func.greatest(scopes.c.due, scopes.c.held_until) < _now() - IDLE
    connection.execute(delete(scopes).where(old))


def _now() -> ColumnElement[int]:
    """Return the statement's time: clock_timestamp() would be later each time that it is asked for."""
    return cast(extract("epoch", func.statement_timestamp()) * 1_000_000, BigInteger)
