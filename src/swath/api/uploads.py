"""The route that takes a collection's items from a file."""

import asyncio
from contextlib import AsyncExitStack
from typing import IO, Annotated

from fastapi import APIRouter, Query
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from swath.api.auth import caller
from swath.api.exchange import one
from swath.api.openapi import says
from swath.errors import InvalidInput
from swath.operations import collections
from swath.operations.collections import Method
from swath.store.spool import Spool
from swath.wire import schemas
from swath.wire.answers import show
from swath.wire.items import Received
from swath.wire.uploads import FileFormat, Upload, format_of, read_upload

router = APIRouter(tags=["collections"])

#: What a file may be sent as.
KINDS = ("text/csv", "application/x-ndjson", "text/plain", "multipart/form-data")

Columns = Annotated[list[str] | None, Query(description="Name or number of a column; may be repeated.")]
Way = Annotated[Method, Query(description="What becomes of the file's items.")]
Format = Annotated[FileFormat | None, Query(description="Left out: told by type, name or first line.")]
Header = Annotated[bool, Query(description="Whether the first line of a CSV file names its columns.")]
Delimiter = Annotated[str | None, Query(description="Left out: found in the first line.")]
Encoding = Annotated[str, Query(description="How the file's text is encoded.")]


@router.post(
    "/collections/{collection_id}/upload", **says(schemas.collections.UploadedCollection, uploads=KINDS)
)
async def upload_items(
    request: Request,
    collection_id: str,
    column: Columns = None,
    method: Way = "add",
    format: Format = None,
    header: Header = True,
    delimiter: Delimiter = None,
    encoding: Encoding = "utf-8",
) -> Response:
    """Take items from a file: CSV, JSON lines or plain lines; of one column texts, of several objects."""
    context, user = caller(request)
    await collections.show(context, user, collection_id)
    async with AsyncExitStack() as stack:
        file, found = await _receive(request, stack)
        upload = Upload(
            format=format or found,
            columns=column or (),
            header=header,
            delimiter=delimiter,
            encoding=encoding,
        )
        spool = stack.enter_context(Spool(context.settings.data_dir / "scratch"))
        blank = await asyncio.to_thread(read_upload, file, spool, upload)
        if not spool.count and method != "replace":
            raise InvalidInput("file", "It holds no items.")
        view = await collections.change(context, user, collection_id, method, spool)
        return one({**show(view), "received": spool.count, "blank": blank})


async def _receive(request: Request, stack: AsyncExitStack) -> tuple[IO[bytes], FileFormat | None]:
    """Take in the body, or the file of a form; return it with the format that it is told to have."""
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        context, _ = caller(request)
        received = stack.enter_context(Received(context.settings.data_dir / "scratch"))
        await received.receive(request.stream())
        return received.open(), format_of(kind)
    try:
        form = await stack.enter_async_context(request.form(max_files=1, max_fields=100))
    except HTTPException as error:
        raise InvalidInput("file", f"The form cannot be read: {error.detail}") from None
    file = next((each for each in form.values() if isinstance(each, UploadFile)), None)
    if file is None:
        raise InvalidInput("file", "Blank. Send the file as the body, or as a file of a form.")
    return file.file, format_of(file.content_type or "", file.filename or "")
