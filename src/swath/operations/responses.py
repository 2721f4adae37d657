"""The raw archive of an execution: every answer that was taken, as it came."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Iterator
from itertools import islice

import msgspec

from swath.engine.blocks import Elements
from swath.engine.extract import Frame, list_frames, merge_frames
from swath.engine.frozen import Opened
from swath.flow.bodies import Flaws, NotJsonError, decoder
from swath.flow.definition import Json, Paginator
from swath.flow.paging import Page
from swath.flow.paging.records import count_records
from swath.flow.paging.suggestion import COUNTED, is_whole, suggest
from swath.flow.plan import Plan
from swath.flow.request import RequestTemplate
from swath.flow.segment import NOT_COUNTED, PageRecord
from swath.flow.shard import ShardProgress
from swath.operations.context import Context, User
from swath.operations.executions import iso, own_archive
from swath.store import shards

#: Answers that are read at a time, away from the event loop.
BATCH = 64


async def open_responses(context: Context, user: User, execution_id: str) -> AsyncIterator[bytes]:
    """Return the answers recorded so far as JSON lines, by item and page. Raises NotFound."""
    row = await context.database.read(own_archive, user, execution_id)
    definition = Opened(context.vault).of(row).definition
    plan = Plan(definition.axes, definition.workflow.join, definition.constants, Elements(context.objects))
    variables = definition.endpoint.variables
    secret = frozenset(name for name, variable in variables.items() if variable.secret)
    return _lines(context, execution_id, plan, secret)


async def _lines(
    context: Context, execution_id: str, plan: Plan, secret: frozenset[str]
) -> AsyncIterator[bytes]:
    for shard in await context.database.read(shards.find_shards, execution_id):
        _, frames = await find_frames(context, execution_id, shard.number)
        pages = merge_frames(context.objects, frames)
        while batch := await asyncio.to_thread(_write, pages, plan, secret):
            yield batch


async def find_paging(context: Context, user: User, execution_id: str) -> Paginator | None:
    """Return the paginator that the first answer of an execution speaks for that has none; else None."""
    row = await context.database.read(own_archive, user, execution_id)
    definition = Opened(context.vault).of(row).definition
    if definition.workflow.paginator != Paginator():
        return None
    names = RequestTemplate(definition.endpoint).names
    for shard in (await context.database.read(shards.find_shards, execution_id))[:1]:
        _, frames = await find_frames(context, execution_id, shard.number)
        pages = merge_frames(context.objects, frames)
        if (page := await asyncio.to_thread(next, pages, None)) is not None:
            return _suggest(page, names)
    return None


def _suggest(page: PageRecord, names: Collection[str]) -> Paginator | None:
    try:
        body = _decode(page.body, "", Flaws())
    except NotJsonError:
        return None
    headers = tuple((str(name), str(value)) for name, value in page.headers)
    answer = Page(page.status, headers, body, page.url)
    found = suggest(answer, sorted(names))
    if not found or (found[0].paginator.type in COUNTED and is_whole(answer)):
        return None
    return found[0].paginator


async def find_frames(
    context: Context, execution_id: str, shard: int
) -> tuple[ShardProgress | None, list[Frame]]:
    """Return a shard's progress and the frames that hold its pages."""
    stored = await context.database.read(shards.find_progress, execution_id, shard)
    rows = await context.database.read(shards.find_frames, execution_id, shard)
    progress = ShardProgress.decode(stored) if stored else None
    return progress, list_frames(rows, progress)


def _write(pages: Iterator[PageRecord], plan: Plan, secret: frozenset[str]) -> bytes:
    return b"".join(msgspec.json.encode(_view(page, plan, secret)) + b"\n" for page in islice(pages, BATCH))


def _view(page: PageRecord, plan: Plan, secret: frozenset[str]) -> dict[str, Json]:
    inputs = plan.inputs(page.item)
    shown = {name: value for name, value in inputs.items() if name not in secret}
    view = {"item": page.item, "inputs": shown, **view_page(page)}
    try:
        return view | {"body": page.body.decode()}
    except UnicodeDecodeError:
        return view | {"body_base64": b64encode(page.body).decode()}


def count_rows(page: PageRecord) -> int:
    """Return how many rows a page has, reading it where nobody has yet."""
    if page.rows != NOT_COUNTED:
        return page.rows
    try:
        return count_records(_decode(page.body, "", Flaws()))
    except NotJsonError:
        return 0


_decode = decoder()


def view_page(page: PageRecord) -> dict[str, Json]:
    """Return what is told of one answer, but for its body."""
    return {
        "page": page.page,
        "attempt": page.attempt,
        "exit": page.exit,
        "started_at": iso(page.started),
        "elapsed": page.elapsed,
        "url": page.url,
        "status": page.status,
        "headers": page.headers,
        "rows": count_rows(page),
    }
