"""Routes of formulas: apply one, give one back, and the schema that editors check them by."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one, read_bytes, respond
from swath.api.openapi import says
from swath.flow.formula import schema
from swath.flow.request.template import dump
from swath.operations import formulas
from swath.wire import schemas
from swath.wire.answers import show_applied
from swath.wire.formulas import read_formula_body

router = APIRouter(tags=["formulas"])

DryRun = Annotated[bool, Query(description="Say what would change, and change nothing.")]


@router.get("/formula.schema.json", include_in_schema=False)
async def get_schema(request: Request) -> Response:
    """Read the JSON Schema of formulas."""
    return respond(200, dump(schema()))


@router.post("/formulas", **says(schemas.workflows.AppliedFormula, body=schemas.workflows.FormulaToApply))
async def apply_formula(request: Request, dry_run: DryRun = False) -> Response:
    """Create or update by name everything in a formula, YAML or JSON: the text itself, or in `formula`."""
    body = await asyncio.to_thread(read_formula_body, await read_bytes(request))
    applied = await formulas.apply(*caller(request), body.source, body.secrets, dry_run=dry_run)
    return one(show_applied(applied))


@router.get("/formulas/{workflow_id}", **says(schemas.workflows.FormulaText, streams=["application/yaml"]))
async def get_formula(request: Request, workflow_id: str) -> Response:
    """Read a workflow as a formula: YAML or, where only JSON is accepted, an object that holds it."""
    text = await formulas.export(*caller(request), workflow_id)
    accepted = request.headers.get("accept", "")
    if "json" in accepted and "yaml" not in accepted and "*/*" not in accepted:
        return one({"workflow_id": workflow_id, "formula": text})
    return Response(text, media_type="application/yaml")
