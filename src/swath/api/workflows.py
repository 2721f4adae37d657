"""Routes of workflows."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.flow.definition import Workflow
from swath.operations import workflows
from swath.wire import schemas
from swath.wire.answers import show, show_workflow
from swath.wire.bodies import parse, reviser

router = APIRouter(tags=["workflows"])


@router.get("/workflows", **says(schemas.workflows.WorkflowLine, many=True))
async def list_workflows(request: Request, limit: Limit = MOST_OBJECTS, cursor: Cursor = None) -> Response:
    """List your workflows, newest first."""
    page = await workflows.list_for(*caller(request), limit=limit, cursor=cursor)
    return many(map(show, page.objects), page.next_cursor)


@router.post("/workflows", **says(schemas.workflows.WorkflowObject, body=Workflow))
async def create_workflow(request: Request) -> Response:
    """Create a workflow over an endpoint."""
    workflow = parse(Workflow, await read_body(request))
    return one(show_workflow(await workflows.create(*caller(request), workflow)))


@router.get("/workflows/{workflow_id}", **says(schemas.workflows.WorkflowObject))
async def get_workflow(request: Request, workflow_id: str) -> Response:
    """Read a workflow."""
    return one(show_workflow(await workflows.show(*caller(request), workflow_id)))


@router.patch("/workflows/{workflow_id}", **says(schemas.workflows.WorkflowObject, body=Workflow))
@router.put("/workflows/{workflow_id}", **says(schemas.workflows.WorkflowObject, body=Workflow))
async def update_workflow(request: Request, workflow_id: str) -> Response:
    """Replace the given keys of a workflow."""
    revise = reviser(Workflow, await read_body(request))
    return one(show_workflow(await workflows.update(*caller(request), workflow_id, revise)))


@router.delete("/workflows/{workflow_id}", **says(schemas.outcomes.Deleted))
async def delete_workflow(request: Request, workflow_id: str) -> Response:
    """Delete a workflow and cancel what it is executing; ended executions stay readable."""
    await workflows.delete(*caller(request), workflow_id)
    return deleted(workflow_id)
