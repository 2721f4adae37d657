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

#: What an owner is told to do about an execution that nothing could be made of: where nothing was fetched,
#: where something was, and where all was.
BEGIN_ANEW = "Nothing was fetched: trigger it again when that is mended."
GO_ON = (
    "What was fetched is kept: when that is mended, retry it for the rest (POST …/retry), "
    "or combine what there is (POST …/combine)."
)
COMBINE = "All that was fetched is kept: when that is mended, combine it (POST …/combine), without a request."
#: The same of a further combination, and of one whose pages were lost since, when none is fetched any more.
COMBINE_AGAIN = "The other files stay: when that is mended, ask for these again (POST …/combine)."
LOST_FOR_GOOD = "Retry the items that it held, or restore it from a backup and combine again."


def conclude(
    connection: Connection, follow: Follow, execution_id: str, /, *, status: Status, now: int, **told: Any
) -> None:
    """End an execution and start what follows on it, in one transaction: both are seen at once."""
    if executions.end(connection, execution_id, status=status, now=now, **told):
        row = executions.find(connection, execution_id)
        assert row is not None
        follow(connection, row, status, now)


def give_up(connection: Connection, follow: Follow, execution_id: str, reason: str, now: int) -> None:
    """End an execution that nothing can be made of, and say what its owner can do."""
    row = executions.find(connection, execution_id)
    if row is None or row.started_at is None:
        remedy = BEGIN_ANEW
    else:
        remedy = COMBINE if shards.is_all_fetched(connection, row) else GO_ON
    told: dict[str, Any] = {"error": f"{reason} {remedy}", "warnings": [], "rows": 0, "files": []}
    conclude(connection, follow, execution_id, status=Status.FAILED, now=now, **told)


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
