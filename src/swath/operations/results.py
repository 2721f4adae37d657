"""Open a result's file by the secret in its URL."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import PurePath

from swath.engine.extract import MEDIA_TYPES
from swath.errors import NotFound
from swath.flow.files import packing
from swath.operations.context import Context
from swath.store import executions
from swath.store.objects import Objects


@dataclass(frozen=True, slots=True)
class OpenResult:
    """A file that can be read from any byte to any other."""

    media_type: str
    size: int
    sha256: str
    stream: Callable[[int, int], AsyncIterator[bytes]]


async def open_result(context: Context, secret: str, name: str) -> OpenResult:
    """Return the file behind a result's URL. Raises NotFound; the secret is all that is asked for."""
    row = await context.database.read(executions.find_result, secret)
    if row is None or row.name != name:
        raise NotFound("url", "No result has this address.")

    objects: Objects = context.objects

    def stream(start: int, end: int) -> AsyncIterator[bytes]:
        return objects.stream(row.object, start, end)

    return OpenResult(_media_type(row.name, row.format), row.bytes, row.sha256, stream)


def _media_type(name: str, output_format: str) -> str:
    return packing.MEDIA_TYPES.get(PurePath(name).suffix) or MEDIA_TYPES[output_format]
