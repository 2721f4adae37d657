"""Routes of executions."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, many, one, public_url, read_body, respond
from swath.api.openapi import says
from swath.flow.definition import Json
from swath.flow.request.template import dump
from swath.operations import executions, items, pace, responses, retention, rows, triggers, workflows
from swath.operations.triggers import Trigger
from swath.wire import schemas
from swath.wire.answers import show_execution, write_rows
from swath.wire.bodies import parse

router = APIRouter(tags=["executions"])

EVENTS = ("text/event-stream",)
LINES = ("application/x-ndjson",)

Status = Annotated[
    str | None, Query(description="`active`, `completed`, `failed`, `cancelled`, or a status itself.")
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="Makes the request repeatable: the same key, the same execution. Up to 255 characters."
    ),
]


@router.post("/workflows/{workflow_id}/executions", **says(schemas.outcomes.Triggered, body=Trigger))
async def trigger_execution(
    request: Request, workflow_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Execute a workflow; poll the execution until `completed_at` is set."""
    asked = parse(Trigger, await read_body(request))
    return one({"id": await triggers.trigger(*caller(request), workflow_id, asked, idempotency_key)})


@router.get("/workflows/{workflow_id}/executions", **says(schemas.executions.ExecutionObject, many=True))
async def list_workflow_executions(
    request: Request,
    workflow_id: str,
    status: Status = None,
    limit: Limit = MOST_OBJECTS,
    cursor: Cursor = None,
) -> Response:
    """List a workflow's executions, newest first, those of a deleted one too."""
    answer = await _list(request, workflow_id, status, limit, cursor)
    if answer is None:
        await workflows.show(*caller(request), workflow_id)
    return answer or many([], None)


@router.get("/executions", **says(schemas.executions.ExecutionObject, many=True))
async def list_executions(
    request: Request, status: Status = None, limit: Limit = MOST_OBJECTS, cursor: Cursor = None
) -> Response:
    """List all your executions, newest first."""
    return await _list(request, None, status, limit, cursor) or many([], None)


async def _list(
    request: Request, workflow_id: str | None, status: str | None, limit: int, cursor: str | None
) -> Response | None:
    """Return the answer; None where there is no execution."""
    views, next_cursor = await executions.list_for(
        *caller(request), workflow_id=workflow_id, group=status, limit=limit, cursor=cursor
    )
    public = public_url(request)
    return many((show_execution(view, public) for view in views), next_cursor) if views else None


@router.get("/workflows/executions/{execution_id}", **says(schemas.executions.ExecutionObject))
@router.post("/workflows/executions/{execution_id}", **says(schemas.executions.ExecutionObject))
async def get_execution(request: Request, execution_id: str) -> Response:
    """Read an execution: its state, its progress and, once it has ended, its results."""
    view = await executions.show(*caller(request), execution_id)
    return one(show_execution(view, public_url(request)))


@router.delete("/workflows/executions/{execution_id}", **says(schemas.outcomes.Deleted))
async def delete_execution(request: Request, execution_id: str) -> Response:
    """Remove an ended execution with its files and all else that came of it."""
    await retention.remove(*caller(request), execution_id)
    return one({"id": execution_id})


@router.post("/workflows/executions/{execution_id}/cancel", **says(schemas.executions.ExecutionObject))
async def cancel_execution(request: Request, execution_id: str) -> Response:
    """End an execution; what was fetched can be downloaded."""
    view = await executions.cancel(*caller(request), execution_id)
    return one(show_execution(view, public_url(request)))


@router.post("/workflows/executions/{execution_id}/pause", **says(schemas.executions.ExecutionObject))
async def pause_execution(request: Request, execution_id: str) -> Response:
    """Hold an execution."""
    view = await executions.pause(*caller(request), execution_id)
    return one(show_execution(view, public_url(request)))


@router.post("/workflows/executions/{execution_id}/resume", **says(schemas.executions.ExecutionObject))
async def resume_execution(request: Request, execution_id: str) -> Response:
    """Let a paused execution go on."""
    view = await executions.resume(*caller(request), execution_id)
    return one(show_execution(view, public_url(request)))


@router.get("/workflows/executions/{execution_id}/failures", **says(schemas.executions.Failure, many=True))
async def list_failures(
    request: Request, execution_id: str, limit: Limit = MOST_OBJECTS, cursor: Cursor = None
) -> Response:
    """List the items that failed, in their order, and why."""
    return many(*await executions.failures(*caller(request), execution_id, limit, cursor))


@router.get(
    "/workflows/executions/{execution_id}/failures/kinds", **says(schemas.executions.FailureKind, many=True)
)
async def count_failures(request: Request, execution_id: str) -> Response:
    """Count all items that failed by error code and last status, the most frequent first."""
    return many(await executions.count_failures(*caller(request), execution_id), None)


@router.get("/workflows/executions/{execution_id}/items/{item}", **says(schemas.executions.ItemObject))
async def get_item(
    request: Request,
    execution_id: str,
    item: str,
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0, description="Pages to leave out before the first.")] = 0,
) -> Response:
    """Read the story of one input item: its inputs, its answers' heads, how it ended."""
    number = int(item) if item.isdecimal() and len(item) <= 18 else -1
    return one(await items.show(*caller(request), execution_id, number, offset, limit))


@router.get(
    "/workflows/executions/{execution_id}/events",
    **says(schemas.executions.Event, many=True, streams=EVENTS),
)
async def list_events(
    request: Request, execution_id: str, limit: Limit = MOST_OBJECTS, cursor: Cursor = None
) -> Response:
    """List what happened to an execution, oldest first; asked for `text/event-stream`, as it happens."""
    if "text/event-stream" in request.headers.get("accept", ""):
        await executions.show(*caller(request), execution_id)
        last = request.headers.get("last-event-id", cursor)
        told = executions.follow_events(*caller(request), execution_id, last)
        return StreamingResponse(map_events(told), media_type=EVENTS[0])
    return many(*await executions.events(*caller(request), execution_id, limit, cursor))


@router.get(
    "/workflows/executions/{execution_id}/responses",
    **says(schemas.results.StoredResponse, streams=LINES),
)
async def stream_responses(request: Request, execution_id: str) -> Response:
    """Stream every answer that was taken, by item and page, as JSON lines; while it runs, those so far."""
    lines = await responses.open_responses(*caller(request), execution_id)
    return StreamingResponse(lines, media_type=LINES[0])


@router.get("/workflows/executions/{execution_id}/rows", **says(schemas.results.Rows))
async def get_rows(
    request: Request,
    execution_id: str,
    collection: Annotated[str | None, Query(description="Left out: the primary one.")] = None,
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0, description="Rows to leave out before the first.")] = 0,
) -> Response:
    """Look at some rows of a result collection; while it runs, at those of what is finished so far."""
    view = await rows.look(*caller(request), execution_id, collection, offset, limit)
    return respond(200, write_rows(view))


@router.get("/workflows/executions/{execution_id}/pace", **says(schemas.executions.Pace))
async def get_pace(request: Request, execution_id: str) -> Response:
    """Read how fast an execution went, over its time."""
    return one(await pace.show(*caller(request), execution_id))


@router.get("/workflows/executions/{execution_id}/columns", **says(schemas.results.Columns, many=True))
async def get_columns(request: Request, execution_id: str) -> Response:
    """List the result collections with their columns and what their values are; also while it runs."""
    return many(await rows.describe(*caller(request), execution_id), None)


@router.get("/workflows/executions/{execution_id}/manifest", **says(schemas.results.Manifest))
async def get_manifest(request: Request, execution_id: str) -> Response:
    """Read what can be said about an ended execution's files."""
    return one(await executions.manifest(*caller(request), execution_id))


async def map_events(told: AsyncIterator[dict[str, Json]]) -> AsyncIterator[bytes]:
    """Write events in the form of server-sent events."""
    async for event in told:
        data = dump(event).decode()
        yield f"id: {event['id']}\nevent: {event['kind']}\ndata: {data}\n\n".encode()
