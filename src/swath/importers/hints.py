"""What in a request could come from a list, or says which page it asks for: told, never done unasked."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from swath.flow.paging.suggestion import paging_kind
from swath.importers.credentials import is_secret_name
from swath.importers.holes import hole, identifier

_ID: Final = re.compile(r"\d+|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|[0-9a-f]{24}", re.IGNORECASE)
_KINDS: Final = {"page_number": "the number of a page", "offset": "an offset", "cursor": "a cursor"}


def hints(name: str, endpoint: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences about an endpoint without a paginator."""
    address, _, query = str(endpoint["url"]).partition("?")
    before = ""
    for segment in address.partition("://")[2].split("/")[1:]:
        if _ID.fullmatch(segment):
            variable = identifier(f"{before.removesuffix('s') or 'the'}_id")
            told = f"to ask for many, put {hole(variable)} there and map a list to it"
            yield f"{name}: {segment} looks like an id; {told}."
        before = segment
    given = dict(endpoint.get("query", {}))
    given.update((unquote(pair.partition("=")[0]), "") for pair in query.split("&") if "=" in pair)
    for parameter in given:
        kind = paging_kind(parameter)
        if kind is not None and not is_secret_name(parameter):
            variable = identifier(parameter)
            told = f"to follow the pages, put {hole(variable)} there and set a paginator of type"
            yield f"{name}: {parameter} looks like {_KINDS[kind]}; {told} {kind}. A preview proposes one."
