"""How combinations are kept that were asked for after an execution's end: one recipe per revision."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from swath.store.schema import recipes, results


def add(connection: Connection, execution_id: str, recipe: str, now: int) -> int:
    """Keep the recipe of an execution's next revision; return the revision's number."""
    last = select(func.max(recipes.c.revision)).where(recipes.c.execution_id == execution_id)
    revision = 1 + (connection.execute(last).scalar() or 0)
    values = {
        "execution_id": execution_id,
        "revision": revision,
        "recipe": recipe,
        "created_at": now,
        "warnings": "[]",
    }
    connection.execute(insert(recipes).values(values))
    return revision


def find(connection: Connection, execution_id: str, revision: int) -> Row[Any]:
    query = select(recipes).where(recipes.c.execution_id == execution_id, recipes.c.revision == revision)
    return connection.execute(query).one()


def find_all(connection: Connection, execution_id: str) -> Sequence[Row[Any]]:
    """Return an execution's recipes, newest first."""
    query = select(recipes).where(recipes.c.execution_id == execution_id)
    return connection.execute(query.order_by(recipes.c.revision.desc())).all()


def find_waiting(connection: Connection, before: int | None = None) -> Sequence[tuple[str, int]]:
    """Return (execution, revision) of what is to be combined, asked for `before` or ever, oldest first."""
    query = select(recipes.c.execution_id, recipes.c.revision).where(recipes.c.completed_at.is_(None))
    if before is not None:
        query = query.where(recipes.c.created_at < before)
    rows = connection.execute(query.order_by(recipes.c.created_at).limit(1000))
    return [(row.execution_id, row.revision) for row in rows]


def end(
    connection: Connection,
    execution_id: str,
    revision: int,
    *,
    error: str | None,
    warnings: Sequence[str],
    files: Sequence[Mapping[str, Any]],
    now: int,
) -> None:
    """Make a revision's files true, in one transaction; again where that was done before."""
    mine = (results.c.execution_id == execution_id, results.c.revision == revision)
    connection.execute(results.delete().where(*mine))
    if files:
        connection.execute(insert(results), list(files))
    connection.execute(
        update(recipes)
        .where(recipes.c.execution_id == execution_id, recipes.c.revision == revision)
        .values(completed_at=now, error=error, warnings=json.dumps(list(warnings)))
    )
