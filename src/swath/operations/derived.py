"""A collection's items out of an execution's rows: the results of one workflow are the inputs of another."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.formula.hints import nearest
from swath.flow.items import prepare
from swath.operations import collections, rows
from swath.operations.collections import CollectionView, Method
from swath.operations.context import Context, User
from swath.store.spool import Spool

#: Rows read at a time.
SLICE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumns:
    """Columns of an execution's table, of the primary one if none is named.

    Of one column come texts, of several JSON objects; rows without a value are left out.
    """

    execution_id: str
    columns: tuple[str, ...]
    collection: str | None = None
    method: Method = "replace"


async def fill(context: Context, user: User, collection_id: str, source: ResultColumns) -> CollectionView:
    """Take a collection's items from columns of a result. Raises NotFound, InvalidInput."""
    if not source.columns:
        raise InvalidInput("columns", "Blank.")
    await collections.show(context, user, collection_id)
    with Spool(context.settings.data_dir / "scratch") as spool:
        async for items in _read(context, user, source):
            kind, prepared = prepare(items)
            spool.kind = spool.kind or kind
            for digest, _, value in prepared:
                spool.add(digest, value)
        spool.finish()
        return await collections.change(context, user, collection_id, source.method, spool)


async def _read(context: Context, user: User, source: ResultColumns) -> AsyncIterator[list[Json]]:
    offset, total = 0, 1
    while offset < total:
        page: dict[str, Any] = await rows.look(
            context, user, source.execution_id, source.collection, offset, SLICE
        )
        for column in source.columns:
            if column not in page["columns"]:
                raise InvalidInput(
                    "columns", f"There is no column {column!r}{nearest(column, page['columns'])}"
                )
        yield list(_take(page["rows"], source.columns))
        offset, total = offset + SLICE, page["total"]


def _take(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[Json]:
    for row in found:
        values = {name: _plain(row[name]) for name in columns}
        if len(columns) > 1:
            yield values
        elif values[columns[0]] not in (None, ""):
            yield values[columns[0]] if isinstance(values[columns[0]], str) else _text(values[columns[0]])


def _plain(value: Any) -> Json:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()
