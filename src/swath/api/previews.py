"""Routes that show what would be: previews, and what other tools wrote as a formula."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one, read_body, read_bytes
from swath.api.openapi import says
from swath.operations import drafts, imports, previews, workflows
from swath.wire import schemas
from swath.wire.answers import show
from swath.wire.bodies import parse
from swath.wire.formulas import read_import_body, read_source

Only = Annotated[
    Sequence[str],
    Query(description="Keep endpoints called so, else with this text in name or address."),
]
BaseUrl = Annotated[str, Query(description="Where the API is, if an OpenAPI document does not say it.")]

router = APIRouter(tags=["formulas"])


@router.post(
    "/workflows/{workflow_id}/preview",
    **says(schemas.workflows.PreviewObject, body=schemas.workflows.PreviewWish),
)
async def preview_workflow(request: Request, workflow_id: str) -> Response:
    """Fetch the first page of a few items and show what an execution would be; nothing is kept.

    With a `formula` in the body that is previewed, and the id is not looked at.
    """
    return await _preview(request, workflow_id)


@router.post("/formulas/preview", **says(schemas.workflows.PreviewObject, body=schemas.workflows.PreviewWish))
async def preview_formula(request: Request) -> Response:
    """Preview a workflow of a formula that has not been applied; nothing is kept."""
    return await _preview(request, None)


async def _preview(request: Request, workflow_id: str | None) -> Response:
    given = await read_body(request)
    if workflow_id is not None and given.get("formula") is None:
        await workflows.show(*caller(request), workflow_id)
    wish = parse(schemas.workflows.PreviewWish, given)
    few, parameters = previews.check_few(wish.items), wish.execution_parameters or {}
    if wish.formula is not None or workflow_id is None:
        source = await asyncio.to_thread(read_source, wish.formula)
        draft = await drafts.draft_formula(
            *caller(request), source, wish.workflow, wish.secrets or {}, parameters, few
        )
    else:
        draft = await drafts.draft_workflow(*caller(request), workflow_id, parameters, few)
    return one(show(await previews.preview(*caller(request), draft, wish.proxy)))


@router.post("/imports/{kind}", **says(schemas.workflows.ImportedObject, body=schemas.workflows.ImportWish))
async def import_source(request: Request, kind: str, only: Only = (), base_url: BaseUrl = "") -> Response:
    """Make a formula of what another tool wrote; nothing is applied, and secrets stand apart."""
    source = read_import_body(await read_bytes(request))
    imported = await asyncio.to_thread(imports.read, kind, source, base_url)
    return one(await asyncio.to_thread(imports.show, imported, only))
