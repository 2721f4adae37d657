"""The lists of an execution that are rows of another: drawn from its files once, when it begins."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from swath.engine.blocks import snapshot_name
from swath.engine.draw import Drawing, DrawJob, draw
from swath.engine.extract import index_name
from swath.engine.frozen import Frozen
from swath.engine.times import now_ms
from swath.engine.workers import Workers
from swath.errors import Damaged, InvalidInput
from swath.flow.definition import Axis, Json
from swath.flow.formula.hints import nearest
from swath.flow.plan import (
    check_lengths,
    choose_shard_size,
    count_items,
    is_drawn,
    list_columns,
    settle_drawn,
)
from swath.store import chains, executions
from swath.store.database import Database, Row
from swath.store.disk import naming_ailments
from swath.store.objects import Objects


async def draw_lists(
    database: Database, objects: Objects, workers: Workers, scratch: Path, row: Row[Any]
) -> Row[Any]:
    """Draw the lists that are not yet; return the execution's row with its items counted.

    Repeatable: what is drawn from does not change, and one transaction says that it was. Raises SwathError.
    """
    frozen = msgspec.json.decode(row.definition, type=Frozen)  # its secrets stay sealed
    if is_drawn(frozen.definition.axes):
        return row
    known = (database, objects, workers, scratch)
    axes = tuple([await draw_list(*known, axis) for axis in frozen.definition.axes])
    join = frozen.definition.workflow.join
    check_lengths(axes, join)
    items = count_items(axes, join)
    stored = Frozen(definition=replace(frozen.definition, axes=axes), exits=frozen.exits)
    values = {
        "definition": msgspec.json.encode(stored).decode(),
        "items_total": items,
        "shard_size": choose_shard_size(items),
    }
    drawn = [(axis.snapshot, snapshot_name(*axis.snapshot)) for axis in axes if axis.result and axis.snapshot]
    await database.write(chains.settle, row.id, values, drawn, _describe(axes), now_ms())
    settled = await database.read(executions.find_whole, row.id)
    assert settled is not None
    return settled


async def draw_list(
    database: Database, objects: Objects, workers: Workers, scratch: Path, axis: Axis
) -> Axis:
    """Draw one list, if it is one that is drawn; whatever becomes of it, no file is left over."""
    if axis.result is None:
        return axis
    assert axis.snapshot is not None
    source = await database.read(executions.find_whole, axis.result.execution_id)
    if source is None or source.archive_removed_at is not None:
        raise Damaged("The execution whose rows this one takes is gone.")
    # The process that draws may still write when this is cancelled: into a folder that is gone.
    with naming_ailments(), TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
        drawing = await workers.run(draw, describe_draw(objects, axis, folder))
        check_drawing(drawing)
        await objects.move_file(snapshot_name(*axis.snapshot), Path(drawing.path))
    return settle_drawn(axis, drawing.items, drawing.drawn)


def describe_draw(objects: Objects, axis: Axis, scratch: str = "") -> DrawJob:
    """Return the job that draws an axis's list from the execution that gives its rows."""
    assert axis.result is not None
    return DrawJob(
        place=objects.place,
        scratch=scratch,
        index=index_name(axis.result.execution_id, axis.result.revision),
        columns=list_columns(axis),
        collection=axis.result.collection,
    )


def check_drawing(drawing: Drawing) -> None:
    """Raise InvalidInput for a column that the rows do not have."""
    if drawing.unknown_column is not None:
        name, known = drawing.unknown_column
        raise InvalidInput("mappings", f"The rows have no column {name!r}{nearest(name, known)}")


def tell_drawn(axes: Sequence[Axis]) -> list[str]:
    """Return the sentences that an owner should read of rows that no inputs came of."""
    found = []
    for axis in axes:
        if axis.result is None or axis.result.drawn is None:
            continue
        table, drawn = axis.result.collection or "the primary table", axis.result.drawn
        names = ", ".join(source.variable for source in axis.sources)
        if not drawn.rows:
            found.append(f"No inputs for {names}: the execution that gives them has no rows of {table}.")
        elif drawn.blank:
            found.append(
                f"{drawn.blank} of {drawn.rows} rows of {table} have no value for {names}, and were left out."
            )
    return found


def _describe(axes: Sequence[Axis]) -> dict[str, Json]:
    """Return what is told of the drawing as an event."""
    lists = [
        {
            "variables": [source.variable for source in axis.sources],
            "collection": axis.result.collection,
            **msgspec.to_builtins(axis.result.drawn),
            "items": axis.items if axis.batch else axis.count,
        }
        for axis in axes
        if axis.result is not None
    ]
    return {"lists": lists}
