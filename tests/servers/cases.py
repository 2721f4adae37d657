"""One case for each way in which a server divides its lists: what to ask, how to go on, and what it has."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.readings import PAGE, STATIONS, readings

#: The name of the collection that a page is as a whole.
BARE = "response"

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A workflow over one list of a server, with one input item for each of `items`."""

    name: str
    #: The fixture that runs the server.
    server: str
    endpoint: Mapping[str, Any]
    paginator: Mapping[str, Any]
    #: The result collection, by its name.
    collection: str
    #: What the server has for an item, in its order.
    rows: Callable[[str], Rows]
    #: The endpoint's variable that the items fill.
    variable: str = "station"
    items: tuple[str, ...] = tuple(STATIONS)
    #: What stands before a reading's fields within a row.
    record: str = ""


def in_sqlite(station: str) -> Rows:
    """SQLite knows no truth values, only 0 and 1."""
    return [{**row, "valid": int(row["valid"])} for row in readings(station)]


def by_level(station: str) -> Rows:
    """Return a station's readings without a level, then the others by level; by id where that is the same."""
    rows = in_sqlite(station)
    return sorted(rows, key=lambda row: (row["level"] is not None, row["level"] or 0, row["id"]))


def in_javascript(station: str) -> Rows:
    """JavaScript writes 83.0 as 83."""
    return [{name: plain(value) for name, value in row.items()} for row in readings(station)]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(child) for name, child in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_text_ids(station: str) -> Rows:
    """The newer json-server makes ids texts."""
    return [{**row, "id": str(row["id"])} for row in in_javascript(station)]


def newest_first(station: str) -> Rows:
    return sorted(readings(station), key=lambda row: row["taken_at"], reverse=True)


def in_connection(station: str) -> Rows:
    """Return edges as a Relay connection has them: ids are opaque, names in camel case."""
    return [{"node": as_node(row)} for row in readings(station)]


def as_node(row: dict[str, Any]) -> dict[str, Any]:
    opaque = b64encode(f"Reading:{row['id']}".encode()).decode()
    named = {("takenAt" if name == "taken_at" else name): value for name, value in row.items()}
    return {**named, "id": opaque}


def tables(query: dict[str, Any], **more: Any) -> dict[str, Any]:
    size = {"_size": str(PAGE), "_json": ["tags", "place"]}
    return {"url": "{base}/data/readings.json", "query": {"station": "{{station}}", **size, **query}, **more}


def lists(path: str, **query: str) -> dict[str, Any]:
    return {"url": f"{{base}}{path}", "query": {"station": "{{station}}", **query}}


#: json-server 1 gives a bare and undivided list where no page is asked for.
NUMBERED = lists("/readings", _page="{{page}}", _per_page=str(PAGE))

CONNECTION = """
query ($station: String!, $after: String, $first: Int) {
  readings(station: $station, after: $after, first: $first) {
    edges { node { id station takenAt level value valid note tags place { lat name { de en } } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
GRAPHQL = {
    "url": "{base}/",
    "method": "POST",
    "body": {
        "graphql": {
            "query": CONNECTION,
            "variables": {"station": "{{station}}", "after": "{{cursor}}", "first": PAGE},
        }
    },
}
END_CURSOR = {
    "type": "cursor",
    "cursor_path": "data.readings.pageInfo.endCursor",
    "variable": "cursor",
}

CASES = (
    Case(
        name="datasette-cursor",
        server="datasette",
        endpoint=tables({"_shape": "objects", "_sort": "level", "_next": "{{next}}"}),
        paginator={"type": "cursor", "cursor_path": "next", "variable": "next"},
        collection="rows",
        rows=by_level,
    ),
    Case(
        name="datasette-next-url",
        server="datasette",
        endpoint=tables({"_shape": "objects"}),
        paginator={"type": "next_url", "next_url_path": "next_url"},
        collection="rows",
        rows=in_sqlite,
    ),
    Case(
        name="datasette-short-pages",
        server="datasette",
        endpoint=tables({"_shape": "objects", "_size": "1"}),
        paginator={"type": "next_url", "next_url_path": "next_url"},
        collection="rows",
        rows=in_sqlite,
        items=("100% north + south", "東京 駅"),
    ),
    Case(
        name="datasette-header-link",
        server="datasette",
        endpoint=tables({"_shape": "array"}),
        paginator={"type": "header_link"},
        collection=BARE,
        rows=in_sqlite,
    ),
    Case(
        name="django-page-number",
        server="django",
        endpoint=lists("/pages/", page="{{page}}"),
        paginator={"type": "page_number", "variable": "page", "total_path": "count"},
        collection="results",
        rows=readings,
    ),
    Case(
        name="django-page-number-until-404",
        server="django",
        endpoint=lists("/pages/", page="{{page}}"),
        paginator={"type": "page_number", "variable": "page"},
        collection="results",
        rows=readings,
    ),
    Case(
        name="django-page-number-next-url",
        server="django",
        endpoint=lists("/pages/"),
        paginator={"type": "next_url", "next_url_path": "next"},
        collection="results",
        rows=readings,
    ),
    Case(
        name="django-offset",
        server="django",
        endpoint=lists("/windows/", offset="{{offset}}"),
        paginator={"type": "offset", "variable": "offset", "total_path": "count"},
        collection="results",
        rows=readings,
    ),
    Case(
        name="django-offset-next-url",
        server="django",
        endpoint=lists("/windows/"),
        paginator={"type": "next_url", "next_url_path": "next"},
        collection="results",
        rows=readings,
    ),
    Case(
        name="django-cursor-next-url",
        server="django",
        endpoint={"url": "{base}/stations/{{station}}/"},
        paginator={"type": "next_url", "next_url_path": "next"},
        collection="results",
        rows=newest_first,
    ),
    Case(
        name="json-server-header-link",
        server="json_server",
        endpoint=lists("/readings", _page="1", _limit=str(PAGE)),
        paginator={"type": "header_link"},
        collection=BARE,
        rows=in_javascript,
    ),
    Case(
        name="json-server-page-number",
        server="json_server",
        endpoint=lists("/readings", _page="{{page}}", _limit=str(PAGE)),
        paginator={"type": "page_number", "variable": "page"},
        collection=BARE,
        rows=in_javascript,
    ),
    Case(
        name="json-server-offset",
        server="json_server",
        endpoint=lists("/readings", _start="{{start}}", _limit="{{limit}}"),
        paginator={"type": "offset", "variable": "start", "limit": PAGE},
        collection=BARE,
        rows=in_javascript,
    ),
    Case(
        name="json-server-1-next-page",
        server="json_server_1",
        endpoint={**NUMBERED, "variables": {"page": {"default": "1"}}},
        paginator={"type": "cursor", "cursor_path": "next", "variable": "page"},
        collection="data",
        rows=with_text_ids,
    ),
    Case(
        name="json-server-1-page-number",
        server="json_server_1",
        endpoint=NUMBERED,
        paginator={"type": "page_number", "variable": "page", "total_path": "items"},
        collection="data",
        rows=with_text_ids,
    ),
    Case(
        name="strawberry-connection",
        server="strawberry",
        endpoint=GRAPHQL,
        paginator={**END_CURSOR, "has_more_path": "data.readings.pageInfo.hasNextPage"},
        collection="data.readings.edges",
        record="node.",
        rows=in_connection,
    ),
    Case(
        name="strawberry-connection-until-null",
        server="strawberry",
        endpoint=GRAPHQL,
        paginator=END_CURSOR,
        collection="data.readings.edges",
        record="node.",
        rows=in_connection,
    ),
)
