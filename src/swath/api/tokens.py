"""Routes of tokens."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import MOST_OBJECTS, Cursor, Limit, deleted, many, one, read_body
from swath.api.openapi import says
from swath.operations import users
from swath.operations.users import NewToken
from swath.wire import schemas
from swath.wire.answers import show, show_token
from swath.wire.bodies import parse

router = APIRouter(tags=["tokens"])

OfUser = Annotated[str | None, Query(description="Another user's name; for administrators.")]


@router.get("/tokens", **says(schemas.server.TokenObject, many=True))
async def list_tokens(
    request: Request, user: OfUser = None, limit: Limit = MOST_OBJECTS, cursor: Cursor = None
) -> Response:
    """List your tokens, newest first, without the tokens themselves."""
    page = await users.list_tokens(*caller(request), of=user, limit=limit, cursor=cursor)
    return many(map(show_token, page.objects), page.next_cursor)


@router.post("/tokens", **says(schemas.server.NewTokenObject, body=NewToken))
async def create_token(request: Request) -> Response:
    """Make a token, shown this once; administrators make them for other and new users too."""
    new = parse(NewToken, await read_body(request))
    return one(show(await users.create_token(*caller(request), new)))


@router.delete("/tokens/{token_id}", **says(schemas.outcomes.Deleted))
async def revoke_token(request: Request, token_id: str) -> Response:
    """Revoke a token at once."""
    await users.revoke_token(*caller(request), token_id)
    return deleted(token_id)
