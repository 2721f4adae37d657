"""The route that fetches what failed anew."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one, read_body
from swath.api.executions import IdempotencyKey
from swath.api.openapi import says
from swath.operations import retries
from swath.operations.retries import Retry
from swath.wire import schemas
from swath.wire.bodies import parse

router = APIRouter(tags=["executions"])


@router.post("/workflows/executions/{execution_id}/retry", **says(schemas.outcomes.Triggered, body=Retry))
async def retry_execution(
    request: Request, execution_id: str, idempotency_key: IdempotencyKey = None
) -> Response:
    """Fetch the failed items of an ended execution anew; the new one's files are those of both."""
    asked = parse(Retry, await read_body(request))
    return one({"id": await retries.retry(*caller(request), execution_id, asked, idempotency_key)})
