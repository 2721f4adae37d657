"""What an execution is worked on by, and the route that changes it while it runs."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one, public_url, read_body
from swath.api.openapi import says
from swath.operations.adjustments import Changes, InForce, adjust, show_in_force
from swath.wire import schemas
from swath.wire.answers import show, show_execution
from swath.wire.bodies import parse

router = APIRouter(tags=["executions"])


@router.patch(
    "/workflows/executions/{execution_id}", **says(schemas.executions.ExecutionObject, body=Changes)
)
async def adjust_execution(request: Request, execution_id: str) -> Response:
    """Change an execution's rate, concurrency, limit or proxy while it runs; each change is an event."""
    changes = parse(Changes, await read_body(request))
    view = await adjust(*caller(request), execution_id, changes)
    return one(show_execution(view, public_url(request)))


@router.get("/workflows/executions/{execution_id}/adjustments", **says(InForce))
async def get_adjustments(request: Request, execution_id: str) -> Response:
    """Read the rate limits, the concurrency and the proxy that hold for an execution, after all changes."""
    return one(show(await show_in_force(*caller(request), execution_id)))
