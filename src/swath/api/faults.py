"""Whatever goes wrong is answered in the envelope: `{"errors": [{field: message}]}`."""

import re
from typing import Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swath.api.exchange import respond
from swath.api.openapi import describe
from swath.errors import FieldError
from swath.wire import answers, bodies

log = structlog.get_logger()


class Faults:
    """Answers what the layers inside raise; what was not foreseen is logged and told without details."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except FieldError as error:
            if started:
                raise
            await respond(error.http_status, answers.write_error(error))(scope, receive, send)
        except ClientDisconnect:
            return  # nobody is left to be answered
        except Exception as error:
            log.exception(
                "request_failed", method=scope["method"], path=scope["path"], error=type(error).__name__
            )
            if started:
                raise
            message = "Something went wrong on our side; it has been logged."
            await respond(500, answers.write_errors([("server", message)]))(scope, receive, send)


async def _answer_http(request: Request, error: Exception) -> Response:
    """Answer what the router raises: an unknown path, or a method that is not for it."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    if error.status_code == 405:
        allowed = ", ".join(sorted(_allowed(request)))
        message = f"{request.method} is not for {path}; it takes {allowed}."
        return respond(405, answers.write_errors([("method", message)]), {"allow": allowed})
    field, message = (
        ("path", f"There is nothing at {path}.") if error.status_code == 404 else ("body", error.detail)
    )
    return respond(error.status_code, answers.write_errors([(field, message)]))


def _allowed(request: Request) -> list[str]:
    """Return the methods that the request's path takes."""
    path = request.scope["path"]
    return [
        method.upper()
        for template, operations in describe(request.app)["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        for method in operations
    ]


async def _answer_query(request: Request, error: Exception) -> Response:
    """Answer a query parameter that does not read as what it is."""
    assert isinstance(error, RequestValidationError)
    return respond(400, answers.write_errors(bodies.explain_query(error.errors())))


HANDLERS: dict[Any, Any] = {HTTPException: _answer_http, RequestValidationError: _answer_query}
