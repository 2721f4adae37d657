"""How executions are kept: their row, their budget, and the files that came of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, func, insert, select, update

from swath.flow.execution import TERMINAL, Status, StopReason, reason_left
from swath.store import limits, retention, webhooks
from swath.store.database import upsert
from swath.store.schema import executions, idempotency_keys, results, tallies

#: Blocks of attempts that are left when they are no longer handed out by the block.
FEW_BLOCKS = 4

_limited = executions.c.maximum_requests_count.is_not(None)

# What is read at every look at an execution is written once: making a statement takes longer than running it.
_one = executions.c.id == bindparam("execution_id")
_state = select(*(column for column in executions.c if column.name != "definition"))
_find = _state.where(_one)
_find_whole = select(executions).where(_one)
_find_tallies = (
    select(tallies.c.kind, tallies.c.key, tallies.c.count)
    .where(tallies.c.execution_id == bindparam("execution_id"))
    .order_by(tallies.c.kind, tallies.c.key)
)
_find_results = (
    select(results)
    .where(results.c.execution_id.in_(bindparam("execution_ids", expanding=True)))
    .order_by(results.c.execution_id, results.c.revision.desc(), results.c.position)
)

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
    """Return the execution's row without its definition, None where it is unknown or another owner's."""
    return _of_owner(connection.execute(_find, {"execution_id": execution_id}).first(), owner_id)


def find_whole(connection: Connection, execution_id: str, owner_id: str | None = None) -> Row[Any] | None:
    """Return the same with the definition, which may hold long lists."""
    return _of_owner(connection.execute(_find_whole, {"execution_id": execution_id}).first(), owner_id)


def _of_owner(row: Row[Any] | None, owner_id: str | None) -> Row[Any] | None:
    return row if row is None or owner_id in (None, row.owner_id) else None


def find_some(
    connection: Connection,
    owner_id: str,
    *,
    workflow_id: str | None,
    statuses: Iterable[Status] | None,
    before: int | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return executions of an owner without their definitions, newest first, older than number `before`."""
    query = _state.where(executions.c.owner_id == owner_id)
    if workflow_id is not None:
        query = query.where(executions.c.workflow_id == workflow_id)
    if statuses is not None:
        query = query.where(executions.c.status.in_([str(status) for status in statuses]))
    if before is not None:
        query = query.where(executions.c.number < before)
    return connection.execute(query.order_by(executions.c.number.desc()).limit(limit)).all()


def find_waiting(connection: Connection) -> list[str]:
    """Return the ids of executions that were let in and have not started, oldest first."""
    query = select(executions.c.id).where(
        executions.c.status.in_([Status.QUEUED, Status.STOPPING]),
        executions.c.started_at.is_(None),
        executions.c.admitted_at.is_not(None),
    )
    return list(connection.execute(query.order_by(executions.c.number).limit(1000)).scalars())


def find_repeat(connection: Connection, owner_id: str, key: str) -> Row[Any] | None:
    """Return what an idempotency key already stands for."""
    query = select(idempotency_keys).where(
        idempotency_keys.c.owner_id == owner_id, idempotency_keys.c.key == key
    )
    return connection.execute(query).first()


def remember_key(connection: Connection, owner_id: str, key: str, digest: str, execution_id: str) -> Row[Any]:
    """Let a key stand for an execution, unless it stands for one already; return what it stands for now."""
    values = {"owner_id": owner_id, "key": key, "digest": digest, "execution_id": execution_id}
    connection.execute(upsert(connection, idempotency_keys, values).on_conflict_do_nothing())
    known = find_repeat(connection, owner_id, key)
    assert known is not None
    return known


def start(connection: Connection, execution_id: str, now: int, shard_size: int) -> None:
    """Mark a queued execution as running, in shards of so many items; one already further stays as it is."""
    begun = {"status": Status.RUNNING, "started_at": now, "paused_ms": 0, "shard_size": shard_size}
    connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status == Status.QUEUED)
        .values(begun)
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


def forget_wait(connection: Connection, execution_id: str) -> None:
    """Note that its owner has taken in hand what it waited for."""
    connection.execute(update(executions).where(executions.c.id == execution_id).values(waiting=None))


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
) -> bool:
    """Make the end true: the files, the terminal status and `completed_at`, in one transaction.

    One that has ended before keeps the files that it has, for two workers may come to its end: then False.
    """
    limits.settle(connection, execution_id)
    ended = connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.status.not_in([str(s) for s in TERMINAL]))
        .values(
            status=status,
            error=func.coalesce(executions.c.error, error),
            warnings=json.dumps(list(warnings)),
            rows=rows,
            completed_at=now,
            attempts_unknown=case(
                (_limited, executions.c.attempts_reserved - executions.c.attempts),
                else_=executions.c.attempts_unknown,
            ),
        )
    )
    if not ended.rowcount:
        return False
    if files:
        connection.execute(insert(results), list(files))
    retention.let_go(connection, execution_id)
    webhooks.notify(connection, execution_id, f"execution.{status}", now)
    return True


def adjust(connection: Connection, execution_id: str, values: Mapping[str, Any]) -> None:
    """Change what an owner may change of an execution while it goes on."""
    connection.execute(update(executions).where(executions.c.id == execution_id).values(dict(values)))


def read_tallies(connection: Connection, execution_id: str) -> dict[str, dict[str, int]]:
    """Return an execution's counts by kind (`status`, `stop`) and key."""
    counts: dict[str, dict[str, int]] = {"status": {}, "stop": {}}
    for kind, key, count in connection.execute(_find_tallies, {"execution_id": execution_id}):
        counts.setdefault(kind, {})[key] = int(count)
    return counts


def find_results(connection: Connection, execution_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the files of these executions, of each the newest revision's first, then by position."""
    if not execution_ids:
        return []
    return connection.execute(_find_results, {"execution_ids": list(execution_ids)}).all()


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
        left = row.maximum_requests_count - row.attempts_reserved
        # Near the end one by one: what one worker holds and does not need, others would be missing.
        granted = wanted if left >= FEW_BLOCKS * wanted else max(0, min(1, left))
    if granted:
        add_to(connection, execution_id, attempts_reserved=granted)
    return granted


def return_attempts(connection: Connection, execution_id: str, unused: int) -> None:
    """Give back attempts that were not made, also of an execution that another worker has ended since."""
    add_to(connection, execution_id, attempts_reserved=-unused)
    ended = executions.c.status.in_([str(s) for s in TERMINAL])
    connection.execute(
        update(executions)
        .where(executions.c.id == execution_id, ended, _limited)
        .values(attempts_unknown=executions.c.attempts_unknown - unused)
    )


def write_off_attempts(connection: Connection) -> None:
    """Count what a dead process had reserved and not confirmed as spent: nobody knows what it sent.

    Only where no other process can hold a reservation: at the start of an embedded server.
    """
    connection.execute(
        update(executions)
        .where(executions.c.status.not_in([str(s) for s in TERMINAL]))
        .where(executions.c.maximum_requests_count.is_not(None), executions.c.unsettled.is_(None))
        .values(attempts_unknown=executions.c.attempts_reserved - executions.c.attempts)
    )


def add_to(connection: Connection, execution_id: str, **amounts: int) -> None:
    """Add to counters of an execution; one that has new pages, and is not paused, waits for nothing."""
    values: dict[str, Any] = {name: executions.c[name] + amount for name, amount in amounts.items()}
    if amounts.get("pages"):
        values["waiting"] = case((executions.c.status == Status.PAUSED, executions.c.waiting), else_=None)
    connection.execute(update(executions).where(executions.c.id == execution_id).values(values))


def count_reasons(connection: Connection, row: Row[Any]) -> dict[StopReason, int]:
    """Count all items of an execution that goes no further by stop reason, those that never began too."""
    tallied = read_tallies(connection, row.id)["stop"]
    counts = {StopReason(key): count for key, count in tallied.items()}
    if left := row.items_total - sum(counts.values()):
        reason = reason_left(row.truncated_by)
        counts[reason] = counts.get(reason, 0) + left
    return counts
