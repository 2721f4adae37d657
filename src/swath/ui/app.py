"""Puts the page onto the server: it answers whatever no route of the API has taken."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from nicegui import app as page
from nicegui import core, ui
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swath.ui import (
    collections,
    execution,
    executions,
    files,
    ledger,
    proxies,
    rows,
    schedules,
    session,
    settings,
    webhooks,
    workflows,
)
from swath.ui.frame import STATIC, say_nowhere

#: All views there are, and the address of the first.
VIEWS = (
    workflows,
    executions,
    execution,
    rows,
    files,
    ledger,
    collections,
    proxies,
    schedules,
    webhooks,
    settings,
)
FRONT = "/workflows"
#: Seconds that the server keeps a view for a browser that has lost its connection.
PATIENCE = 30.0
#: Bytes of the largest message of a view: all of a formula's text. A larger one ends its connection.
LARGEST = 15_000_000
#: Nothing is loaded from elsewhere, and nobody else's page may hold ours.
POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    b"form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
#: How the paths begin that are no views.
OWN = ("/_", "/favicon.ico", "/sign-")
#: What a server does for as long as it lives.
Live = Callable[[Any], AbstractAsyncContextManager[Any]]
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)


def attach(api: FastAPI, *, below: str) -> None:
    """Serve the page where the API has no route; what stands below `below` stays the API's."""
    page.state.house = api.state
    core.sio.eio.max_http_buffer_size = LARGEST
    page.config.quasar_config["loadingBar"]["skipHijack"] = True  # no bar that flashes at every request
    page.config.quasar_config["ripple"] = False
    page.add_static_files("/_swath", STATIC)
    page.add_static_file(local_file=STATIC / "icon.svg", url_path="/favicon.ico")
    for router in (session.router, rows.router):
        page.include_router(router)
    say_nowhere("/{path:path}")  # after all others
    house = api.router.lifespan_context
    api.router.lifespan_context = _nothing
    ui.run_with(
        api,
        title="Swath",
        favicon=Path(STATIC) / "icon.svg",
        dark=None,
        language="en-US",
        reconnect_timeout=PATIENCE,
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
        mount_path="/",
    )
    # The views look again by themselves, and end before what they look at does.
    api.router.lifespan_context = _nest(house, api.router.lifespan_context)
    # A mount would take wrong methods of known paths too; those are the API's to answer.
    api.router.routes.pop()
    api.router.default = Rest(page, api.router.default, below)
    api.state.front = FRONT


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


def _nest(outer: Live, inner: Live) -> Live:
    """Return what lets `inner` live within `outer`."""

    @asynccontextmanager
    async def live(api: FastAPI) -> AsyncIterator[None]:
        async with outer(api), inner(api):
            yield

    return live


class Rest:
    """Tells what is the page's from what nobody has."""

    def __init__(self, page: ASGIApp, nowhere: ASGIApp, below: str) -> None:
        self._page = page
        self._nowhere = nowhere
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = False

        async def listen() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        async def guard(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        if scope["path"].startswith(self._below) or not _is_for_page(scope):
            await self._nowhere(scope, receive, send)
            return
        try:
            await self._page(scope, listen, guard)
        except RuntimeError:
            if not gone:  # layers of the framework complain where a browser has left before its answer
                raise


def _is_for_page(scope: Scope) -> bool:
    """Tell whether a browser asks for a view, or a view for a part of itself; others get the API's answer."""
    asked = dict(scope["headers"]).get(b"accept", b"")
    return scope["type"] != "http" or scope["path"].startswith(OWN) or b"text/html" in asked
