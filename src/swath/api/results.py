"""The files themselves: whoever has the address may read them, from any byte to any other."""

import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from swath.api.exchange import respond
from swath.operations.context import Context
from swath.operations.results import OpenResult, open_result
from swath.wire import answers

router = APIRouter(tags=["results"])

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))\Z", re.ASCII)


@router.get("/results/{secret}/{name}")
@router.head("/results/{secret}/{name}")
async def download(request: Request, secret: str, name: str) -> Response:
    """Download a result; no token is needed."""
    context: Context = request.app.state.context
    result = await open_result(context, secret, name)
    wanted = _read_range(request, result)
    headers = {
        "accept-ranges": "bytes",
        "etag": f'"{result.sha256}"',
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "private, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
    }
    if wanted is None:
        message = f"Outside of the file, which has {result.size} bytes."
        body = answers.write_errors([("range", message)])
        return respond(416, body, {"content-range": f"bytes */{result.size}"})
    start, end = wanted
    status = 200
    if (start, end) != (0, result.size) or "range" in request.headers:
        status, headers["content-range"] = 206, f"bytes {start}-{end - 1}/{result.size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        return Response(None, status, headers, media_type=result.media_type)
    return StreamingResponse(result.stream(start, end), status, headers, media_type=result.media_type)


def _read_range(request: Request, result: OpenResult) -> tuple[int, int] | None:
    """Return start and end of the bytes that are wanted; None where there are none such.

    Several ranges, and ranges of another version, are answered with the whole file.
    """
    asked = _RANGE.match(request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", f'"{result.sha256}"') != f'"{result.sha256}"':
        return 0, result.size
    first, last, suffix = asked.groups()
    if suffix is not None:
        start, end = max(result.size - int(suffix), 0), result.size
    else:
        start, end = int(first), min(int(last) + 1, result.size) if last else result.size
    return (start, end) if start < end else None
