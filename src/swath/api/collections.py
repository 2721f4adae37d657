"""Routes of collections: their bodies and answers may be far larger than memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body, respond
from swath.api.openapi import says
from swath.errors import InvalidInput
from swath.operations import collections, derived
from swath.operations.collections import CollectionView
from swath.operations.derived import ResultColumns
from swath.store.spool import Spool
from swath.wire import schemas
from swath.wire.answers import show, write_collection_start, write_items
from swath.wire.bodies import parse
from swath.wire.items import ItemsBody, Received, read_items

router = APIRouter(tags=["collections"])

#: A collection of up to so many items is answered in one piece.
WHOLE = 5_000

Search = Annotated[str | None, Query(description="Only items that contain this text, whatever its case.")]
ItemLimit = Annotated[int | None, Query(ge=1, le=100_000, description="Page through the items.")]


@router.get("/collections", **says(schemas.collections.CollectionLine, many=True))
async def list_collections(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List your collections, newest first, without their items."""
    page = await collections.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show, page.objects), page.next_cursor)


@router.post(
    "/collections", **says(schemas.collections.CollectionLine, body=schemas.collections.NewCollection)
)
async def create_collection(request: Request) -> Response:
    """Create a collection, with items or without."""
    with ExitStack() as stack:
        body = await _read_items(request, stack)
        new = parse(schemas.collections.NewCollectionKeys, body.given)
        if new.kind and body.spool.kind not in (None, new.kind):
            raise InvalidInput("items", f"The kind is {new.kind}, but the items are {body.spool.kind}.")
        view = await collections.create(*caller(request), new.name, new.kind, body.spool)
    return one(show(view))


@router.get("/collections/{collection_id}", **says(schemas.collections.CollectionObject))
async def get_collection(
    request: Request,
    collection_id: str,
    limit: ItemLimit = None,
    cursor: Cursor = None,
    search: Search = None,
) -> Response:
    """Read a collection: all its items, or with `limit` a page of them, or those that contain a text."""
    if search:
        found = await collections.search(
            *caller(request), collection_id, search, limit=limit or WHOLE, cursor=cursor
        )
        return _answer(*found)
    is_page = limit is not None or cursor is not None
    view, values, next_cursor = await collections.read_some(
        *caller(request), collection_id, limit=limit or WHOLE, cursor=cursor
    )
    if not is_page and next_cursor is not None:
        return await _stream(request, collection_id)
    return _answer(view, values, next_cursor)


def _answer(view: CollectionView, values: list[str], next_cursor: str | None) -> Response:
    more = b"" if next_cursor is None else b',"next_cursor":"%b"' % next_cursor.encode()
    start = write_collection_start(view)
    return respond(200, b"%b%b]}%b}" % (start, write_items(view.kind, values), more))


@router.post(
    "/collections/{collection_id}/from-result",
    **says(schemas.collections.FilledCollection, body=ResultColumns),
)
async def fill_from_result(request: Request, collection_id: str) -> Response:
    """Take a collection's items from columns of an execution's rows, also while it runs."""
    source = parse(ResultColumns, await read_body(request))
    filled = await derived.fill(*caller(request), collection_id, source)
    return one({**show(filled.collection), "received": filled.received, "blank": filled.blank})


async def _stream(request: Request, collection_id: str) -> Response:
    """Answer with all items of one moment, never holding more than a slice of them."""
    stack = AsyncExitStack()
    view, slices = await stack.enter_async_context(collections.read_all(*caller(request), collection_id))

    async def body() -> AsyncIterator[bytes]:
        async with stack:
            yield write_collection_start(view)
            comma = b""
            async for values in slices:
                yield comma + write_items(view.kind, values)
                comma = b","
            yield b"]}}"

    return StreamingResponse(body(), media_type="application/json")


@router.post(
    "/collections/{collection_id}",
    **says(schemas.collections.CollectionLine, body=schemas.collections.CollectionChange),
)
async def change_collection(request: Request, collection_id: str) -> Response:
    """Add, remove or replace items; known ones are not added again, absent ones not removed."""
    context, user = caller(request)
    await collections.show(context, user, collection_id)
    with ExitStack() as stack:
        body = await _read_items(request, stack)
        asked = parse(schemas.collections.ChangeKeys, body.given)
        if not body.has_items:
            raise InvalidInput("items", "Blank.")
        view = await collections.change(context, user, collection_id, asked.method, body.spool)
    return one(show(view))


@router.patch(
    "/collections/{collection_id}",
    **says(schemas.collections.CollectionLine, body=schemas.collections.Renaming),
)
@router.put(
    "/collections/{collection_id}",
    **says(schemas.collections.CollectionLine, body=schemas.collections.Renaming),
)
async def rename_collection(request: Request, collection_id: str) -> Response:
    """Rename a collection."""
    name = parse(schemas.collections.Renaming, await read_body(request)).name
    return one(show(await collections.rename(*caller(request), collection_id, name)))


@router.delete("/collections/{collection_id}", **says(schemas.outcomes.Deleted))
async def delete_collection(request: Request, collection_id: str) -> Response:
    """Delete a collection that no workflow uses."""
    await collections.delete(*caller(request), collection_id)
    return deleted(collection_id)


async def _read_items(request: Request, stack: ExitStack) -> ItemsBody:
    """Take in the body and prepare its items; both are dropped with the stack."""
    context, _ = caller(request)
    folder = context.settings.data_dir / "scratch"
    received = stack.enter_context(Received(folder))
    spool = stack.enter_context(Spool(folder))
    await received.receive(request.stream())
    return await asyncio.to_thread(read_items, received, spool)
