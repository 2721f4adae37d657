"""What every route reads and answers with."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.operations.context import Context
from swath.wire import answers, bodies

#: Bytes of a body that is no list of items.
LARGEST_BODY = 16 * 1024 * 1024
#: Objects of a list that is asked for without a limit, and the most that one answer has.
MOST_OBJECTS = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_OBJECTS, description="The most objects that one answer has.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]


async def read_body(request: Request) -> dict[str, Json]:
    """Return a request's JSON object, whatever its content type says. Raises InvalidInput."""
    return bodies.read_object(await read_bytes(request))


async def read_bytes(request: Request) -> bytes:
    """Return a request's body. Raises InvalidInput where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise InvalidInput("body", f"Larger than {LARGEST_BODY >> 20} MB.")
    return bytes(body)


def respond(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def one(value: Json) -> Response:
    return respond(200, answers.write_object(value))


def many(values: Iterable[Json], next_cursor: str | None) -> Response:
    return respond(200, answers.write_list(values, next_cursor))


def deleted(object_id: str) -> Response:
    """Answer a deletion; clients call `.json()` on it."""
    return one({"id": object_id})


def public_url(request: Request) -> str:
    """Return how clients reach us: as the operator says, else as this request came."""
    context: Context = request.app.state.context
    return context.settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
