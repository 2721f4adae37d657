"""What is kept of ended executions and for how long: first the archive goes, later all of it.

The database forgets first. Objects go an hour later, by the prefix that a removal names, so that whoever was
reading them then has time to end; a removal stays until that is done, whatever happens in between.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, exists, or_, select, update
from sqlalchemy.orm import aliased

from swath.flow.execution import TERMINAL
from swath.store import chains, webhooks
from swath.store.database import upsert
from swath.store.schema import (
    collections,
    duties,
    events,
    executions,
    failures,
    frames,
    idempotency_keys,
    inputs,
    paces,
    recipes,
    removals,
    results,
    shards,
    snapshots,
    tallies,
)

#: Executions that one look finds.
SLICE = 100
#: What a removal's prefix begins with that stands for the durable engine's rows of an execution.
ENGINE = "engine"
#: Tables with rows of an execution beside its archive.
BELONGINGS: tuple[Table, ...] = (
    results,
    tallies,
    failures,
    events,
    recipes,
    paces,
    idempotency_keys,
)
_ended = executions.c.status.in_([str(status) for status in TERMINAL])


def claim(connection: Connection, duty: str, now: int, pause: int) -> bool:
    """Take on a duty for which the time has come; then nobody else does before the pause is over."""
    connection.execute(upsert(connection, duties, {"name": duty, "until": 0}).on_conflict_do_nothing())
    mine = update(duties).where(duties.c.name == duty, duties.c.until <= now).values(until=now + pause)
    return connection.execute(mine).rowcount == 1


def find_retry(connection: Connection, execution_id: str) -> str | None:
    """Return a retry of an execution that needs its pages; None where there is none."""
    query = select(executions.c.id).where(
        executions.c.parent_id == execution_id, executions.c.archive_removed_at.is_(None)
    )
    return connection.execute(query.limit(1)).scalar()


def find_need(connection: Connection, execution_id: str) -> str | None:
    """Return in a sentence which execution needs the pages or rows of this one; None where none does."""
    if child := find_retry(connection, execution_id):
        return f"Its retry {child} needs its pages; remove that one first."
    if is_combined(connection, execution_id):
        return "Files of it are being made; wait for their end."
    if reader := chains.find_reader(connection, execution_id):
        return f"The execution {reader} has yet to take its rows; wait until that one runs, or cancel it."
    return None


def is_combined(connection: Connection, execution_id: str) -> bool:
    """Tell whether further files of an execution are being made."""
    query = select(recipes.c.revision).where(
        recipes.c.execution_id == execution_id, recipes.c.completed_at.is_(None)
    )
    return connection.execute(query.limit(1)).first() is not None


def find_stale(connection: Connection, before: int) -> Sequence[str]:
    """Return executions that ended before a time and still have an archive that nobody needs."""
    child, reader = aliased(executions), aliased(executions)
    has_reader = exists().where(reader.c.source_id == executions.c.id, chains.is_unread(reader))
    has_retry = exists().where(child.c.parent_id == executions.c.id, child.c.archive_removed_at.is_(None))
    is_combined = exists().where(recipes.c.execution_id == executions.c.id, recipes.c.completed_at.is_(None))
    query = select(executions.c.id).where(
        _ended, executions.c.completed_at < before, executions.c.archive_removed_at.is_(None)
    )
    return connection.execute(query.where(~has_retry, ~has_reader, ~is_combined).limit(SLICE)).scalars().all()


def find_old(connection: Connection, before: int) -> Sequence[str]:
    """Return executions that ended before a time and have no archive any more."""
    query = select(executions.c.id).where(
        _ended, executions.c.completed_at < before, executions.c.archive_removed_at.is_not(None)
    )
    return connection.execute(query.limit(SLICE)).scalars().all()


def remove_archive(connection: Connection, execution_id: str, now: int) -> bool:
    """Forget the responses of an ended execution; False where one that came meanwhile needs them."""
    if lock(connection, execution_id) is None or find_need(connection, execution_id) is not None:
        return False
    for table in (frames, shards, inputs):
        connection.execute(delete(table).where(table.c.execution_id == execution_id))
    kinds = ("segments", "parts", ENGINE)
    _remove_later(connection, [f"{kind}/{execution_id}" for kind in kinds], now)
    here = and_(executions.c.id == execution_id, executions.c.archive_removed_at.is_(None))
    connection.execute(update(executions).where(here).values(archive_removed_at=now))
    return True


def remove(connection: Connection, execution_id: str, now: int) -> bool:
    """Forget all of an ended execution but what webhooks have yet to be told, which must have been written.

    False where another needs its pages or rows.
    """
    if not remove_archive(connection, execution_id, now):
        return False
    for table in BELONGINGS:
        connection.execute(delete(table).where(table.c.execution_id == execution_id))
    webhooks.forget(connection, execution_id)
    _remove_later(connection, [f"results/{execution_id}"], now)
    connection.execute(delete(executions).where(executions.c.id == execution_id))
    return True


def lock(connection: Connection, execution_id: str) -> Row[Any] | None:
    """Return an execution's row, and keep others from changing it until the transaction's end."""
    return connection.execute(
        select(executions).where(executions.c.id == execution_id).with_for_update()
    ).first()


def forget_work(connection: Connection, execution_id: str, now: int) -> None:
    """Have the durable engine forget what it did for an execution since that was removed."""
    _remove_later(connection, [f"{ENGINE}/{execution_id}"], now)


def _remove_later(connection: Connection, prefixes: Sequence[str], now: int) -> None:
    for prefix in prefixes:
        row = upsert(connection, removals, {"prefix": prefix, "at": now})
        connection.execute(row.on_conflict_do_nothing())


# --- inputs


def use(connection: Connection, execution_id: str, number: int, version: int) -> None:
    """Note that an execution reads a collection as it was at a version."""
    values = {"execution_id": execution_id, "collection": number, "version": version}
    connection.execute(upsert(connection, inputs, values).on_conflict_do_nothing())


def use_as(connection: Connection, execution_id: str, parent_id: str) -> None:
    """Note that a retry reads what its parent read."""
    query = select(inputs.c.collection, inputs.c.version).where(inputs.c.execution_id == parent_id)
    for row in connection.execute(query).all():
        use(connection, execution_id, row.collection, row.version)


def let_go(connection: Connection, execution_id: str) -> None:
    """Let go of versions that were to be copied for an execution which ended before it came to that.

    Not of such that another one waits for.
    """
    same = and_(inputs.c.collection == snapshots.c.collection, inputs.c.version == snapshots.c.version)
    was_wanted = exists().where(same, inputs.c.execution_id == execution_id)
    is_wanted = exists().where(same, inputs.c.execution_id == executions.c.id, ~_ended)
    connection.execute(delete(snapshots).where(snapshots.c.object.is_(None), was_wanted, ~is_wanted))


def remove_snapshots(connection: Connection, now: int) -> None:
    """Forget copies that no archive needs. Not those of the current version: it may be wanted any moment."""
    is_used = exists().where(
        inputs.c.collection == snapshots.c.collection, inputs.c.version == snapshots.c.version
    )
    is_past = exists().where(
        collections.c.number == snapshots.c.collection,
        or_(collections.c.version > snapshots.c.version, collections.c.deleted_at.is_not(None)),
    )
    query = select(snapshots).where(snapshots.c.object.is_not(None), ~is_used, is_past)
    for row in connection.execute(query.limit(SLICE)).all():
        _remove_later(connection, [row.object], now)
        here = and_(snapshots.c.collection == row.collection, snapshots.c.version == row.version)
        connection.execute(delete(snapshots).where(here))
        drawn = and_(collections.c.number == row.collection, collections.c.name == "")
        connection.execute(delete(collections).where(drawn))


# --- objects


def find_removals(connection: Connection, before: int) -> Sequence[str]:
    """Return the prefixes of objects that were given up before a time."""
    query = select(removals.c.prefix).where(removals.c.at < before)
    return connection.execute(query.order_by(removals.c.at).limit(SLICE)).scalars().all()


def end_removal(connection: Connection, prefix: str) -> None:
    connection.execute(delete(removals).where(removals.c.prefix == prefix))
