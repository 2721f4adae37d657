"""Who looks at the page: a token is shown once, then a sealed cookie stands for it."""

import time
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from swath.errors import Damaged, Unauthenticated
from swath.operations import users
from swath.operations.context import Context
from swath.ui.markup import tag

router = APIRouter(include_in_schema=False)

COOKIE = "swath_session"
#: Seconds after which one must sign in again.
LIFETIME = 14 * 24 * 3600
_PURPOSE = "session"


def read_digest(context: Context, request: Request) -> str | None:
    """Return the digest of the token that the visitor signed in with; None without a valid cookie."""
    try:
        purpose, until, digest = context.vault.open(request.cookies.get(COOKIE, "")).split(" ")
    except (Damaged, ValueError):
        return None
    return digest if purpose == _PURPOSE and int(until) > time.time() else None


def sign_in_address(request: Request) -> str:
    """Return where a visitor signs in, and is led back from afterwards."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(path)}"


@router.get("/sign-in")
async def ask_for_token(next: str = "/") -> Response:
    """Show the form; it works without scripts."""
    return HTMLResponse(_write_form(next, ""))


@router.post("/sign-in")
async def sign_in(
    request: Request, token: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/"
) -> Response:
    """Take the token, and give the cookie."""
    context: Context = request.app.state.house.context
    if _is_foreign(request):
        return HTMLResponse(_write_form(next, "That form was not ours. Sign in here."), 403)
    try:
        digest = await users.sign_in(context, token.strip())
    except Unauthenticated as error:
        return HTMLResponse(_write_form(next, error.fields[0][1]), 401)
    answer = RedirectResponse(_local(next), 303)
    sealed = context.vault.seal(f"{_PURPOSE} {int(time.time()) + LIFETIME} {digest}")
    secure = request.url.scheme == "https" or context.settings.public_url.startswith("https:")
    answer.set_cookie(COOKIE, sealed, max_age=LIFETIME, httponly=True, samesite="lax", secure=secure)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Take the cookie back."""
    answer = RedirectResponse("/sign-in", 303)
    if not _is_foreign(request):
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _is_foreign(request: Request) -> bool:
    """Tell whether a form was sent from somebody else's page, as far as the browser says."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _local(path: str) -> str:
    """Return a path of ours; whatever could lead elsewhere becomes the first view."""
    return path if path.startswith("/") and path[1:2] not in ("/", "\\") else "/"


def _write_form(next: str, message: str) -> str:
    alert = tag("p", message, role="alert", class_="alert") if message else ""
    return _PAGE.format(alert=alert, next=_local(next))


_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in · Swath</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/_swath/icon.svg"><link rel="stylesheet" href="/_swath/style.css">
<script src="/_swath/page.js"></script></head>
<body class="sign-in"><main>
<h1><span class="mark" aria-hidden="true"></span>Swath</h1>
<p class="quiet">Lists in, very many similar API requests, one flat table out.</p>
{alert}
<form method="post" action="/sign-in">
<input type="hidden" name="next" value="{next}">
<label for="token">Your token</label>
<input id="token" name="token" type="password" autocomplete="current-password"
 required autofocus spellcheck="false">
<button type="submit" class="primary">Sign in</button>
</form>
<p class="hint">An administrator gives out tokens. The first one stands in the file
<code>token</code> in the server's data folder, and was printed at its first start.</p>
</main></body></html>""")
