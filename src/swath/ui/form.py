"""A formula as a form: the request, where its variables come from, pages, filters, limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

from nicegui import ui

from swath.flow.definition import LoopGuard, PaginatorType
from swath.ui.chain import ChainForm
from swath.ui.edits import (
    edit_body,
    edit_filters,
    put,
    set_endpoint,
    set_endpoint_lines,
    set_workflow,
    set_workflow_number,
    whole,
    write_filters,
)
from swath.ui.frame import Visit, show
from swath.ui.markup import tag
from swath.ui.rates import Rates
from swath.ui.sheet import Edit, Sheet, write_lines, write_value
from swath.ui.sources import tidy
from swath.ui.variables import Variables

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
#: The fields that each kind of paginator asks for.
PAGING: dict[str, tuple[str, ...]] = {
    "none": (),
    "page_number": ("variable", "start", "total_path", "has_more_path"),
    "offset": ("variable", "limit", "total_path"),
    "cursor": ("cursor_path", "variable"),
    "next_url": ("next_url_path",),
    "header_link": ("rel",),
    "header_cursor": ("header", "variable"),
}
#: What a field looks like that is filled in.
EXAMPLES = {
    "variable": "page",
    "total_path": "$.total",
    "has_more_path": "$.has_more",
    "cursor_path": "$.next_cursor",
    "next_url_path": "$.links.next",
    "rel": "next",
    "header": "X-Next-Cursor",
}
GUARDS: dict[LoopGuard, str] = {
    "stop": "End the item",
    "fail": "Fail the item",
    "allow": "Go on",
}
NUMBERS = frozenset({"start", "limit", "concurrency", "max_pages_per_item"})


class FormulaForm:
    """The form over a sheet. `changed` is called when the visitor has changed something in it."""

    def __init__(
        self, visit: Visit, sheet: Sheet, secrets: dict[str, Any], changed: Callable[[], None]
    ) -> None:
        self._sheet, self._changed = sheet, changed
        self._filling = False
        self._fields: list[tuple[Any, Callable[[], Any]]] = []
        self._variables = Variables(visit, sheet, secrets, self._variables_changed, self.fill)
        self._chain = ChainForm(sheet, self._change)

    async def draw(self) -> None:
        """Draw the form, and fill it."""
        self._draw_request()
        show(tag("h3", "Variables"))
        await self._variables.draw()
        self._chain.draw()
        show(tag("h3", "Pages"))
        self._draw_paging()
        show(tag("h3", "Filters and limits"))
        self._draw_limits()
        self.fill()

    def fill(self) -> None:
        """Show what the sheet says now. Raises what Python does where a value is of another kind."""
        with self._fills():
            for field, read in self._fields:
                field.value = read()
            self._shape()
            self._variables.fill()
            self._chain.fill()
            self._rates.fill(self._sheet.workflow.get("rate_limits") or [])

    @contextmanager
    def _fills(self) -> Iterator[None]:
        """While this lasts, what changes in the form is no visitor's doing."""
        self._filling = True
        try:
            yield
        finally:
            self._filling = False

    def _variables_changed(self) -> None:
        self._chain.fill()
        self._changed()

    def _change(self, edit: Edit) -> None:
        self._sheet.change(edit)
        self._changed()

    def _limit(self, limits: list[dict[str, Any]]) -> None:
        self._change(set_workflow("rate_limits")([dict(each) for each in limits]))

    def _shape(self) -> None:
        kind = self._paginator().get("type", "none")
        for name, field in self._paging.items():
            field.set_visibility(name in PAGING.get(kind, ()))

    def _bind(self, field: Any, read: Callable[[], Any], edit: Callable[[Any], Edit]) -> Any:
        """Tie a field to the sheet, both ways."""
        self._fields.append((field, read))

        def take(event: Any) -> None:
            if self._filling:
                return
            self._sheet.change(tidy(edit(event.value)))
            self._changed()
            with self._fills():
                self._shape()
                self._variables.fill()

        field.on_value_change(take)
        return field

    def _bind_lines(
        self, label: str, example: str, read: Callable[[], str], edit: Callable[[Any], Edit]
    ) -> None:
        field = ui.textarea(label, placeholder=example, value=read())
        field.props("outlined dense autogrow debounce=300 input-class=mono")
        self._bind(field, read, edit)

    # --- the request

    def _draw_request(self) -> None:
        sheet = self._sheet
        name = _input("Name of the workflow", sheet.name)
        self._fields.append((name, lambda: sheet.name))
        name.on_value_change(self._rename)
        with ui.element("div").classes("request"):
            method = ui.select(list(METHODS), label="Method").props("outlined dense options-dense")
            self._bind(method, lambda: sheet.endpoint.get("method", "GET"), set_endpoint("method", "GET"))
            url = _input("URL, with {{variables}}", sheet.endpoint.get("url", "")).props("input-class=mono")
            self._bind(url, lambda: sheet.endpoint.get("url", ""), set_endpoint("url"))
        with ui.element("div").classes("pair tight"):
            self._bind_lines(
                "Query, a line each",
                "page: {{page}}",
                lambda: write_lines(sheet.endpoint.get("query")),
                set_endpoint_lines("query"),
            )
            self._bind_lines(
                "Headers, a line each",
                "Accept: application/json",
                lambda: write_lines(sheet.endpoint.get("headers")),
                set_endpoint_lines("headers"),
            )
        self._bind_lines(
            "Body, as YAML: json, form, text, graphql or multipart",
            'json: {"ids": ["{{user_id}}"]}',
            lambda: write_value(sheet.endpoint.get("body")),
            edit_body,
        )

    def _rename(self, event: Any) -> None:
        if not self._filling and event.value and event.value != self._sheet.name:
            self._sheet.rename(event.value)
            self._changed()

    # --- pages, filters, limits

    def _paginator(self) -> dict[str, Any]:
        found = self._sheet.workflow.get("paginator")
        return found if isinstance(found, dict) else {}

    def _draw_paging(self) -> None:
        with ui.element("div").classes("fields"):
            words = {kind: kind.replace("_", " ") for kind in get_args(PaginatorType)}
            words["none"] = "one page only"
            kind = ui.select(words, label="How pages follow").props("outlined dense options-dense")
            self._bind(kind, lambda: self._paginator().get("type", "none"), self._edit_paging("type"))
            self._paging: dict[str, Any] = {}
            for name in dict.fromkeys(field for fields in PAGING.values() for field in fields):
                read = self._read_paging(name)
                make = _number if name in NUMBERS else _input
                field = make(name.replace("_", " ").capitalize(), read())
                field.props["placeholder"] = EXAMPLES.get(name, "")
                self._paging[name] = self._bind(field, read, self._edit_paging(name))

    def _read_paging(self, name: str) -> Callable[[], Any]:
        blank = None if name in NUMBERS else ""
        return lambda: self._paginator().get(name, blank)

    def _edit_paging(self, name: str) -> Callable[[Any], Edit]:
        def of(value: Any) -> Edit:
            def edit(_: dict[str, Any], workflow: dict[str, Any]) -> None:
                paginator = dict(self._paginator())
                if name == "type":
                    kept = {*PAGING.get(value, ()), "max_pages_per_item", "record_path", "stop_when"}
                    paginator = {key: each for key, each in paginator.items() if key in kept}
                    paginator = {"type": value, **paginator}
                else:
                    put(paginator, name, whole(value) if name in NUMBERS else value)
                put(workflow, "paginator", None if paginator.get("type") in (None, "none") else paginator)

            return edit

        return of

    def _draw_limits(self) -> None:
        sheet = self._sheet
        self._bind_lines(
            "Filters, a line each",
            "results.created_at >= {{min_timestamp}}",
            lambda: write_filters(sheet.workflow.get("filters") or []),
            edit_filters,
        )
        self._rates = Rates(self._limit)
        with ui.element("div").classes("fields"):
            side = _number("Items at the same time", sheet.workflow.get("concurrency"))
            side.props('hint="Each asks for its pages in turn" placeholder=16')
            self._bind(side, lambda: sheet.workflow.get("concurrency"), set_workflow_number("concurrency"))
            most = _number("Most pages of an item", self._paginator().get("max_pages_per_item"))
            self._bind(
                most,
                lambda: self._paginator().get("max_pages_per_item"),
                self._edit_paging("max_pages_per_item"),
            )
            guard = ui.select(GUARDS, label="Where pages repeat").props("outlined dense options-dense")
            self._bind(
                guard, lambda: sheet.workflow.get("loop_guard", "stop"), set_workflow("loop_guard", "stop")
            )


# A field is made with its value: one that is set later would come after what is typed at once.


def _input(label: str, value: Any) -> ui.input:
    return ui.input(label, value=value).props("outlined dense debounce=300")


def _number(label: str, value: Any) -> ui.number:
    return ui.number(label, value=value, min=0).props("outlined dense debounce=300")
