"""A collection's items out of an execution's rows: the results of one workflow are the inputs of another."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.files.choice import Cell, Cells, find_column, read_cells, write_cell
from swath.flow.files.index import Index
from swath.flow.formula.hints import nearest
from swath.flow.items import digest_object, digest_text, write_object
from swath.flow.table import Column
from swath.operations import collections, rows
from swath.operations.collections import CollectionView, Method
from swath.operations.context import Context, User
from swath.store.spool import Spool

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumns:
    """Columns of an execution's table, of the primary one if none is named.

    Of one column come texts, of several JSON objects; rows without any value are left out.
    """

    execution_id: str
    columns: tuple[str, ...]
    collection: str | None = None
    method: Method = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A collection after it was filled: how many rows gave an item, and how many gave none."""

    collection: CollectionView
    received: int
    blank: int


async def fill(context: Context, user: User, collection_id: str, source: ResultColumns) -> Filled:
    """Take a collection's items from columns of a result. Raises NotFound, InvalidInput."""
    if not source.columns:
        raise InvalidInput("columns", "Blank.")
    await collections.show(context, user, collection_id)
    index = await rows.open_rows(context, user, source.execution_id)
    number = rows.choose(index, source.collection)
    with Spool(context.settings.data_dir / "scratch") as spool:
        blank = 0
        if number is not None and index.tables[number].rows:
            columns = _find(index, number, source.columns)
            blank = await asyncio.to_thread(_read, context, index, number, columns, source.columns, spool)
        spool.finish()
        view = await collections.change(context, user, collection_id, source.method, spool)
        return Filled(collection=view, received=spool.count, blank=blank)


def _find(index: Index, number: int, names: Sequence[str]) -> list[Column]:
    table = index.tables[number]
    found = {name: find_column(table, name) for name in names}
    for name, column in found.items():
        if column is None:
            raise InvalidInput("columns", f"There is no column {name!r}{nearest(name, table.header)}")
    return [column for column in found.values() if column is not None]


def _read(
    context: Context,
    index: Index,
    number: int,
    columns: Sequence[Column],
    names: Sequence[str],
    spool: Spool,
) -> int:
    """Put the items of all rows into the spool; return how many rows gave none."""
    sources, _ = index.sources(number, context.objects.read_range)
    add = _add_text if len(columns) == 1 else _add_object
    spool.kind = "text" if len(columns) == 1 else "json"
    blank = 0
    for block in read_cells(
        index.tables[number], sources, columns, csv=not index.typed, guarded=index.guarded
    ):
        for cells in block:
            blank += not add(spool, names, cells)
    return blank


def _add_text(spool: Spool, names: Sequence[str], cells: Cells) -> bool:
    text = write_cell(cells[0])
    if text is None:
        return False
    spool.add(digest_text(text), text)
    return True


def _add_object(spool: Spool, names: Sequence[str], cells: Cells) -> bool:
    if not any(cell is not None for cell in cells):
        return False
    item: dict[str, Any] = dict(zip(names, map(_value, cells), strict=True))
    spool.add(digest_object(item), write_object(item))
    return True


def _value(cell: Cell) -> Json:
    return _decode(cell) if isinstance(cell, msgspec.Raw) else cell
