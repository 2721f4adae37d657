"""The files themselves: whoever has the address may read them, from any byte to any other."""

import re
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from swath.api.exchange import respond
from swath.operations.context import Context
from swath.operations.results import OpenResult, open_result
from swath.wire import answers

router = APIRouter(tags=["results"])

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\Z", re.ASCII)


@router.get("/results/{secret}/{name}")
@router.head("/results/{secret}/{name}")
async def download(request: Request, secret: str, name: str) -> Response:
    """Download a result; no token is needed."""
    context: Context = request.app.state.context
    result = await open_result(context, secret, name)
    part = _read_part(request, result)
    if part is not None and not part:
        message = f"Outside of the file, which has {result.size} bytes."
        body = answers.write_errors([("range", message)])
        return respond(416, body, {"content-range": f"bytes */{result.size}"})
    bounds = part or range(result.size)
    headers = _describe(result, name) | {"content-length": str(len(bounds))}
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{result.size}"
    status = 200 if part is None else 206
    if request.method == "HEAD":
        return Response(None, status, headers, media_type=result.media_type)
    stream = result.stream(bounds.start, bounds.stop)
    return StreamingResponse(stream, status, headers, media_type=result.media_type)


def _describe(result: OpenResult, name: str) -> dict[str, str]:
    return {
        "accept-ranges": "bytes",
        "etag": f'"{result.sha256}"',
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "cache-control": "private, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
    }


def _read_part(request: Request, result: OpenResult) -> range | None:
    """Return the bytes that are wanted, empty where the file has none such; None: the whole file.

    Several ranges, and ranges of another version, are answered with the whole file.
    """
    asked = _RANGE.match(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", f'"{result.sha256}"') != f'"{result.sha256}"':
        return None
    first, last, suffix = asked.groups()
    if suffix is not None:
        return range(max(result.size - int(suffix), 0), result.size)
    return range(int(first), min(int(last) + 1, result.size) if last else result.size)
