"""Routes that make other files of what was fetched."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import many, one, read_body
from swath.api.openapi import says
from swath.flow.recipe import Recipe
from swath.operations import combinations
from swath.wire import schemas
from swath.wire.bodies import reviser

router = APIRouter(tags=["executions"])


@router.post("/workflows/executions/{execution_id}/combine", **says(schemas.results.Combination, body=Recipe))
async def combine_again(request: Request, execution_id: str) -> Response:
    """Make new files of an ended execution's stored answers; nothing is requested again."""
    revise = reviser(Recipe, await read_body(request))
    return one(await combinations.combine(*caller(request), execution_id, revise))


@router.get(
    "/workflows/executions/{execution_id}/combinations", **says(schemas.results.Combination, many=True)
)
async def list_combinations(request: Request, execution_id: str) -> Response:
    """List what was combined after an execution's end, newest first."""
    return many(await combinations.list_for(*caller(request), execution_id), None)
