"""How a retry takes over what its parent has recorded: shards, frames, failures and counts, slice by slice.

A retry then stands alone: whoever reads it need not know of its parent. Only the bytes are shared, the
segments and the row parts, which is why the parent's are kept while a retry of it has its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, literal, select

from swath.flow.execution import StopReason
from swath.flow.plan import shard_bounds
from swath.flow.renewal import Choice, renew
from swath.flow.shard import ShardProgress
from swath.store.checkpoints import add_tallies
from swath.store.executions import add_to
from swath.store.schema import failures, frames, shards

#: Shards that one transaction takes over: some hundred thousand items at most, a blink of others' wait.
SLICE = 100


def take_over(
    connection: Connection, child: Row[Any], numbers: Sequence[int], choice: Choice, left: StopReason
) -> None:
    """Lay those of a retry's shards that are not there yet, as its parent left them but for the chosen items.

    Items that the parent never came to ended for the reason `left`. Shards of only such, all of them chosen,
    are not laid: they are handed out as if for the first time.
    """
    laid = _find(connection, child.id, numbers)
    known = _find(connection, child.parent_id, numbers)
    fresh = [number for number in numbers if number not in laid and (number in known or choice.keeps(left))]
    ended: Counter[StopReason] = Counter()
    kept: set[int] = set()
    for number in fresh:
        values, progress = _lay(child, number, known.get(number), choice, left)
        connection.execute(insert(shards).values(values))
        ended += progress.reasons()
        kept.update(set(range(*_span(child, number))) - set(progress.unfinished()))
    _copy_frames(connection, child, fresh)
    _copy_failures(connection, child, fresh, kept)
    add_tallies(connection, child.id, {("stop", str(reason)): count for reason, count in ended.items()})
    add_to(connection, child.id, items_ended=ended.total(), items_kept=ended.total())


def _find(connection: Connection, execution_id: str, numbers: Sequence[int]) -> Mapping[int, Any]:
    query = select(shards.c.number, shards.c.progress, shards.c.parts)
    rows = connection.execute(
        query.where(shards.c.execution_id == execution_id, shards.c.number.in_(numbers))
    )
    return {row.number: row for row in rows}


def _span(child: Row[Any], number: int) -> tuple[int, int]:
    """Return the first item of a shard and the one behind its last."""
    first, count = shard_bounds(child.items_total, child.shard_size, number)
    return first, first + count


def _lay(
    child: Row[Any], number: int, old: Any, choice: Choice, left: StopReason
) -> tuple[dict[str, Any], ShardProgress]:
    first, end = _span(child, number)
    stored = old.progress if old is not None else None
    progress = ShardProgress.decode(stored) if stored else ShardProgress.new(first, end - first)
    changed = renew(progress, choice, left)
    done = not any(True for _ in progress.unfinished())
    values = {
        "execution_id": child.id,
        "number": number,
        "first": first,
        "count": end - first,
        "claim": 0,
        "state": "done" if done else "yielded",
        "batch": 0,
        "fruitless": 0,
        "progress": progress.encode(),
        "parts": old.parts if old is not None and not changed else None,
    }
    return values, progress


def _copy_frames(connection: Connection, child: Row[Any], numbers: Sequence[int]) -> None:
    copied = [column for column in frames.c if column.name not in ("number", "execution_id")]
    old = select(literal(child.id), *copied).where(
        frames.c.execution_id == child.parent_id, frames.c.shard.in_(numbers)
    )
    connection.execute(insert(frames).from_select(["execution_id", *(c.name for c in copied)], old))


def _copy_failures(connection: Connection, child: Row[Any], numbers: Sequence[int], kept: set[int]) -> None:
    """Take over the ledger's lines of those items that are not fetched anew."""
    for number in numbers:
        first, end = _span(child, number)
        query = select(failures).where(
            failures.c.execution_id == child.parent_id, failures.c.item >= first, failures.c.item < end
        )
        lines = [row._asdict() for row in connection.execute(query) if row.item in kept]
        if lines:
            connection.execute(insert(failures), [line | {"execution_id": child.id} for line in lines])
