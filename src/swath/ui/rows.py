"""The rows of an execution: a table that fetches what is looked at, of millions as of ten."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query
from markupsafe import Markup
from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from swath.errors import FieldError, NotFound
from swath.operations import rows, users
from swath.ui.execution import has_ended, open_execution, watch
from swath.ui.frame import Visit, show, view
from swath.ui.markup import join, link, nothing, number, table, tag
from swath.ui.session import read_digest

router = APIRouter(include_in_schema=False)

#: Rows that the browser asks for at a time.
BLOCK = 100
#: Columns that a table has at most; a browser bears no more. The files have them all.
WIDEST = 300
#: Columns that are listed at most of those that stand together in the last one.
LISTED = 1_000
_COLUMNS = ("Column", "Types", ("Null", "num"), ("Missing", "num"))
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
    found = await visit.ask(rows.describe, execution_id)
    shown = _choose(found, collection)
    if shown is None or not shown["columns"]:
        _say_none(execution)
    else:
        show(_write_choice(execution_id, found, shown))
        if len(shown["columns"]) > WIDEST:
            text = f"{WIDEST} of {number(len(shown['columns']))} columns are shown; the files have them all."
            show(tag("p", text, class_="hint"))
        _draw_grid(execution_id, shown)
        show(_write_columns(shown, ended=has_ended(execution)))
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


def _choose(found: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any] | None:
    """Return the result collection of this name, the primary one for none. Raises NotFound."""
    chosen = next((each for each in found if name in (None, each["collection"])), None)
    if found and chosen is None:
        raise NotFound("collection", "There is no result collection of this name.")
    return chosen


def _write_choice(execution_id: str, found: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]) -> Markup:
    """Return the result collections to choose from, those that there are so far."""
    links = [
        link(
            join([each["collection"] or "(root)", tag("span", number(each["rows"]), class_="count")], " "),
            f"/executions/{execution_id}/rows?collection={quote(each['collection'], safe='')}",
            aria_current="page" if each is shown else None,
        )
        for each in found
    ]
    return tag("nav", *links, class_="pills", aria_label="Result collections")


def _draw_grid(execution_id: str, shown: Mapping[str, Any]) -> None:
    columns = [
        {
            "headerName": column["name"],
            "colId": f"c{place}",
            ":valueGetter": f"params => params.data && params.data[{place}]",
            "sortable": False,
        }
        for place, column in enumerate(shown["columns"][:WIDEST])
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
    name = msgspec.json.encode(shown["collection"]).decode().replace("<", "\\u003c")
    ui.aggrid(
        {
            "columnDefs": [first, *columns],
            "defaultColDef": {"resizable": True, "width": 170, "minWidth": 60},
            "rowModelType": "infinite",
            "cacheBlockSize": BLOCK,
            "maxBlocksInCache": 20,
            "infiniteInitialRowCount": min(shown["rows"], BLOCK),
            "rowHeight": 32,
            "headerHeight": 34,
            ":datasource": f"({{getRows: {_FETCH % (execution_id, name)}}})",
            "enableCellTextSelection": True,
            "suppressColumnVirtualisation": False,
        },
        auto_size_columns=False,
    ).props('aria-label="Rows"')


def _write_columns(shown: Mapping[str, Any], *, ended: bool) -> Markup:
    """Return what is known of all columns; those that have none of their own in the files come last."""
    heading = f"{number(len(shown['columns']))} columns"
    parts = [table("Columns", _COLUMNS, _describe(shown["columns"]), "columns")]
    if shown["in_more"]:
        heading += f", and {number(len(shown['in_more']))} in the last of them"
        parts += [tag("h3", "Together in the last one"), _write_more(shown["in_more"])]
    about = "all rows" if ended else "the rows so far"
    hint = f"Of {about}: {number(shown['rows'])}. Missing: rows without such a value, not even null."
    return tag("details", tag("summary", heading), tag("p", hint, class_="hint"), *parts)


def _write_more(columns: Sequence[Mapping[str, Any]]) -> Markup:
    left = len(columns) - LISTED
    rest = tag("p", f"{number(left)} more are not listed here.", class_="hint") if left > 0 else None
    return join([table("Columns in the last one", _COLUMNS, _describe(columns[:LISTED]), "columns"), rest])


def _describe(columns: Iterable[Mapping[str, Any]]) -> Iterator[list[Any]]:
    for column in columns:
        name = tag("code", column["name"])
        if "types" in column:
            kinds = _say_types(column["types"])
            yield [name, kinds, number(column["nulls"]), number(column["missing"])]
        else:
            yield [name, tag("span", "an input", class_="quiet"), "–", "–"]


def _say_types(types: Mapping[str, int]) -> str:
    """Say which types values have; of several, how many have which."""
    if len(types) < 2:
        return next(iter(types), "–")
    return ", ".join(f"{kind} ({number(count)})" for kind, count in types.items())
