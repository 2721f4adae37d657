"""The route that tells of the server itself."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one
from swath.api.openapi import says
from swath.operations.server import describe
from swath.wire import schemas
from swath.wire.answers import show

router = APIRouter(tags=["server"])


@router.get("/settings", **says(schemas.server.ServerObject))
async def get_settings(request: Request) -> Response:
    """Read the server's version and settings, and who you are to it; secrets are never told."""
    return one(show(describe(*caller(request))))
