"""The API described by itself: the OpenAPI document, and a page that lists its routes."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from swath.api.auth import BASE
from swath.api.exchange import respond
from swath.flow.definition import Json
from swath.flow.request.template import dump
from swath.wire.schemas.outcomes import Errors

router = APIRouter(include_in_schema=False)

#: All types that some route reads or answers with.
_described: set[type] = {Errors}
_TEXT: Json = {"schema": {}}
_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_REFERENCE = "#/components/schemas/{model}"


def says(
    answer: type,
    *,
    body: type | None = None,
    many: bool = False,
    uploads: Sequence[str] = (),
    streams: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a route's decorator needs to describe its answer and its body.

    `uploads` are the media types of a file that it takes, `streams` those of other answers than JSON.
    """
    _described.add(answer)
    key, schema = ("objects", _list(answer)) if many else ("object", _refer(answer))
    properties = {key: schema} | ({"next_cursor": {"type": "string"}} if many else {})
    envelope = {"type": "object", "required": [key], "properties": properties}
    extra: dict[str, Any] = {}
    if body is not None:
        _described.add(body)
        extra["requestBody"] = {"required": True, "content": _json(_refer(body))}
    if uploads:
        extra["requestBody"] = {"required": True, "content": {kind: {"schema": _FILE} for kind in uploads}}
    responses = {
        200: {"description": "As asked.", "content": _json(envelope) | dict.fromkeys(streams, _TEXT)},
        "4XX": {"description": "What is wrong, field by field.", "content": _json(_refer(Errors))},
    }
    return {"openapi_extra": extra, "responses": responses, "response_model": None}


def _list(kind: type) -> Json:
    return {"type": "array", "items": _refer(kind)}


def _refer(kind: type) -> Json:
    return {"$ref": _REFERENCE.format(model=kind.__name__)}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


@cache
def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        routes=app.routes,
        description="Lists in, very many similar API requests through proxies, one flat table out.",
    )
    _, definitions = TypeAdapter.json_schemas(
        [
            (kind, "validation", TypeAdapter(kind))
            for kind in sorted(_described, key=lambda kind: kind.__name__)
        ],
        ref_template=_REFERENCE,
    )
    scheme = {"type": "apiKey", "in": "header", "name": "Token"}
    document["components"] = {"schemas": definitions["$defs"], "securitySchemes": {"token": scheme}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # we answer 400, as `4XX` says
            if path.startswith(BASE):
                operation["security"] = [{"token": []}]
    return document


@router.get(f"{BASE}/openapi.json")
async def get_document(request: Request) -> Response:
    return respond(200, dump(describe(request.app)))


@router.get("/docs")
async def list_routes(request: Request) -> Response:
    """Show all routes on one page, without anything from elsewhere."""
    rows = [
        f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('description', ''))}</td></tr>"
        for path, operations in describe(request.app)["paths"].items()
        for method, operation in operations.items()
    ]
    return HTMLResponse(_PAGE.replace("ROWS", "\n".join(rows)))


_PAGE = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Swath: the API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }}
 td {{ border-top: 1px solid #ddd; padding: .3rem 1rem .3rem 0; vertical-align: top }}
</style>
<h1>Swath: the API</h1>
<p>Send your token in the header <code>Token</code>. Every field is described in
<a href="{BASE}/openapi.json">openapi.json</a>.</p>
<table>ROWS</table></html>"""
