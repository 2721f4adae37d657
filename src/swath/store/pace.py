"""How fast an execution went, second by second: what each of its checkpoints recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from swath.store.database import upsert
from swath.store.schema import paces

COUNTS = ("requests", "rows", "refused", "errors")


def add(connection: Connection, execution_id: str, second: int, counts: Mapping[str, int]) -> None:
    """Add what was counted to a second."""
    row = upsert(connection, paces, {"execution_id": execution_id, "second": second, **counts})
    grown = {name: paces.c[name] + row.excluded[name] for name in COUNTS}
    connection.execute(row.on_conflict_do_update(index_elements=paces.primary_key, set_=grown))


def count_rows(connection: Connection, execution_id: str) -> int:
    """Count the rows of an execution's records' lists so far."""
    query = select(func.sum(paces.c.rows)).where(paces.c.execution_id == execution_id)
    return int(connection.execute(query).scalar() or 0)


def find(connection: Connection, execution_id: str, width: int) -> Sequence[Row[Any]]:
    """Return sums over `width` seconds each, oldest first; spans in which nothing happened are left out."""
    begin = (paces.c.second - paces.c.second % width).label("begin")
    sums = [func.sum(paces.c[name]).label(name) for name in COUNTS]
    query = select(begin, *sums).where(paces.c.execution_id == execution_id).group_by(begin).order_by(begin)
    return connection.execute(query).all()


def bounds(connection: Connection, execution_id: str) -> tuple[int, int] | None:
    """Return the first and the last second of which something is known."""
    query = select(func.min(paces.c.second), func.max(paces.c.second))
    first, last = connection.execute(query.where(paces.c.execution_id == execution_id)).one()
    return None if first is None else (int(first), int(last))
