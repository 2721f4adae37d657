"""How shards are kept: who works on which, how far it has come, where its pages are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from swath.flow import plan
from swath.flow.execution import DONE, Status, StopReason
from swath.flow.shard import ShardProgress
from swath.store.schema import executions, frames, shards

#: A shard that was claimed so often without getting any further is worked on with care, and given up.
FRUITLESS_CLAIMS = 3
MOST_FRUITLESS_CLAIMS = 12
UNDONE = frozenset(StopReason) - DONE
#: States of a shard that is handed out.
OUT = ("handed", "taken")


def find_waiting(connection: Connection, execution_id: str) -> int | None:
    """Return the highest priority of the other executions that wait for a worker; None where none waits."""
    query = (
        select(func.max(executions.c.priority))
        .join(shards, shards.c.execution_id == executions.c.id)
        .where(shards.c.state == "handed", shards.c.execution_id != execution_id)
        .where(executions.c.status == Status.RUNNING)
    )
    return connection.execute(query).scalar()


def find_batch(connection: Connection, execution_id: str, batch: int) -> list[int]:
    """Return the shards that hand-out number `batch` gave, for when it is repeated after a crash."""
    query = select(shards.c.number).where(shards.c.execution_id == execution_id, shards.c.batch == batch)
    return list(connection.execute(query.order_by(shards.c.number)).scalars())


def next_batch(connection: Connection, execution_id: str) -> int:
    """Return the number of the hand-out that comes next: 1 where nothing was handed out yet."""
    query = select(func.max(shards.c.batch)).where(shards.c.execution_id == execution_id)
    return 1 + (connection.execute(query).scalar() or 0)


def count_shards(connection: Connection, execution_id: str) -> dict[str, int]:
    """Count the execution's shards by state."""
    query = (
        select(shards.c.state, func.count().label("shards"))
        .where(shards.c.execution_id == execution_id)
        .group_by(shards.c.state)
    )
    return {row.state: row.shards for row in connection.execute(query)}


def count_turns(connection: Connection, execution_id: str) -> tuple[int, int]:
    """Count how often a shard of the execution was taken, and how many are handed out and wait for that."""
    waiting = func.count().filter(shards.c.state == "handed")
    query = select(func.coalesce(func.sum(shards.c.claim), 0), waiting)
    taken, handed = connection.execute(query.where(shards.c.execution_id == execution_id)).one()
    return int(taken), int(handed)


def is_all_fetched(connection: Connection, row: Row[Any]) -> bool:
    """Tell whether of a started execution all is fetched that will be: what is left is to combine it."""
    counts = count_shards(connection, row.id)
    if any(counts.get(state) for state in OUT):
        return False
    return bool(row.truncated) or counts.get("done", 0) == plan.count_shards(row.items_total, row.shard_size)


def hand_out(
    connection: Connection,
    execution_id: str,
    batch: int,
    room: int,
    fresh: Sequence[tuple[int, int, int]],
) -> list[int]:
    """Hand out up to `room` shards: first those that stopped early, then `fresh` (number, first, count)."""
    query = (
        select(shards.c.number)
        .where(shards.c.execution_id == execution_id, shards.c.state == "yielded")
        .order_by(shards.c.number)
        .limit(room)
    )
    again = list(connection.execute(query).scalars())
    if again:
        connection.execute(
            update(shards)
            .where(shards.c.execution_id == execution_id, shards.c.number.in_(again))
            .values(state="handed", batch=batch)
        )
    new = fresh[: room - len(again)]
    if new:
        connection.execute(insert(shards), [_new_shard(execution_id, batch, *bounds) for bounds in new])
    return sorted([*again, *(number for number, _, _ in new)])


def _new_shard(execution_id: str, batch: int, number: int, first: int, count: int) -> dict[str, Any]:
    return {
        "execution_id": execution_id,
        "number": number,
        "first": first,
        "count": count,
        "claim": 0,
        "state": "handed",
        "batch": batch,
        "fruitless": 0,
    }


def withdraw(connection: Connection, execution_id: str) -> None:
    """Take back the shards that wait for a worker: what is held or ends need not wait for one."""
    here = and_(shards.c.execution_id == execution_id, shards.c.state == "handed")
    connection.execute(update(shards).where(here).values(state="yielded"))


def is_suspect(connection: Connection, execution_id: str, number: int) -> bool:
    """Tell whether workers may have died with a shard: it came no further, or it has items on trial."""
    query = select(shards.c.fruitless, shards.c.progress).where(
        shards.c.execution_id == execution_id, shards.c.number == number
    )
    for row in connection.execute(query):
        doubted = row.progress is not None and ShardProgress.decode(row.progress).doubt
        return bool(doubted) or row.fruitless >= FRUITLESS_CLAIMS
    return False


def take_shard(connection: Connection, execution_id: str, number: int, batch: int) -> Row[Any] | None:
    """Take a shard that was handed out in a batch; None where it was withdrawn since."""
    query = select(shards.c.number).where(
        shards.c.execution_id == execution_id,
        shards.c.number == number,
        shards.c.batch == batch,
        shards.c.state.in_(OUT),
    )
    if connection.execute(query).first() is None:
        return None
    return claim_shard(connection, execution_id, number)


def claim_shard(connection: Connection, execution_id: str, number: int) -> Row[Any]:
    """Take a shard: whoever had it before can commit nothing more to it."""
    here = and_(shards.c.execution_id == execution_id, shards.c.number == number)
    taken = {"claim": shards.c.claim + 1, "fruitless": shards.c.fruitless + 1, "state": "taken"}
    connection.execute(update(shards).where(here).values(taken))
    return connection.execute(select(shards).where(here)).one()


def leave_shard(connection: Connection, execution_id: str, number: int, claim: int) -> bool:
    """Let go of a shard, unless somebody else has claimed it; tell whether all of it is done.

    What is recorded decides that, not what its worker believes: the execution ends when all shards are done.
    Whoever stops in good order was not fruitless, even if it had no time to get any further.
    """
    stored = find_progress(connection, execution_id, number)
    done = stored is not None and not any(True for _ in ShardProgress.decode(stored).unfinished())
    changed = connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number, shards.c.claim == claim)
        .values(state="done" if done else "yielded", fruitless=0)
    )
    return done and changed.rowcount == 1


def drop_shard(connection: Connection, execution_id: str, number: int) -> None:
    """Put back a shard that is handed out, whoever has it."""
    connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number)
        .where(shards.c.state.in_(OUT))
        .values(state="yielded")
    )


def last_shard(connection: Connection, execution_id: str) -> int:
    """Return the highest number handed out so far, -1 for none: shards are handed out in order."""
    query = select(func.max(shards.c.number)).where(shards.c.execution_id == execution_id)
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def find_shards(connection: Connection, execution_id: str) -> Sequence[Any]:
    """Return number, bounds and state of every shard, in order; not what is large."""
    query = select(shards.c.number, shards.c.first, shards.c.count, shards.c.state)
    return connection.execute(
        query.where(shards.c.execution_id == execution_id).order_by(shards.c.number)
    ).all()


def find_parts(
    connection: Connection, execution_id: str, after: int, most: int
) -> Sequence[tuple[int, str | None]]:
    """Return the next shards behind number `after`, in order, each with its parts if it has any yet."""
    query = select(shards.c.number, shards.c.parts).where(
        shards.c.execution_id == execution_id, shards.c.number > after
    )
    return [
        (row.number, row.parts) for row in connection.execute(query.order_by(shards.c.number).limit(most))
    ]


def find_progress(connection: Connection, execution_id: str, number: int) -> bytes | None:
    query = select(shards.c.progress).where(shards.c.execution_id == execution_id, shards.c.number == number)
    return connection.execute(query).scalar()


@dataclass(slots=True)
class Remarks:
    """What is to be said of single items: as many as were asked for, and how many there are."""

    #: Items whose declared total is not what was fetched: (item, declared, fetched).
    declared: list[tuple[int, int, int]] = field(default_factory=list)
    declared_count: int = 0
    #: Items that are not done, and why they ended.
    undone: list[tuple[int, StopReason]] = field(default_factory=list)
    undone_count: int = 0

    def add(self, progress: ShardProgress, most: int) -> None:
        """Take what a shard's items came to; shards come in order."""
        told = sorted((item, *totals) for item, totals in progress.declared.items())
        self.declared += told[: most - len(self.declared)]
        self.declared_count += len(told)
        counts = progress.reasons()
        self.undone_count += sum(counts[reason] for reason in UNDONE)
        for item in islice(progress.ended_for(UNDONE), most - len(self.undone)):
            reason = progress.reason_of(item)
            assert reason is not None
            self.undone.append((item, reason))


def find_remarks(connection: Connection, execution_id: str, most: int) -> Remarks:
    """Look through the items of all shards, one shard at a time."""
    query = select(shards.c.progress).where(
        shards.c.execution_id == execution_id, shards.c.progress.is_not(None)
    )
    remarks = Remarks()
    for (progress,) in connection.execution_options(yield_per=16).execute(query.order_by(shards.c.number)):
        remarks.add(ShardProgress.decode(progress), most)
    return remarks


def set_parts(connection: Connection, execution_id: str, number: int, parts: str) -> None:
    connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number)
        .values(parts=parts)
    )


def find_segments(connection: Connection, execution_id: str) -> set[str]:
    """Return the objects in which an execution has pages."""
    query = select(frames.c.object).where(frames.c.execution_id == execution_id).distinct()
    return set(connection.execute(query).scalars())


def find_frames(connection: Connection, execution_id: str, number: int) -> Sequence[Row[Any]]:
    """Return a shard's frames in the order of their first page."""
    query = select(frames).where(frames.c.execution_id == execution_id, frames.c.shard == number)
    return connection.execute(query.order_by(frames.c.first_item, frames.c.first_page, frames.c.number)).all()
