"""How executions are kept: their row, their shards, and the one transaction of a checkpoint."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from swath.flow.execution import TERMINAL, Status, StopReason
from swath.flow.shard import ShardProgress
from swath.store.database import upsert
from swath.store.ledger import record_events, record_failures
from swath.store.schema import executions, frames, idempotency_keys, results, shards, tallies

#: A shard that was claimed so often without getting any further is given up.
MOST_FRUITLESS_CLAIMS = 12


# --- the execution's own row


def add(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a queued execution; everything not given begins at nothing."""
    blank = {
        "status": Status.QUEUED,
        "truncated": False,
        "attempts_reserved": 0,
        "attempts": 0,
        "attempts_unknown": 0,
        "pages": 0,
        "bytes": 0,
        "rows": 0,
        "items_ended": 0,
        "warnings": "[]",
    }
    connection.execute(insert(executions).values(blank | dict(values)))


def find(connection: Connection, execution_id: str, owner_id: str | None = None) -> Row[Any] | None:
    """Return the execution's row, or None where it is unknown or another owner's."""
    query = select(executions).where(executions.c.id == execution_id)
    if owner_id is not None:
        query = query.where(executions.c.owner_id == owner_id)
    return connection.execute(query).first()


def find_some(
    connection: Connection,
    owner_id: str,
    *,
    workflow_id: str | None,
    statuses: Iterable[Status] | None,
    before: int | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return executions of an owner, newest first, older than number `before`."""
    query = select(executions).where(executions.c.owner_id == owner_id)
    if workflow_id is not None:
        query = query.where(executions.c.workflow_id == workflow_id)
    if statuses is not None:
        query = query.where(executions.c.status.in_([str(status) for status in statuses]))
    if before is not None:
        query = query.where(executions.c.number < before)
    return connection.execute(query.order_by(executions.c.number.desc()).limit(limit)).all()


def find_waiting(connection: Connection) -> list[str]:
    """Return the ids of queued executions, oldest first."""
    query = select(executions.c.id).where(executions.c.status == Status.QUEUED)
    return list(connection.execute(query.order_by(executions.c.number).limit(1000)).scalars())


def find_repeat(connection: Connection, owner_id: str, key: str) -> Row[Any] | None:
    """Return what an idempotency key already stands for."""
    query = select(idempotency_keys).where(
        idempotency_keys.c.owner_id == owner_id, idempotency_keys.c.key == key
    )
    return connection.execute(query).first()


def remember_key(connection: Connection, owner_id: str, key: str, digest: str, execution_id: str) -> None:
    values = {"owner_id": owner_id, "key": key, "digest": digest, "execution_id": execution_id}
    connection.execute(insert(idempotency_keys).values(values))


def start(connection: Connection, execution_id: str, now: int) -> None:
    """Mark a queued execution as running; one that is already further stays as it is."""
    connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status == Status.QUEUED)
        .values(status=Status.RUNNING, started_at=now)
    )


def move(
    connection: Connection, execution_id: str, allowed: Iterable[Status], to: Status, error: str | None = None
) -> bool:
    """Change the status if it is one of `allowed`; return whether it was."""
    values: dict[str, Any] = {"status": to}
    if error is not None:
        values["error"] = error
    changed = connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status.in_([str(s) for s in allowed]))
        .values(values)
    )
    return changed.rowcount == 1


def end(
    connection: Connection,
    execution_id: str,
    *,
    status: Status,
    error: str | None,
    warnings: Sequence[str],
    rows: int,
    files: Sequence[Mapping[str, Any]],
    now: int,
) -> None:
    """Make the end true: the files, the terminal status and `completed_at`, in one transaction."""
    connection.execute(
        results.delete().where(results.c.execution_id == execution_id, results.c.revision == 0)
    )
    if files:
        connection.execute(insert(results), list(files))
    connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status.not_in([str(s) for s in TERMINAL]))
        .values(
            status=status,
            error=func.coalesce(executions.c.error, error),
            warnings=json.dumps(list(warnings)),
            rows=rows,
            completed_at=now,
        )
    )


def adjust(
    connection: Connection, execution_id: str, adjustments: str, maximum_requests_count: int | None
) -> None:
    """Change what an execution is worked on by; `maximum_requests_count` of None stays what it is.

    Where there was no limit, what is recorded as sent counts against the new one. One that was reached
    no longer is, if it is raised.
    """
    here = executions.c.id == execution_id
    connection.execute(update(executions).where(here).values(adjustments=adjustments))
    if maximum_requests_count is None:
        return
    connection.execute(
        update(executions)
        .where(here, executions.c.maximum_requests_count.is_(None))
        .values(attempts_reserved=executions.c.attempts)
    )
    raised = executions.c.truncated & (executions.c.attempts_reserved >= maximum_requests_count)
    connection.execute(
        update(executions).where(here).values(maximum_requests_count=maximum_requests_count, truncated=raised)
    )


def reserve_sent(connection: Connection, execution_id: str, unrecorded: int) -> None:
    """Count as reserved what was sent without a reservation: what is recorded, and what is not yet."""
    reserved = executions.c.attempts + unrecorded
    connection.execute(
        update(executions).where(executions.c.id == execution_id).values(attempts_reserved=reserved)
    )


def set_truncated(connection: Connection, execution_id: str) -> None:
    connection.execute(update(executions).where(executions.c.id == execution_id).values(truncated=True))


def read_tallies(connection: Connection, execution_id: str, kind: str) -> dict[str, int]:
    query = select(tallies.c.key, tallies.c.count).where(
        tallies.c.execution_id == execution_id, tallies.c.kind == kind
    )
    return {row.key: int(row._mapping["count"]) for row in connection.execute(query.order_by(tallies.c.key))}


def find_results(connection: Connection, execution_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the files of these executions, of each the newest revision's first, then by position."""
    query = select(results).where(results.c.execution_id.in_(list(execution_ids)))
    order = (results.c.execution_id, results.c.revision.desc(), results.c.position)
    return connection.execute(query.order_by(*order)).all()


def last_revision(connection: Connection, execution_id: str) -> int | None:
    """Return the newest revision that has files; None where there is none."""
    query = select(func.max(results.c.revision)).where(results.c.execution_id == execution_id)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def find_result(connection: Connection, secret: str) -> Row[Any] | None:
    return connection.execute(select(results).where(results.c.secret == secret)).first()


def sum_by_status(connection: Connection) -> dict[str, tuple[int, int, int, int, int]]:
    """Return, for each status: how many executions, their attempts, pages, bytes and rows."""
    columns = (executions.c.attempts, executions.c.pages, executions.c.bytes, executions.c.rows)
    query = select(executions.c.status, func.count(), *(func.sum(column) for column in columns))
    found = connection.execute(query.group_by(executions.c.status))
    return {status: (count, *(int(total) for total in totals)) for status, count, *totals in found}


# --- the budget


def reserve_attempts(connection: Connection, execution_id: str, wanted: int) -> int:
    """Take up to `wanted` attempts from the execution's budget; return how many were left to take."""
    row = connection.execute(
        select(executions.c.maximum_requests_count, executions.c.attempts_reserved).where(
            executions.c.id == execution_id
        )
    ).one()
    granted = wanted
    if row.maximum_requests_count is not None:
        granted = max(0, min(wanted, row.maximum_requests_count - row.attempts_reserved))
    if granted:
        _add_to(connection, execution_id, attempts_reserved=granted)
    return granted


def return_attempts(connection: Connection, execution_id: str, unused: int) -> None:
    _add_to(connection, execution_id, attempts_reserved=-unused)


def write_off_attempts(connection: Connection) -> None:
    """Count what a dead process had reserved and not confirmed as spent: nobody knows what it sent.

    Only where no other process can hold a reservation: at the start of an embedded server.
    """
    connection.execute(
        update(executions)
        .where(executions.c.status.not_in([str(s) for s in TERMINAL]))
        .where(executions.c.maximum_requests_count.is_not(None))
        .values(attempts_unknown=executions.c.attempts_reserved - executions.c.attempts)
    )


def _add_to(connection: Connection, execution_id: str, **amounts: int) -> None:
    values = {name: executions.c[name] + amount for name, amount in amounts.items()}
    connection.execute(update(executions).where(executions.c.id == execution_id).values(values))


# --- shards


def find_batch(connection: Connection, execution_id: str, batch: int) -> list[int]:
    """Return the shards that hand-out number `batch` gave, for when it is repeated after a crash."""
    query = select(shards.c.number).where(shards.c.execution_id == execution_id, shards.c.batch == batch)
    return list(connection.execute(query.order_by(shards.c.number)).scalars())


def count_shards(connection: Connection, execution_id: str) -> dict[str, int]:
    """Count the execution's shards by state."""
    query = (
        select(shards.c.state, func.count().label("shards"))
        .where(shards.c.execution_id == execution_id)
        .group_by(shards.c.state)
    )
    return {row.state: row.shards for row in connection.execute(query)}


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


def claim_shard(connection: Connection, execution_id: str, number: int) -> Row[Any]:
    """Take a shard: whoever had it before can commit nothing more to it."""
    here = and_(shards.c.execution_id == execution_id, shards.c.number == number)
    connection.execute(
        update(shards).where(here).values(claim=shards.c.claim + 1, fruitless=shards.c.fruitless + 1)
    )
    return connection.execute(select(shards).where(here)).one()


def leave_shard(connection: Connection, execution_id: str, number: int, claim: int, state: str) -> None:
    """Let go of a shard as `done` or `yielded`, unless somebody else has claimed it."""
    connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number, shards.c.claim == claim)
        .values(state=state)
    )


def drop_shard(connection: Connection, execution_id: str, number: int) -> None:
    """Put back a shard that is handed out, whoever has it."""
    connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number, shards.c.state == "handed")
        .values(state="yielded")
    )


def last_shard(connection: Connection, execution_id: str) -> int:
    """Return the highest number handed out so far, -1 for none: shards are handed out in order."""
    query = select(func.max(shards.c.number)).where(shards.c.execution_id == execution_id)
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def find_shards(connection: Connection, execution_id: str) -> Sequence[Any]:
    """Return number, bounds and parts of every shard, in order; not the progress, which is large."""
    query = select(shards.c.number, shards.c.first, shards.c.count, shards.c.state, shards.c.parts)
    return connection.execute(
        query.where(shards.c.execution_id == execution_id).order_by(shards.c.number)
    ).all()


def find_progress(connection: Connection, execution_id: str, number: int) -> bytes | None:
    query = select(shards.c.progress).where(shards.c.execution_id == execution_id, shards.c.number == number)
    return connection.execute(query).scalar()


def find_declared(connection: Connection, execution_id: str) -> dict[int, tuple[int, int]]:
    """Return the items whose declared total is not what was fetched: item -> (declared, fetched)."""
    query = select(shards.c.progress).where(
        shards.c.execution_id == execution_id, shards.c.progress.is_not(None)
    )
    declared: dict[int, tuple[int, int]] = {}
    for progress in connection.execute(query).scalars():
        declared |= ShardProgress.decode(progress).declared
    return declared


def set_parts(connection: Connection, execution_id: str, number: int, parts: str) -> None:
    connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id, shards.c.number == number)
        .values(parts=parts)
    )


def find_frames(connection: Connection, execution_id: str, number: int) -> Sequence[Row[Any]]:
    """Return a shard's frames in the order of their first page."""
    query = select(frames).where(frames.c.execution_id == execution_id, frames.c.shard == number)
    return connection.execute(query.order_by(frames.c.first_item, frames.c.first_page, frames.c.number)).all()


# --- the checkpoint


@dataclass(slots=True)
class ShardLine:
    """One shard's part of a checkpoint: valid only while `claim` is the shard's."""

    number: int
    claim: int
    progress: bytes
    #: object, offset, length, pages, first item and first page of the frame; None without pages.
    frame: tuple[str, int, int, int, int, int] | None
    pages: int = 0
    bytes: int = 0
    attempts: int = 0
    #: What became of attempts: (kind, key) -> count.
    tallies: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failures: Sequence[Mapping[str, Any]] = ()


def commit_checkpoint(
    connection: Connection,
    execution_id: str,
    lines: Sequence[ShardLine],
    events: Sequence[Mapping[str, Any]] = (),
) -> list[int]:
    """Make a segment and the progress it stands for true, in this transaction.

    A line whose shard was claimed by another is left out, the rest commits. Returns the shards left out.
    """
    fenced = [line.number for line in lines if not _commit_line(connection, execution_id, line)]
    kept = [line for line in lines if line.number not in fenced]
    counts: dict[tuple[str, str], int] = {}
    for line in kept:
        for place, count in line.tallies.items():
            counts[place] = counts.get(place, 0) + count
    _add_tallies(connection, execution_id, counts)
    record_events(connection, execution_id, events)
    _add_to(
        connection,
        execution_id,
        pages=sum(line.pages for line in kept),
        bytes=sum(line.bytes for line in kept),
        attempts=sum(line.attempts for line in kept),
        items_ended=sum(count for (kind, _), count in counts.items() if kind == "stop"),
    )
    return fenced


def _commit_line(connection: Connection, execution_id: str, line: ShardLine) -> bool:
    changed = connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id)
        .where(shards.c.number == line.number, shards.c.claim == line.claim)
        .values(progress=line.progress, fruitless=0)
    )
    if changed.rowcount != 1:
        return False
    if line.frame is not None:
        names = ("object", "offset", "length", "pages", "first_item", "first_page")
        place = dict(zip(names, line.frame, strict=True))
        connection.execute(insert(frames).values(execution_id=execution_id, shard=line.number, **place))
    if line.failures:
        record_failures(connection, execution_id, line.failures)
    return True


def _add_tallies(connection: Connection, execution_id: str, counts: Mapping[tuple[str, str], int]) -> None:
    for (kind, key), count in counts.items():
        values = {"execution_id": execution_id, "kind": kind, "key": key, "count": count}
        row = upsert(connection, tallies, values)
        grown = {"count": tallies.c.count + row.excluded.count}
        connection.execute(row.on_conflict_do_update(index_elements=tallies.primary_key, set_=grown))


def count_reasons(connection: Connection, execution_id: str) -> dict[StopReason, int]:
    """Count the ended items by stop reason."""
    return {StopReason(key): count for key, count in read_tallies(connection, execution_id, "stop").items()}
