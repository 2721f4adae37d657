"""What in a request could come from a list, or says which page it asks for: told, never done unasked."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from swath.flow.paging.suggestion import paging_kind
from swath.importers.credentials import is_secret_name
from swath.importers.holes import hole, identifier

_ID: Final = re.compile(r"\d+|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|[0-9a-f]{24}", re.IGNORECASE)
#: What may be an id where others stand in its place; a version of an API is none.
_CODE: Final = re.compile(r"(?!v\d+(?:\.\d+)*\Z)(?=.*\d)[\w.~-]+", re.ASCII | re.IGNORECASE)
#: What parameters are called whose value is one of many: an id, or what is searched for.
_ONE: Final = re.compile(
    r"[a-z]+I[dD]s?|(?i:(?:.*[_-])?ids?|userids?|q|query|search|s|terms?|keywords?|text|name|user(?:_?name)?"
    r"|symbols?|city|zip|domain|email|isbn)"
)
_KINDS: Final = {"page_number": "the number of a page", "offset": "an offset", "cursor": "a cursor"}


@dataclass(frozen=True, slots=True)
class Spot:
    """A value that looks like one of many: a segment of the path, or of a `parameter` of the query."""

    value: str
    variable: str
    parameter: str | None = None


def find_spots(endpoint: Mapping[str, Any], *, codes: bool = False) -> Iterator[Spot]:
    """Yield the values in an endpoint's path and query that a list could take the place of.

    `codes`: names with a number in them count, too, as those of articles and packages have.
    """
    before = ""
    for segment in _segments(str(endpoint.get("url") or "")):
        if _ID.fullmatch(segment) or (codes and _CODE.fullmatch(segment)):
            yield Spot(segment, identifier(f"{before.removesuffix('s') or 'the'}_id"))
        before = segment
    for parameter, value in _parameters(endpoint):
        is_one = _ONE.fullmatch(parameter) and paging_kind(parameter) is None
        if value and is_one and "{" not in value and not is_secret_name(parameter):
            yield Spot(value, identifier(parameter), parameter)


def _parameters(endpoint: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the query's parameters that have one value, of the address and of the list."""
    for pair in str(endpoint.get("url") or "").partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        yield unquote_plus(name), unquote_plus(value)
    for name, value in (endpoint.get("query") or {}).items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield name, str(value)


def _segments(url: str) -> list[str]:
    return url.partition("?")[0].partition("://")[2].split("/")[1:]


def fill_spot(endpoint: dict[str, Any], spot: Spot, variable: str) -> None:
    """Put a variable in the place of a value that was found."""
    address, mark, query = str(endpoint["url"]).partition("?")
    if spot.parameter is None:
        parts = address.split("/")
        place = parts.index(spot.value, 3)  # behind the scheme and the host
        address = "/".join([*parts[:place], hole(variable), *parts[place + 1 :]])
    elif spot.parameter in (endpoint.get("query") or {}):
        endpoint["query"] = {**endpoint["query"], spot.parameter: hole(variable)}
    else:
        pairs = [pair.partition("=") for pair in query.split("&")]
        filled = [
            (name, "=", hole(variable)) if unquote_plus(name) == spot.parameter else (name, sign, value)
            for name, sign, value in pairs
        ]
        query = "&".join("".join(each) for each in filled)
    endpoint["url"] = address + mark + query


def hints(name: str, endpoint: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences about an endpoint without a paginator."""
    for spot in find_spots(endpoint):
        told = f"to ask for many, put {hole(spot.variable)} there and map a list to it"
        what = "an id" if spot.parameter is None else f"one of many, as {spot.parameter}"
        yield f"{name}: {spot.value} looks like {what}; {told}."
    query = str(endpoint["url"]).partition("?")[2]
    given = dict(endpoint.get("query", {}))
    given.update((unquote(pair.partition("=")[0]), "") for pair in query.split("&") if "=" in pair)
    for parameter in given:
        kind = paging_kind(parameter)
        if kind is not None and not is_secret_name(parameter):
            variable = identifier(parameter)
            told = f"to follow the pages, put {hole(variable)} there and set a paginator of type"
            yield f"{name}: {parameter} looks like {_KINDS[kind]}; {told} {kind}. A preview proposes one."
