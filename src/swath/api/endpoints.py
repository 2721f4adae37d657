"""Routes of endpoints, single requests among them."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.flow.definition import Endpoint
from swath.operations import endpoints, requests
from swath.wire import schemas
from swath.wire.answers import show_endpoint
from swath.wire.bodies import parse, reviser

router = APIRouter(tags=["endpoints"])


@router.get("/endpoints", **says(schemas.endpoints.EndpointObject, many=True))
async def list_endpoints(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List your endpoints, newest first."""
    page = await endpoints.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show_endpoint, page.objects), page.next_cursor)


@router.post("/endpoints", **says(schemas.endpoints.EndpointObject, body=Endpoint))
async def create_endpoint(request: Request) -> Response:
    """Create an endpoint: a request with `{{variables}}`."""
    endpoint = parse(Endpoint, await read_body(request))
    return one(show_endpoint(await endpoints.create(*caller(request), endpoint)))


@router.get("/endpoints/{endpoint_id}", **says(schemas.endpoints.EndpointObject))
async def get_endpoint(request: Request, endpoint_id: str) -> Response:
    """Read an endpoint."""
    return one(show_endpoint(await endpoints.show(*caller(request), endpoint_id)))


@router.patch("/endpoints/{endpoint_id}", **says(schemas.endpoints.EndpointObject, body=Endpoint))
@router.put("/endpoints/{endpoint_id}", **says(schemas.endpoints.EndpointObject, body=Endpoint))
async def update_endpoint(request: Request, endpoint_id: str) -> Response:
    """Replace the given keys of an endpoint."""
    revise = reviser(Endpoint, await read_body(request))
    return one(show_endpoint(await endpoints.update(*caller(request), endpoint_id, revise)))


@router.delete("/endpoints/{endpoint_id}", **says(schemas.outcomes.Deleted))
async def delete_endpoint(request: Request, endpoint_id: str) -> Response:
    """Delete an endpoint that no workflow uses."""
    await endpoints.delete(*caller(request), endpoint_id)
    return deleted(endpoint_id)


@router.post(
    "/endpoints/{endpoint_id}/executions",
    **says(schemas.endpoints.SingleAnswer, body=schemas.endpoints.SingleRequest),
)
async def send_once(request: Request, endpoint_id: str) -> Response:
    """Send one request now and return the upstream's answer, whatever its status."""
    asked = parse(schemas.endpoints.SingleRequest, await read_body(request))
    inputs = dict(asked.inputs or {})
    return one(await requests.send_once(*caller(request), endpoint_id, inputs, asked.proxy, asked.format))
