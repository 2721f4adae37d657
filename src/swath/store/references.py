"""Which objects the database names: what else there is of an execution, a crash has left behind."""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, exists, or_, select

from swath.flow.execution import TERMINAL
from swath.store.schema import executions, frames, recipes, removals, results, shards, snapshots

_ended = executions.c.status.in_([str(status) for status in TERMINAL])


class _Parts(msgspec.Struct):
    """Of what came of a shard: the object that holds it."""

    object: str


def find_settled(connection: Connection, since: int, before: int) -> Sequence[str]:
    """Return executions with an archive that ended between two times, or whose files were made anew then."""
    is_combined = exists().where(
        recipes.c.execution_id == executions.c.id, recipes.c.completed_at.between(since, before)
    )
    query = select(executions.c.id).where(
        _ended,
        executions.c.archive_removed_at.is_(None),
        or_(executions.c.completed_at.between(since, before), is_combined),
    )
    return connection.execute(query).scalars().all()


def find_family(connection: Connection, execution_id: str) -> list[str] | None:
    """Return an execution with all retries that share its objects; None where any of them is worked on."""
    family, new = [execution_id], [execution_id]
    while new:
        query = select(executions.c.id).where(executions.c.parent_id.in_(new))
        new = list(connection.execute(query).scalars())
        family += new
    goes_on = select(executions.c.id).where(executions.c.id.in_(family), ~_ended)
    is_combined = select(recipes.c.execution_id).where(
        recipes.c.execution_id.in_(family), recipes.c.completed_at.is_(None)
    )
    if connection.execute(goes_on.limit(1)).first() or connection.execute(is_combined.limit(1)).first():
        return None
    return family


def find_named(connection: Connection, family: Sequence[str]) -> set[str]:
    """Return the segments, row parts and files that executions name."""
    segments = select(frames.c.object).where(frames.c.execution_id.in_(family)).distinct()
    files = select(results.c.object).where(results.c.execution_id.in_(family))
    named = set(connection.execute(segments).scalars()) | set(connection.execute(files).scalars())
    return named | set(_find_parts(connection, family))


def _find_parts(connection: Connection, family: Sequence[str]) -> Iterator[str]:
    query = select(shards.c.parts).where(shards.c.execution_id.in_(family), shards.c.parts.is_not(None))
    for (parts,) in connection.execution_options(yield_per=16).execute(query):
        yield msgspec.json.decode(parts, type=_Parts).object


def find_revisions(connection: Connection, family: Sequence[str]) -> list[tuple[str, int]]:
    """Return execution and number of all revisions that have files."""
    query = select(results.c.execution_id, results.c.revision).where(results.c.execution_id.in_(family))
    return [(row.execution_id, row.revision) for row in connection.execute(query.distinct())]


def find_inputs(connection: Connection) -> tuple[set[str], list[tuple[int, int]]]:
    """Return the copies of collections that are named or about to be removed, and those about to be made."""
    made = connection.execute(select(snapshots.c.object).where(snapshots.c.object.is_not(None))).scalars()
    given_up = connection.execute(select(removals.c.prefix)).scalars()
    query = select(snapshots.c.collection, snapshots.c.version).where(snapshots.c.object.is_(None))
    waiting = [(row.collection, row.version) for row in connection.execute(query)]
    return set(made) | set(given_up), waiting
