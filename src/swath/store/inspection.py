"""What a doctor asks the database: whether it is whole, and what stands in it that should not."""

import json
from collections.abc import Sequence, Set
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Row, func, null, select, text
from sqlalchemy.exc import SQLAlchemyError as DatabaseTrouble

from swath.flow.execution import TERMINAL, Status
from swath.store import vault
from swath.store.database import MIGRATIONS
from swath.store.leases import DROPPED
from swath.store.leases import now as leases_now
from swath.store.schema import (
    endpoints,
    executions,
    frames,
    leases,
    proxies,
    removals,
    results,
    shards,
    webhooks,
    workflows,
)

__all__ = [
    "DatabaseTrouble",
    "find_damage",
    "find_files",
    "find_frames",
    "find_revisions",
    "find_sealed",
    "find_stuck",
    "find_unfinished",
    "find_wanted",
    "find_workers",
]


def find_revisions(connection: Connection) -> tuple[str | None, str | None]:
    """Return the schema's revision and the one that this version of Swath needs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    return MigrationContext.configure(connection).get_current_revision(), newest


def find_damage(connection: Connection, *, deep: bool) -> Sequence[str]:
    """Return what SQLite says of its file's damage; PostgreSQL looks after itself."""
    if connection.dialect.name != "sqlite":
        return []
    check = "PRAGMA integrity_check" if deep else "PRAGMA quick_check"
    return [str(row[0]) for row in connection.execute(text(check)) if row[0] != "ok"]


def find_frames(connection: Connection, limit: int | None) -> Sequence[Row[Any]]:
    """Return the newest frames, or all of them."""
    return connection.execute(select(frames).order_by(frames.c.number.desc()).limit(limit)).all()


def find_unfinished(connection: Connection) -> int:
    """Count the executions that have not ended."""
    ended = [str(status) for status in TERMINAL]
    query = select(func.count()).where(executions.c.status.not_in(ended))
    return int(connection.execute(query).scalar_one())


def find_workers(connection: Connection) -> Sequence[Row[Any]]:
    """Return the workers that have not let go: what each waits for, and its lease's age.

    In milliseconds by the database's clock.
    """
    age = (leases_now() - leases.c.beat_at).label("age")
    query = select(leases.c.worker, leases.c.waiting, age).where(leases.c.beat_at != DROPPED)
    return connection.execute(query.order_by(leases.c.worker)).all()


def find_stuck(connection: Connection, fruitless: int, before: int) -> Sequence[Row[Any]]:
    """Return shards that were claimed in vain so often, and executions let in `before` and not begun."""
    in_vain = select(shards.c.execution_id, shards.c.number.label("shard"), shards.c.fruitless).where(
        shards.c.fruitless >= fruitless, shards.c.state != "done"
    )
    outside = select(executions.c.id.label("execution_id"), null().label("shard"), null().label("fruitless"))
    waits = outside.where(
        executions.c.status.in_([Status.QUEUED, Status.STOPPING]),
        executions.c.started_at.is_(None),
        executions.c.admitted_at < before,
    )
    return [*connection.execute(in_vain).all(), *connection.execute(waits).all()]


def find_sealed(connection: Connection) -> Sequence[tuple[str, str]]:
    """Return sealed texts, each with what it is a secret of."""
    found = [(f"proxy {row.id}", row.url) for row in connection.execute(select(proxies.c.id, proxies.c.url))]
    for hook in connection.execute(select(webhooks.c.id, webhooks.c.url, webhooks.c.secret)):
        found += [(f"webhook {hook.id}", hook.url), (f"webhook {hook.id}", hook.secret)]
    for table, kind in ((endpoints, "endpoint"), (workflows, "workflow")):
        for row in connection.execute(select(table.c.id, table.c.definition)):
            sealed = vault.find_sealed(json.loads(row.definition)) if vault.SEAL in row.definition else ()
            found += [(f"{kind} {row.id}", text) for text in sealed]
    return found


def find_files(connection: Connection, limit: int | None) -> Sequence[Row[Any]]:
    """Return the result files of the newest executions, or all of them."""
    query = select(results).join(executions, executions.c.id == results.c.execution_id)
    return connection.execute(query.order_by(executions.c.number.desc()).limit(limit)).all()


def find_wanted(connection: Connection, execution_id: str, kind: str, names: Set[str]) -> Set[str]:
    """Return those of an execution's objects that something refers to, or may yet."""
    row = connection.execute(select(executions.c.status).where(executions.c.id == execution_id)).first()
    if row is not None and row.status not in TERMINAL:
        return names
    prefix = f"{kind}/{execution_id}"
    if connection.execute(select(removals).where(removals.c.prefix == prefix)).first() is not None:
        return names  # it is removed before long
    if kind != "segments":
        return names if row is not None else frozenset()
    return set(connection.execute(select(frames.c.object).where(frames.c.object.in_(names))).scalars())
