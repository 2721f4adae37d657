"""Who is asking: every path below the base path needs a token, whether or not anything is there."""

from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from swath.operations import users
from swath.operations.context import Context, User

BASE = "/cloud/api/v1"
OPEN = frozenset({f"{BASE}/openapi.json", f"{BASE}/formula.schema.json"})


class Authentication:
    """Puts the user into the scope. Raises Unauthenticated."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if len(path) > 1 and path.endswith("/"):
                path = scope["path"] = path.rstrip("/") or "/"
            if path.startswith(f"{BASE}/") and path not in OPEN:
                context: Context = scope["app"].state.context
                scope["user"] = await users.authenticate(context, _read_token(scope["headers"]))
        await self._app(scope, receive, send)


def caller(request: Request) -> tuple[Context, User]:
    """Return what an operation wants first."""
    return request.app.state.context, request.scope["user"]


def _read_token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    bearer = None
    for name, value in headers:
        if name == b"token":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].decode("latin-1").strip()
    return bearer
