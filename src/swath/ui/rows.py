"""The rows of an execution: a table that fetches what is looked at, of millions as of ten."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from swath.errors import FieldError
from swath.operations import rows, users
from swath.ui.execution import has_ended, open_execution, watch
from swath.ui.frame import Visit, show, view
from swath.ui.markup import link, nothing, number, table, tag
from swath.ui.session import read_digest

router = APIRouter(include_in_schema=False)

#: Rows that the browser asks for at a time, and rows by which a column is described.
BLOCK = 100
LOOKED_AT = 1_000
#: Columns that a table has at most; a browser bears no more. The files have them all.
WIDEST = 300
_FETCH = """params => fetch('/_rows/%s?collection=' + encodeURIComponent(%s) + '&offset=' + params.startRow
  + '&limit=' + (params.endRow - params.startRow))
  .then(answer => answer.ok ? answer.json() : Promise.reject(answer.status))
  .then(found => params.successCallback(found.rows, found.total))
  .catch(() => params.failCallback())"""


@router.get("/_rows/{execution_id}")
async def fetch_rows(
    request: Request,
    execution_id: str,
    collection: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = BLOCK,
) -> Response:
    """Give the table some rows, each a list of its values in the order of the columns."""
    context = request.app.state.house.context
    try:
        user = await users.recall(context, read_digest(context, request) or "")
        found = await rows.look(context, user, execution_id, collection, offset, limit)
    except FieldError as error:
        return Response(status_code=error.http_status)
    columns = found["columns"][:WIDEST]
    values = [[_write(row.get(name)) for name in columns] for row in found["rows"]]
    body = msgspec.json.encode({"rows": values, "total": found["total"]})
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


def _write(value: Any) -> str | None:
    """Return a cell as text: a browser's numbers would lose digits."""
    if isinstance(value, msgspec.Raw):
        written = bytes(value)
        value = msgspec.json.decode(written) if written[:1] in b'"n' else written.decode()
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


@view("/executions/{execution_id}/rows", "Rows", "/executions")
async def show_rows(visit: Visit, execution_id: str, collection: str | None = None) -> None:
    execution = await open_execution(visit, execution_id, "/rows")
    found = await visit.ask(rows.look, execution_id, collection, 0, LOOKED_AT)
    if not found["columns"]:
        _say_none(execution)
    else:
        show(_write_choice(execution, found["collection"]))
        if len(found["columns"]) > WIDEST:
            text = f"{WIDEST} of {number(len(found['columns']))} columns are shown; the files have them all."
            show(tag("p", text, class_="hint"))
        _draw_grid(execution_id, found)
        show(_describe_columns(found))
    await watch(visit, execution)


def _say_none(execution: Mapping[str, Any]) -> None:
    if has_ended(execution):
        show(
            nothing(
                "There are no rows", "The overview says why: warnings, how items ended, answers by status."
            )
        )
    else:
        show(
            nothing(
                "No rows yet",
                "They appear as parts of the execution are finished; load this view again then.",
            )
        )


def _write_choice(execution: Mapping[str, Any], chosen: str) -> Any:
    """Return the result collections to choose from, once there are files."""
    newest = max((file["revision"] for file in execution["results"]), default=0)
    files = [file for file in execution["results"] if file["revision"] == newest]
    base = f"/executions/{execution['id']}/rows?collection="
    links = [
        link(
            tag(
                "span", file["collection"] or "(root)", " ", tag("span", number(file["rows"]), class_="count")
            ),
            base + file["collection"],
            aria_current="page" if file["collection"] == chosen else None,
        )
        for file in files
    ]
    return tag("nav", *links, class_="pills", aria_label="Result collections")


def _draw_grid(execution_id: str, found: Mapping[str, Any]) -> None:
    columns = [
        {
            "headerName": name,
            "colId": f"c{place}",
            ":valueGetter": f"params => params.data && params.data[{place}]",
            "sortable": False,
        }
        for place, name in enumerate(found["columns"][:WIDEST])
    ]
    first = {
        "headerName": "#",
        "colId": "row",
        ":valueGetter": "params => params.node.rowIndex + 1",
        "width": 90,
        "pinned": "left",
        "sortable": False,
        "cellClass": "row-number",
    }
    name = msgspec.json.encode(found["collection"]).decode().replace("<", "\\u003c")
    ui.aggrid(
        {
            "columnDefs": [first, *columns],
            "defaultColDef": {"resizable": True, "width": 170, "minWidth": 60},
            "rowModelType": "infinite",
            "cacheBlockSize": BLOCK,
            "maxBlocksInCache": 20,
            "infiniteInitialRowCount": min(found["total"], BLOCK),
            "rowHeight": 32,
            "headerHeight": 34,
            ":datasource": f"({{getRows: {_FETCH % (execution_id, name)}}})",
            "enableCellTextSelection": True,
            "suppressColumnVirtualisation": False,
        },
        auto_size_columns=False,
    ).props('aria-label="Rows"')


def _describe_columns(found: Mapping[str, Any]) -> Any:
    sample = found["rows"]
    lines = [_describe(name, [row.get(name) for row in sample]) for name in found["columns"]]
    heading = f"{number(len(lines))} columns"
    about = "all rows" if found["total"] <= len(sample) else f"the first {number(len(sample))} rows"
    columns = ("Column", "Types", ("Empty", "num"), "For example")
    inside = table(f"Columns, by {about}", columns, lines, "columns")
    hint = tag("p", f"Types and empty cells of {about}.", class_="hint")
    return tag("details", tag("summary", heading), hint, inside)


def _describe(name: str, values: Sequence[Any]) -> list[Any]:
    given = [value for value in values if value not in (None, "")]
    kinds = sorted({_kind(value) for value in given})
    empty = f"{100 * (len(values) - len(given)) / len(values):.0f} %" if values else "–"
    example = str(given[0])[:120] if given else ""
    return [tag("code", name), ", ".join(kinds) or "–", empty, tag("span", example, class_="sample")]


def _kind(value: Any) -> str:
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value)
    if isinstance(value, str):
        return _kind_of_text(value)
    return {bool: "truth", int: "integer", float: "number"}.get(type(value), "json")


def _kind_of_text(text: str) -> str:
    """Return what a cell of a CSV file reads as."""
    if text in ("true", "false"):
        return "truth"
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        return "integer"
    try:
        float(text)
    except ValueError:
        return "text"
    return "number"
