"""Whether the process lives, whether it can work, and what it does in numbers."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from swath.api.exchange import respond
from swath.flow.request.template import dump
from swath.operations.context import Context
from swath.operations.health import check, measure

router = APIRouter(tags=["health"])


@router.get("/", include_in_schema=False)
async def root(request: Request) -> Response:
    """Lead whoever opens the server to the page or, where there is none, to the list of routes."""
    return RedirectResponse(getattr(request.app.state, "front", "/docs"))


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Tell what the server does, in the text format of Prometheus; nothing in it is anybody's data."""
    text = await measure(request.app.state.context)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/healthz")
async def healthz() -> Response:
    """Answer as long as the process lives."""
    return respond(200, dump({"status": "ok"}))


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer 200 once requests can be served, else 503; say what this process waits for meanwhile."""
    context: Context = request.app.state.context
    if missing := await check(context):
        return respond(503, dump({"status": missing}))
    waits = [str(wait) for wait in context.engine.outages]
    return respond(200, dump({"status": "ok", "waiting_for": waits} if waits else {"status": "ok"}))
