"""Whether the process lives, and whether it can work."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.exchange import respond
from swath.flow.template import dump
from swath.operations.context import Context
from swath.operations.health import check

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process lives."""
    return respond(200, dump({"status": "ok"}))


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer 200 once requests can be served, else 503."""
    context: Context = request.app.state.context
    missing = await check(context)
    return respond(503 if missing else 200, dump({"status": "ok"} if not missing else {"status": missing}))
