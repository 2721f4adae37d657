"""What other tools wrote down, made a formula: pure functions from text to `Imported`."""

from collections.abc import Callable, Mapping
from typing import Final

from swath.errors import InvalidInput
from swath.importers.airbyte import read_airbyte
from swath.importers.bundles import Folder
from swath.importers.choice import choose
from swath.importers.curl import read_curl
from swath.importers.har import read_har
from swath.importers.imported import Imported
from swath.importers.openapi import read_openapi
from swath.importers.postman import read_postman

__all__ = [
    "KINDS",
    "Folder",
    "Imported",
    "choose",
    "read",
    "read_airbyte",
    "read_curl",
    "read_har",
    "read_openapi",
    "read_postman",
]

#: By kind, as `swath import KIND` and `POST /imports/{kind}` name it. Each raises InvalidInput.
KINDS: Final[Mapping[str, Callable[[str], Imported]]] = {
    "curl": read_curl,
    "har": read_har,
    "openapi": read_openapi,
    "postman": read_postman,
    "airbyte": read_airbyte,
}


def read(
    kind: str, text: str, base_url: str = "", found_at: str = "", folder: Folder | None = None
) -> Imported:
    """Read a source of a known kind; `base_url` says where an API is whose document does not.

    `found_at` is the address that the source came from, if any, `folder` where other files of it are. Raises
    InvalidInput.
    """
    if kind == "openapi":
        return read_openapi(text, base_url, found_at, folder)
    if base_url:
        raise InvalidInput("base_url", f"Only for OpenAPI documents: {kind} holds whole addresses.")
    return KINDS[kind](text)
