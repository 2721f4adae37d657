"""Collections: make, change, read and delete them, a million items as well as three."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, ParamSpec
from uuid import uuid4

import msgspec

from swath.engine.times import now_ms
from swath.errors import Conflict, InvalidInput, NotFound
from swath.flow.definition import Json
from swath.flow.items import Kind
from swath.operations.context import Context, User
from swath.operations.listing import LAST_POSITION, Page, page_of, read_cursor, read_number
from swath.store import collections, definitions, schema
from swath.store.database import Connection, Row, Stream
from swath.store.spool import Prepared, Spool

P = ParamSpec("P")

Method = Literal["add", "remove", "replace"]
#: Items read from the database at a time.
SLICE = 5_000
#: Items that are looked through at a time, some hundredths of a second long.
SEARCHED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionView:
    """A collection without its items. Times in milliseconds; `kind` is None until an item decides it."""

    id: str
    name: str
    kind: Kind | None
    count: int
    created_at: int
    updated_at: int


async def create(
    context: Context, user: User, name: str, kind: Kind | None = None, items: Spool | None = None
) -> CollectionView:
    """Make a collection, seen only when all its items are in it."""
    if not name.strip():
        raise InvalidInput("name", "Blank.")
    collection_id, now = str(uuid4()), now_ms()
    values = {
        "id": collection_id,
        "owner_id": user.id,
        "name": name,
        "kind": kind or "",
        "created_at": now,
        "updated_at": now,
    }
    async with context.database.locked(collection_id):
        number = await context.database.write(collections.add, values)
        if items is not None and items.count:
            await context.database.write(_agree_on_kind, number, items)
            grown = await _add(context, number, 1, items)
            await context.database.write(collections.publish, number, 1, grown, now_ms())
        await context.database.write(collections.reveal, number)
    await sweep(context)
    return await show(context, user, collection_id)


def create_in(
    connection: Connection, user: User, name: str, kind: Kind | None, items: Sequence[Prepared]
) -> str:
    """Make a collection with its items as a part of a transaction; return its id."""
    collection_id, now = str(uuid4()), now_ms()
    keys = {"id": collection_id, "owner_id": user.id, "name": name, "kind": kind or ""}
    number = collections.add(connection, {**keys, "created_at": now, "updated_at": now})
    added = collections.add_some(connection, items, number, 1, 0) if items else 0
    collections.publish(connection, number, 1, added, now)
    collections.reveal(connection, number)
    return collection_id


def replace_in(connection: Connection, row: Row[Any], kind: Kind | None, items: Sequence[Prepared]) -> None:
    """Replace a collection's items as a part of a transaction; the caller holds the collection's lock."""
    number, version = row.number, row.version + 1
    while collections.clean_some(connection, number, row.version):
        pass
    after: int | None = -1
    while after is not None:
        after = collections.remove_up_to(connection, number, version, after)
    if kind is not None:
        collections.set_kind(connection, number, kind)
    base = collections.end_position(connection, number)
    added = collections.add_some(connection, items, number, version, base) if items else 0
    collections.publish(connection, number, version, added - row._mapping["count"], now_ms())


@asynccontextmanager
async def hold_named(context: Context, user: User, names: Iterable[str]) -> AsyncIterator[None]:
    """Let nobody else change the collections of these names, in the order of their ids."""
    rows = [
        await context.database.read(definitions.find_named, schema.collections, user.id, name)
        for name in names
    ]
    async with AsyncExitStack() as stack:
        for collection_id in sorted(row.id for found in rows for row in found):
            await stack.enter_async_context(context.database.locked(collection_id))
        yield


async def change(
    context: Context, user: User, collection_id: str, method: Method, items: Spool
) -> CollectionView:
    """Add, remove or replace items: all at once for readers, in slices for the database.

    Known items are not added again, absent ones not removed. Raises InvalidInput for items of another kind.
    """
    if not items.count and method != "replace":
        raise InvalidInput("items", "Blank.")
    async with context.database.locked(collection_id):
        row = await context.database.read(_own, user, collection_id)
        await _repeat(context, collections.clean_some, row.number, row.version)
        if items.count:
            await context.database.write(_agree_on_kind, row.number, items)
        grown, changed = await _apply(context, row, method, items)
        if changed:
            version = row.version + 1
            await context.database.write(collections.publish, row.number, version, grown, now_ms())
            await _repeat(context, collections.purge_some, row.number, version)
    return await show(context, user, collection_id)


async def _apply(context: Context, row: Row[Any], method: Method, items: Spool) -> tuple[int, bool]:
    """Return by how many items the collection grew, and whether anything changed."""
    version = row.version + 1
    if method == "remove":
        removed = await _in_slices(context, items, collections.remove_some, row.number, version)
        return -removed, removed > 0
    if method == "add":
        added = await _add(context, row.number, version, items)
        return added, added > 0
    after: int | None = -1
    while after is not None:
        after = await context.database.write(collections.remove_up_to, row.number, version, after)
    added = await _add(context, row.number, version, items)
    return added - row._mapping["count"], True


async def _add(context: Context, number: int, version: int, items: Spool) -> int:
    base = await context.database.read(collections.end_position, number)
    return await _in_slices(context, items, collections.add_some, number, version, base)


async def _in_slices(
    context: Context,
    items: Spool,
    story: Callable[Concatenate[Connection, list[Prepared], P], int],
    *args: P.args,
    **kwargs: P.kwargs,
) -> int:
    """Run `story` for each slice in a transaction of its own; return the sum."""
    total = 0
    slices = items.slices()
    while some := await asyncio.to_thread(next, slices, None):
        total += await context.database.write(story, some, *args, **kwargs)
    return total


async def _repeat(
    context: Context, story: Callable[Concatenate[Connection, P], bool], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Run `story` until it has nothing more to do, others' writes between."""
    while await context.database.write(story, *args, **kwargs):
        pass


def _agree_on_kind(connection: Connection, number: int, items: Spool) -> None:
    """Let the first items decide the kind; later ones must be of it."""
    known = collections.declared_kind(connection, number)
    if not known:
        collections.set_kind(connection, number, str(items.kind))
    elif known != items.kind:
        names = {"text": "texts", "json": "JSON objects"}
        raise InvalidInput("items", f"This collection holds {names[known]}, not {names[str(items.kind)]}.")


async def rename(context: Context, user: User, collection_id: str, name: str) -> CollectionView:
    if not name.strip():
        raise InvalidInput("name", "Blank.")
    await context.database.write(_rename, user, collection_id, name)
    return await show(context, user, collection_id)


def _rename(connection: Connection, user: User, collection_id: str, name: str) -> None:
    collections.rename(connection, _own(connection, user, collection_id).number, name, now_ms())


async def delete(context: Context, user: User, collection_id: str) -> None:
    """Delete a collection. Raises Conflict while a workflow takes values from it."""
    async with context.database.locked(collection_id):
        await context.database.write(_delete, user, collection_id)
    await sweep(context)


def _delete(connection: Connection, user: User, collection_id: str) -> None:
    row = _own(connection, user, collection_id)
    using = definitions.find_workflows_of_collection(connection, collection_id)
    if using:
        names = ", ".join(f"{workflow.name} ({workflow.id})" for workflow in using)
        raise Conflict("id", f"In use by the workflow {names}.")
    collections.hide(connection, row.number, now_ms())


async def sweep(context: Context) -> None:
    """Delete the rows of deleted collections, and of ones whose making was interrupted."""
    for row in await context.database.read(collections.find_deleted):
        async with context.database.locked(row.id, wait=False) as held:
            if held:
                await _repeat(context, collections.purge_deleted_some, row.number)


# --- reading


async def list_for(context: Context, user: User, *, limit: int, cursor: str | None) -> Page[CollectionView]:
    rows = await context.database.read(collections.find_some, user.id, read_cursor(cursor), limit + 1)
    return page_of(rows, limit, _view)


async def show(context: Context, user: User, collection_id: str) -> CollectionView:
    """Return a collection without its items. Raises NotFound where it is unknown or another user's."""
    return _view(await context.database.read(_own, user, collection_id))


async def read_some(
    context: Context, user: User, collection_id: str, *, limit: int, cursor: str | None
) -> tuple[CollectionView, list[str], str | None]:
    """Return a page of a collection's items, in order, each as it is kept, and the cursor of the next."""
    return await context.database.read(_read_some, user, collection_id, limit, _read_cursor(cursor))


def _read_cursor(cursor: str | None) -> int:
    position = read_number(cursor, LAST_POSITION)
    return -1 if position is None else position


def _read_some(
    connection: Connection, user: User, collection_id: str, limit: int, after: int
) -> tuple[CollectionView, list[str], str | None]:
    row = _own(connection, user, collection_id)
    found = collections.read_slice(connection, row.number, row.version, after, limit + 1)
    values = [value for _, value in found[:limit]]
    return _view(row), values, str(found[limit - 1][0]) if len(found) > limit else None


async def search(
    context: Context, user: User, collection_id: str, text: str, *, limit: int, cursor: str | None
) -> tuple[CollectionView, list[str], str | None]:
    """Return items that contain a text, in order, and the cursor of the next page.

    A million items are looked through beside other requests, and no longer than somebody waits for them.
    """
    after, found = _read_cursor(cursor), list[tuple[int, str]]()
    with context.database.stream() as stream:
        row = await stream.read(_own, user, collection_id)
        end = await stream.read(collections.end_position, row.number)
        while after < end and len(found) <= limit:
            until = after + SEARCHED
            found += await stream.read(
                collections.search_slice, row.number, row.version, after, until, text, limit + 1 - len(found)
            )
            after = until
    more = str(found[limit - 1][0]) if len(found) > limit else None
    return _view(row), [value for _, value in found[:limit]], more


@asynccontextmanager
async def read_all(
    context: Context, user: User, collection_id: str
) -> AsyncIterator[tuple[CollectionView, AsyncIterator[list[str]]]]:
    """Give a collection and all its items, in order, some thousand at a time, all of one moment."""
    with context.database.stream() as stream:
        row = await stream.read(_own, user, collection_id)
        yield _view(row), _read_slices(stream, row.number, row.version)


async def _read_slices(stream: Stream, number: int, version: int) -> AsyncIterator[list[str]]:
    after = -1
    while found := await stream.read(collections.read_slice, number, version, after, SLICE):
        yield [value for _, value in found]
        after = found[-1][0]


def read_plain(connection: Connection, row: Row[Any]) -> list[Json]:
    """Return all items of a collection that is known to be short."""
    found = collections.read_slice(connection, row.number, row.version, -1, row._mapping["count"])
    return [value if row.kind != "json" else msgspec.json.decode(value) for _, value in found]


def _own(connection: Connection, user: User, collection_id: str) -> Row[Any]:
    row = collections.find_own(connection, user.id, collection_id)
    if row is None:
        raise NotFound("id", "No collection of yours has this id.")
    return row


def _view(row: Row[Any]) -> CollectionView:
    return CollectionView(
        id=row.id,
        name=row.name,
        kind=row.kind or None,
        count=row._mapping["count"],
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
