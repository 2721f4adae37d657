"""The story of one input item: what it was asked with, what was answered, how it ended."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from swath.engine.blocks import Elements
from swath.engine.extract import Frame, merge_frames
from swath.engine.frozen import Opened
from swath.errors import NotFound
from swath.flow.definition import Json
from swath.flow.masking import visible
from swath.flow.plan import Plan
from swath.flow.segment import PageRecord
from swath.flow.shard import ShardProgress
from swath.operations.context import Context, User
from swath.operations.executions import own_archive, view_failure, view_try
from swath.operations.responses import count_rows, find_frames, view_page
from swath.store import ledger
from swath.store.database import Row
from swath.store.objects import Objects

#: Characters of an answer that are told.
HEAD = 2_000
#: More pages than an item has.
MOST = 2**62


@dataclass(frozen=True, slots=True)
class Told:
    """The pages that a story shows, and how many there are."""

    pages: list[dict[str, Json]]
    count: int
    rows: int


async def show(
    context: Context, user: User, execution_id: str, item: int, offset: int, limit: int
) -> dict[str, Json]:
    """Return an item's story, as far as checkpoints have recorded it.

    Of its pages it shows `limit` behind the first `offset`. Raises NotFound for an item that is not there.
    """
    row = await context.database.read(own_archive, user, execution_id)
    if not 0 <= item < row.items_total:
        raise NotFound("item", f"This execution has the items 0 to {row.items_total - 1}.")
    shard = item // row.shard_size
    progress, frames = await find_frames(context, execution_id, shard)
    frames = [frame for frame in frames if frame.first[0] <= item]
    cut = progress.cuts.get(item, MOST) if progress else MOST
    told = await asyncio.to_thread(_read, context.objects, frames, item, cut, offset, limit)
    failure = await context.database.read(ledger.find_failure, execution_id, item)
    inputs = await asyncio.to_thread(_inputs, context, row, item)
    return {
        "item": item,
        "inputs": inputs,
        **_standing(progress, item),
        "pages_count": told.count,
        "rows": told.rows,
        "pages": told.pages,
        "failure": view_failure(failure) if failure is not None else None,
    }


def _standing(progress: ShardProgress | None, item: int) -> dict[str, Json]:
    """Return where an item stands."""
    reason = progress.reason_of(item) if progress else None
    begun = progress.begun.get(item) if progress else None
    state = "ended" if reason else "working" if begun else "waiting"
    declared = begun.declared_total if begun else None
    if progress and item in progress.declared:
        declared, _ = progress.declared[item]
    return {"state": state, "stop_reason": reason, "declared_total": declared}


def _read(objects: Objects, frames: list[Frame], item: int, cut: int, offset: int, limit: int) -> Told:
    """Return what the item's pages tell; pages from number `cut` on repeat earlier ones and do not count."""
    pages, count, rows = [], 0, 0
    for record in _records(objects, frames, item):
        counted = record.page < cut
        rows += count_rows(record) if counted else 0
        if offset <= count < offset + limit:
            pages.append(_view(record, counted))
        count += 1
    return Told(pages, count, rows)


def _records(objects: Objects, frames: list[Frame], item: int) -> Iterator[PageRecord]:
    for record in merge_frames(objects, frames):
        if record.item > item:
            return
        if record.item == item:
            yield record


def _view(record: PageRecord, counted: bool) -> dict[str, Json]:
    head = record.body[: 4 * HEAD].decode("utf-8", "replace")[:HEAD]
    tries = [view_try(each) for each in record.tries]
    return {**view_page(record), "counted": counted, "bytes": len(record.body), "tries": tries, "head": head}


def _inputs(context: Context, row: Row[Any], item: int) -> dict[str, Json] | None:
    """Return what the item is asked with; None before the start, which copies the collections."""
    if row.started_at is None:
        return None
    definition = Opened(context.vault).of(row).definition
    plan = Plan(definition.axes, definition.workflow.join, definition.constants, Elements(context.objects))
    return visible(plan.inputs(item), definition.endpoint)
