"""How workers' leases are kept, where several share a database. Times are the database's, in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, cast, delete, extract, func, select, update
from sqlalchemy.types import BigInteger

from swath.store.database import upsert
from swath.store.schema import leases

#: The time of a lease that its worker has let go of.
DROPPED = 0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers as one of them sees them."""

    #: How many shards all living workers together work on at a time.
    slots: int
    #: Workers that have let go, and such that were not heard of for longer than a lease.
    dropped: list[str]
    silent: list[str]


def beat(connection: Connection, worker: str, slots: int, lease: float, waiting: str | None) -> Fleet:
    """Renew a worker's lease of some seconds, with what it waits for; return how the others are."""
    moment = now()
    renewed = {"slots": slots, "beat_at": moment, "waiting": waiting}
    row = upsert(connection, leases, {"worker": worker, "started_at": moment, **renewed})
    connection.execute(row.on_conflict_do_update(index_elements=leases.primary_key, set_=renewed))
    age = (moment - leases.c.beat_at).label("age")
    found = connection.execute(select(leases.c.worker, leases.c.slots, leases.c.beat_at, age)).all()
    dropped = [row.worker for row in found if row.beat_at == DROPPED]
    silent = [row.worker for row in found if row.beat_at != DROPPED and row.age > lease * 1000]
    alive = [row.slots for row in found if row.worker not in (*dropped, *silent)]
    return Fleet(sum(alive), dropped, silent)


def drop(connection: Connection, worker: str) -> None:
    connection.execute(update(leases).where(leases.c.worker == worker).values(beat_at=DROPPED))


def forget(connection: Connection, workers: Sequence[str], lease: float) -> None:
    """Remove leases that have ended, unless their workers were heard of again."""
    ended = leases.c.beat_at < now() - int(lease * 1000)
    connection.execute(delete(leases).where(leases.c.worker.in_(list(workers)), ended))


def now() -> ColumnElement[int]:
    """Return the database's time in milliseconds."""
    return cast(extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
