"""The rows of an execution: a table that fetches what is looked at, of millions as of ten."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query
from markupsafe import Markup
from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from swath.errors import FieldError, NotFound
from swath.flow.rows.names import ROOT_NAME
from swath.operations import rows, users
from swath.ui.execution import has_ended, open_execution, watch
from swath.ui.frame import Visit, button, show, view
from swath.ui.markup import join, link, nothing, number, table, tag
from swath.ui.session import read_digest

router = APIRouter(include_in_schema=False)

#: Rows that the browser asks for at a time.
BLOCK = 100
#: Columns that a table has at most; a browser bears no more. The files have them all.
WIDEST = 300
#: Columns that are listed at most of those that stand together in the last one.
LISTED = 1_000
#: Seconds that a browser may take to say where somebody reads.
PATIENCE = 10.0
#: Why there are several tables.
LISTS = "Each list in the answers has a table of its own."
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
    """Give the table some rows, each its values by the columns' names; what is empty is left out."""
    context = request.app.state.house.context
    try:
        user = await users.recall(context, read_digest(context, request) or "")
        found = await rows.look(context, user, execution_id, collection, offset, limit)
    except FieldError as error:
        return Response(status_code=error.http_status)
    columns = found["columns"][:WIDEST]
    values = [{name: text for name in columns if (text := _write(row.get(name)))} for row in found["rows"]]
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
    if (shown := _choose(found, collection)) is None or not shown["columns"]:
        _say_none(execution)
        await watch(visit, execution, [] if has_ended(execution) else [_load_when_there(visit)])
        return
    parts = RowsView(execution_id, shown["collection"])
    parts.show(execution, found)

    async def refresh(new: Mapping[str, Any]) -> None:
        await parts.renew(new, await visit.ask(rows.describe, execution_id))

    await watch(visit, execution, [] if has_ended(execution) else [refresh])


def _load_when_there(visit: Visit) -> Callable[[Mapping[str, Any]], Awaitable[None]]:
    async def look(new: Mapping[str, Any]) -> None:
        if new["completed_at"] or any(
            each["columns"] for each in await visit.ask(rows.describe, str(new["id"]))
        ):
            ui.navigate.reload()

    return look


class RowsView:
    """The choice of a collection, its rows and its columns, kept up to date without a jump.

    Rows that come while somebody reads further down are shown when he says so: they may be anywhere.
    """

    def __init__(self, execution_id: str, collection: str) -> None:
        self._execution_id, self._collection = execution_id, collection
        self._told: Any = None
        self._choice = show(Markup())
        self._hint = show(Markup())
        with ui.element("div").classes("line warning") as self._more:
            show(Markup("More rows have come.")).props('role="status"')
            button("Show them", self._freshen)
        self._more.set_visibility(False)
        self._grid: ui.aggrid | None = None

    def show(self, execution: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
        """Draw what there is now."""
        shown = _choose(found, self._collection)
        assert shown is not None
        self._grid = _draw_grid(self._execution_id, shown)
        with ui.element("details"):
            self._heading = show(Markup(), element="summary")
            self._columns = show(Markup())
        self._write(execution, found, shown)

    async def renew(self, execution: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
        """Show what there is by now; its rows where nobody has gone further down."""
        shown, before = _choose(found, self._collection), self._told
        if shown is None or before == (found, execution["status"]):
            return
        at_top = await self._is_at_top()
        self._write(execution, found, shown)
        if at_top:
            self._freshen()
        elif before is None or before[0] != found:
            self._more.set_visibility(True)

    async def _is_at_top(self) -> bool:
        """Tell whether nobody reads further down; a browser that is too busy to say so may have a reader."""
        if self._grid is None:
            return True
        try:
            return bool(await ui.run_javascript(f"return isAtTop({self._grid.id})", timeout=PATIENCE))
        except TimeoutError:
            return False

    def _write(
        self, execution: Mapping[str, Any], found: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]
    ) -> None:
        self._told, self._shown = (found, execution["status"]), shown
        self._choice.set_content(str(_write_choice(self._execution_id, found, shown)))
        self._hint.set_content(str(_write_hint(found, shown)))
        self._heading.set_content(str(_head_columns(shown)))
        self._columns.set_content(str(_write_columns(shown, ended=has_ended(execution))))

    def _freshen(self) -> None:
        self._more.set_visibility(False)
        if self._grid is not None:
            self._grid.run_grid_method("setGridOption", "columnDefs", _define_columns(self._shown))
            self._grid.run_grid_method("refreshInfiniteCache")


def _say_none(execution: Mapping[str, Any]) -> None:
    if has_ended(execution):
        show(
            nothing(
                "There are no rows", "The overview says why: warnings, how items ended, answers by status."
            )
        )
    else:
        show(nothing("No rows yet", "They appear here as parts of the execution are finished."))


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


def _write_hint(found: Sequence[Mapping[str, Any]], shown: Mapping[str, Any]) -> Markup:
    """Say what a row of this table stands for, and what of it is not seen here."""
    told = [say_rows(shown["collection"])]
    if len(found) > 1:
        told.append(LISTS)
    if (wide := len(shown["columns"])) > WIDEST:
        told.append(f"{WIDEST} of {number(wide)} columns are shown; the files have them all.")
    return tag("p", " ".join(told), class_="hint")


def say_rows(collection: str) -> str:
    """Say what a row of a result collection stands for."""
    if collection != ROOT_NAME:
        return f"One row for each entry of {collection}."
    return (
        "One row for each answer, with the first entry of each list in it; "
        "where an answer is itself a list of entries, one row for each of them."
    )


def _define_columns(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    first = {
        "headerName": "#",
        "headerTooltip": "Rows are counted from 0, as items and pages are",
        "colId": "row",
        ":valueGetter": "params => params.node.rowIndex",
        "initialWidth": 90,
        "pinned": "left",
        "sortable": False,
        "cellClass": "row-number",
    }
    columns = [
        {"headerName": column["name"], "field": column["name"], "colId": column["name"], "sortable": False}
        for column in shown["columns"][:WIDEST]
    ]
    return [first, *columns]


def _draw_grid(execution_id: str, shown: Mapping[str, Any]) -> ui.aggrid:
    name = msgspec.json.encode(shown["collection"]).decode().replace("<", "\\u003c")
    grid = ui.aggrid(
        {
            "columnDefs": _define_columns(shown),
            "suppressFieldDotNotation": True,
            "defaultColDef": {"resizable": True, "initialWidth": 170, "minWidth": 60},
            ":onFirstDataRendered": "grid => grid.api.autoSizeAllColumns({defaultMaxWidth: 360})",
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
    )
    grid.props('aria-label="Rows"')
    return grid


def _head_columns(shown: Mapping[str, Any]) -> str:
    more = f", and {number(len(shown['in_more']))} in the last of them" if shown["in_more"] else ""
    return f"{number(len(shown['columns']))} columns{more}"


def _write_columns(shown: Mapping[str, Any], *, ended: bool) -> Markup:
    """Return what is known of all columns; those that have none of their own in the files come last."""
    parts = [table("Columns", _COLUMNS, _describe(shown["columns"]), "columns")]
    if shown["in_more"]:
        parts += [tag("h3", "Together in the last one"), _write_more(shown["in_more"])]
    about = "all rows" if ended else "the rows so far"
    hint = f"Of {about}: {number(shown['rows'])}. Missing: rows without such a value, not even null."
    return join([tag("p", hint, class_="hint"), *parts])


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
