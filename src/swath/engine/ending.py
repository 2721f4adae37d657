"""The end of an execution: of items that it was amid, of itself, and what begins with it."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from swath.engine.frozen import Opened
from swath.engine.inputs import Inputs
from swath.engine.outages import Outlast
from swath.engine.runner import describe
from swath.engine.times import now_ms
from swath.errors import ItemFailed
from swath.flow.execution import LIMITED, Status, StopReason, reason_left
from swath.flow.masking import visible
from swath.flow.shard import ShardProgress
from swath.store import checkpoints, executions, shards
from swath.store.checkpoints import ShardLine
from swath.store.database import Connection, Database, Row
from swath.store.objects import Objects

#: Queues what the end of an execution starts: the connection, its row, how it ended, the time.
Follow = Callable[[Connection, Row[Any], Status, int], None]

CANCELLED = ItemFailed(
    "cancelled", "The execution ended amid this item; the pages it had are kept.", retryable=True
)


def conclude(
    connection: Connection, follow: Follow, execution_id: str, /, *, status: Status, now: int, **told: Any
) -> None:
    """End an execution and start what follows on it, in one transaction: both are seen at once."""
    if executions.end(connection, execution_id, status=status, now=now, **told):
        row = executions.find(connection, execution_id)
        assert row is not None
        follow(connection, row, status, now)


async def end_begun(
    database: Database, objects: Objects, opened: Opened, execution_id: str, outlast: Outlast
) -> None:
    """End the begun items of an execution that goes no further: a part of their rows must not look whole.

    Items that were not begun have no rows, and no line: their number is in the manifest. Repeatable.
    """
    row = await database.read(executions.find_whole, execution_id)
    if row is None or not (row.status == Status.STOPPING or row.truncated):
        return
    inputs = Inputs(objects, opened.of(row).definition, outlast=outlast)
    for shard in await database.read(shards.find_shards, execution_id):
        stored = await database.read(shards.find_progress, execution_id, shard.number)
        progress = ShardProgress.decode(stored) if stored else None
        if progress is not None and progress.begun:
            claimed = await database.write(shards.claim_shard, execution_id, shard.number)
            line = await _end(row, opened, inputs, progress, claimed)
            await database.write(checkpoints.commit_checkpoint, execution_id, [line], now=now_ms())


async def _end(
    row: Row[Any], opened: Opened, inputs: Inputs, progress: ShardProgress, claimed: Row[Any]
) -> ShardLine:
    begun = dict(progress.begun)
    reason = reason_left(row.truncated_by)
    pages = {item: going.page for item, going in begun.items()}
    lines = [] if reason in LIMITED else await _describe(row, opened, inputs, pages)
    for item in begun:
        progress.end(item, reason)
    return ShardLine(
        number=claimed.number,
        claim=claimed.claim,
        progress=progress.encode(),
        frame=None,
        tallies=Counter({("stop", str(reason)): len(begun)}),
        failures=lines,
    )


async def _describe(
    row: Row[Any], opened: Opened, inputs: Inputs, pages: Mapping[int, int]
) -> list[dict[str, Any]]:
    endpoint = opened.of(row).definition.endpoint
    lines = []
    for item, page in pages.items():
        shown = visible(await inputs.of(item), endpoint)
        lines.append(describe(item, CANCELLED, StopReason.CANCELLED, shown, page))
    return lines
