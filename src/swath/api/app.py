"""The application: its layers from outside in, and its routes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from swath import __version__
from swath.api import (
    adjustments,
    collections,
    combinations,
    endpoints,
    executions,
    formulas,
    health,
    openapi,
    previews,
    proxies,
    results,
    retries,
    schedules,
    server,
    tokens,
    uploads,
    webhooks,
    workflows,
)
from swath.api.auth import BASE, Authentication
from swath.api.faults import HANDLERS, Faults
from swath.operations.context import Context
from swath.settings import Settings

#: Below the base path, in the order in which they are tried: `/workflows/executions/{id}` comes first.
ROUTERS = (
    executions.router,
    adjustments.router,
    combinations.router,
    retries.router,
    previews.router,
    formulas.router,
    workflows.router,
    endpoints.router,
    collections.router,
    uploads.router,
    proxies.router,
    webhooks.router,
    schedules.router,
    tokens.router,
    server.router,
)
#: FastAPI would look for OpenTelemetry in every request; we measure elsewhere.
QUIET = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}

OpenHouse = Callable[[Settings], AbstractAsyncContextManager[Context]]


def build_app(settings: Settings, open_house: OpenHouse) -> FastAPI:
    """Return the application; `open_house` opens what it works with, for as long as the server runs."""

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        async with open_house(settings) as context:
            app.state.context = context
            yield

    app = FastAPI(
        title="Swath",
        version=__version__,
        lifespan=live,
        middleware=[Middleware(Faults), Middleware(Authentication)],
        exception_handlers=HANDLERS,
        redirect_slashes=False,
        openapi_url=None,
        telemetry=QUIET,  # type: ignore[arg-type]
    )
    for router in ROUTERS:
        app.include_router(router, prefix=BASE)
    for router in (results.router, health.router, openapi.router):
        app.include_router(router)
    return app
