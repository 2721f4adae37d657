"""The one transaction of a checkpoint: a segment, and the progress that it stands for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from swath.store import pace
from swath.store.database import upsert
from swath.store.executions import add_to
from swath.store.ledger import record_events, record_failures
from swath.store.schema import frames, shards, tallies


@dataclass(slots=True)
class ShardLine:
    """One shard's part of a checkpoint: valid only while `claim` is the shard's."""

    number: int
    claim: int
    progress: bytes
    #: object, offset, length, pages, first item and first page of the frame; None without pages.
    frame: tuple[str, int, int, int, int, int] | None
    generation: int = 0
    pages: int = 0
    bytes: int = 0
    rows: int = 0
    attempts: int = 0
    #: What became of attempts: (kind, key) -> count.
    tallies: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failures: Sequence[Mapping[str, Any]] = ()


def commit_checkpoint(
    connection: Connection,
    execution_id: str,
    lines: Sequence[ShardLine],
    events: Sequence[Mapping[str, Any]] = (),
    mark: str | None = None,
    *,
    now: int,
) -> list[int]:
    """Make a segment and the progress it stands for true, in this transaction.

    A line whose shard was claimed by another is left out, the rest commits. Returns the shards left out.
    What was recorded under the same mark is not recorded again: its caller was not told.
    """
    if mark is not None and (recorded := _find_marked(connection, execution_id, mark)):
        return [line.number for line in lines if line.number not in recorded]
    fenced = [line.number for line in lines if not _commit_line(connection, execution_id, line, mark)]
    kept = [line for line in lines if line.number not in fenced]
    counts: dict[tuple[str, str], int] = {}
    for line in kept:
        for place, count in line.tallies.items():
            counts[place] = counts.get(place, 0) + count
    # The execution's row first: workers take turns there, so events are seen in the order of their numbers.
    add_to(
        connection,
        execution_id,
        pages=sum(line.pages for line in kept),
        bytes=sum(line.bytes for line in kept),
        attempts=sum(line.attempts for line in kept),
        rows=sum(line.rows for line in kept),
        items_ended=sum(count for (kind, _), count in counts.items() if kind == "stop"),
    )
    add_tallies(connection, execution_id, counts)
    record_events(connection, execution_id, events)
    measured = _measure(kept, counts)
    if any(measured.values()):
        pace.add(connection, execution_id, now // 1000, measured)
    return fenced


def _measure(lines: Sequence[ShardLine], counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Return what a checkpoint adds to its second. A status that is no number is the code of a fault."""
    statuses = {key: count for (kind, key), count in counts.items() if kind == "status" and key != "429"}
    return {
        "requests": sum(line.attempts for line in lines),
        "rows": sum(line.rows for line in lines),
        "refused": counts.get(("status", "429"), 0),
        "errors": sum(count for key, count in statuses.items() if not key.isdecimal() or int(key) >= 400),
    }


def _find_marked(connection: Connection, execution_id: str, mark: str) -> set[int]:
    here = (shards.c.execution_id == execution_id, shards.c.mark == mark)
    return set(connection.execute(select(shards.c.number).where(*here)).scalars())


def _commit_line(connection: Connection, execution_id: str, line: ShardLine, mark: str | None) -> bool:
    changed = connection.execute(
        update(shards)
        .where(shards.c.execution_id == execution_id)
        .where(shards.c.number == line.number, shards.c.claim == line.claim)
        .values(progress=line.progress, fruitless=0, mark=mark)
    )
    if changed.rowcount != 1:
        return False
    if line.frame is not None:
        names = ("object", "offset", "length", "pages", "first_item", "first_page")
        place = dict(zip(names, line.frame, strict=True))
        mine = {"execution_id": execution_id, "shard": line.number, "generation": line.generation}
        connection.execute(insert(frames).values(mine | place))
    if line.failures:
        record_failures(connection, execution_id, line.failures)
    return True


def add_tallies(connection: Connection, execution_id: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to an execution's counts, by (kind, key)."""
    for (kind, key), count in counts.items():
        values = {"execution_id": execution_id, "kind": kind, "key": key, "count": count}
        row = upsert(connection, tallies, values)
        grown = {"count": tallies.c.count + row.excluded.count}
        connection.execute(row.on_conflict_do_update(index_elements=tallies.primary_key, set_=grown))
