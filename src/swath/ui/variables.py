"""The variables of a formula, as lines of a form: where each takes its values from."""

from collections.abc import Callable, Iterable
from itertools import count, islice
from typing import Any

from nicegui import ui

from swath.operations import collections, imports, workflows
from swath.ui import sources
from swath.ui.edits import names_used, put
from swath.ui.frame import Visit, button, show
from swath.ui.markup import number, shorten, tag
from swath.ui.sheet import Edit, Sheet

#: Items of a list that the form shows to be changed.
MOST_LINES = 200
#: Variables that the form shows, of a formula that has more; collections and workflows that each is offered.
#: All are told at once, and a server that tells a thousand times a thousand does nothing else meanwhile.
SHOWN = 50
OFFERED = 500
_NOWHERE = "One value"
_RULES = {sources.RANGE: "A range of numbers", sources.WINDOWS: "Windows of dates"}


class Variables:
    """A line for each variable that is declared or used.

    `changed` is called when one has changed, `refill` when the request has, too.
    """

    def __init__(
        self,
        visit: Visit,
        sheet: Sheet,
        secrets: dict[str, Any],
        changed: Callable[[], None],
        refill: Callable[[], None],
    ) -> None:
        self._visit, self._sheet, self._secrets = visit, sheet, secrets
        self._changed, self._refill = changed, refill
        self._offered: dict[str, str] = {}
        self._texts: set[str] = set()
        self._drawn: list[Any] | None = None

    async def draw(self) -> None:
        """Make the place for the lines; `fill` draws them."""
        lists = await self._visit.ask(collections.list_for, limit=OFFERED, cursor=None)
        others = await self._visit.ask(workflows.list_for, limit=OFFERED, cursor=None)
        is_short = lists.next_cursor is None and others.next_cursor is None
        self._told = "" if is_short else f"The newest {OFFERED} are offered; the formula takes any by name."
        names = sorted({each.name for each in lists.objects})
        self._texts = {f"collection:{each.name}" for each in lists.objects if each.kind == "text"}
        self._offered = {f"collection:{name}": name for name in names} | {
            f"workflow:{each.name}": f"Rows of {each.name}" for each in others.objects
        }
        self._place = ui.element("div").classes("stack")

    def fill(self) -> None:
        """Draw the lines, anew only where they are others than before."""
        if self._drawn == (state := self._state()):
            return
        self._drawn, names = state, self._names()
        self._place.clear()
        with self._place:
            for name in names[:SHOWN]:
                self._draw_line(name)
            if told := self._say_rest(len(names)):
                show(tag("p", told, class_="hint"))
            for spot in self._spots():
                self._draw_spot(spot)

    def _say_rest(self, count: int) -> str:
        if not count:
            return "None. Write {{user_id}} into the URL, the query or a header to have one."
        rest = count - SHOWN
        return f"{number(rest)} more stand in the formula only. {self._told}" if rest > 0 else self._told

    def _state(self) -> list[Any]:
        workflow = self._sheet.workflow
        return [
            (
                name,
                str(self._declared(name)),
                str(sources.find(workflow, name)),
                sources.batch(workflow, name),
                self._secrets.get(name),
            )
            for name in self._names()
        ] + self._spots()

    def _spots(self) -> list[Any]:
        """Return the values that look like one of many, while they stand in the templates."""
        return list(islice(imports.find_spots(self._sheet.endpoint), SHOWN))

    def _draw_spot(self, spot: imports.Spot) -> None:
        where = "the URL" if spot.parameter is None else spot.parameter
        with ui.element("div").classes("line hint"):
            show(tag("span", tag("code", shorten(spot.value)), f" in {where} looks like one of many."))
            button(f"Take {shorten(spot.value)} from a list", lambda: self._spread(spot), "plain snug")

    def _names(self) -> list[str]:
        """Return the variables that are declared or used."""
        endpoint = self._sheet.endpoint
        return list(dict.fromkeys([*names_used(endpoint), *(endpoint.get("variables") or {})]))

    def _declared(self, name: str) -> dict[str, Any]:
        found = (self._sheet.endpoint.get("variables") or {}).get(name)
        return found if isinstance(found, dict) else {}

    def _draw_line(self, name: str) -> None:
        declared = self._declared(name)
        source, said = sources.find(self._sheet.workflow, name)
        with ui.element("div").classes("variable").props("role=group") as line:
            line.props["aria-label"] = name
            with ui.element("div").classes("line spread"):
                show(tag("code", name))
                if source != sources.UNTIL:
                    secret = ui.checkbox("Secret", value=bool(declared.get("secret")))
            if source == sources.UNTIL:
                show(tag("span", f"The end of each window of {said.get('from_variable')}", class_="quiet"))
                return
            with ui.element("div").classes("fields"):
                choice = ui.select(self._options(source), value=source)
                choice.props('outlined dense options-dense label="Values from"')
                self._draw_more(name, source, said, declared)
        choice.on_value_change(lambda event: self._take(self._choosing(name, event.value)))
        secret.on_value_change(lambda event: self._declare(name, "secret", event.value or None))

    def _options(self, source: str) -> dict[str, str]:
        own = {f"collection:{each}": each for each in self._sheet.value.get("collections") or {}}
        rows_of_itself = f"workflow:{self._sheet.name}"
        offered = {key: text for key, text in self._offered.items() if key != rows_of_itself}
        known = {"": _NOWHERE, **own, **offered, **_RULES}
        return known if source in known else {**known, source: source.partition(":")[2]}

    def _draw_more(self, name: str, source: str, said: dict[str, Any], declared: dict[str, Any]) -> None:
        if not source and declared.get("secret"):
            ask_secret(self._secrets, name, "Its value", self._keep)
        elif not source:
            default = declared.get("default")
            text = "" if default is None else str(default)
            self._draw_field("Default", text, False, "", lambda value: self._default(name, value))
        for field, label, is_number in sources.FIELDS.get(source.partition(":")[0], ()):
            if field == sources.KEY and self._holds_texts(source) and not said.get(field):
                continue
            blank = "" if is_number else sources.BLANK.get(field, "")
            edit = self._setting(name, field, is_number)
            self._draw_field(label, said.get(field), is_number, blank, edit)
        if source:
            size = sources.batch(self._sheet.workflow, name)
            self._draw_field("Values in one request", size, True, "1", self._batching(name))
        kind, _, of = source.partition(":")
        if kind == "collection" and _is_short(self._sheet.lists.get(of)):
            self._draw_items(of)

    def _draw_field(
        self, label: str, value: Any, is_number: bool, blank: str, set_to: Callable[[Any], None]
    ) -> None:
        if is_number:
            field: Any = ui.number(label, value=value, placeholder=blank, format="%d")
        else:
            field = ui.input(label, value="" if value is None else str(value), placeholder=blank)
        field.props("outlined dense debounce=300").on_value_change(lambda event: set_to(event.value))

    def _holds_texts(self, source: str) -> bool:
        """Tell whether a collection's items are texts, which have no keys."""
        return source in self._texts or _is_short(self._sheet.lists.get(source.partition(":")[2]))

    def _draw_items(self, name: str) -> None:
        """Draw the values of a list that the formula holds itself."""
        known = {str(each): each for each in self._sheet.lists[name]}

        def take(event: Any) -> None:
            lines = [line.strip() for line in (event.value or "").splitlines() if line.strip()]
            items = [known.get(line, line) for line in lines]
            self._type(lambda endpoint, workflow: self._sheet.set_list(name, items))

        field = ui.textarea(f"Items of {name}, a line each", value="\n".join(known), on_change=take)
        field.props("outlined dense autogrow debounce=300 input-class=mono").classes("whole")

    # --- what a change does

    def _spread(self, spot: imports.Spot) -> None:
        """Put a variable in a value's place, and the value into a list of its own."""
        variable = free(spot.variable, self._names(), "_")
        taken = {key.partition(":")[2] for key in self._offered} | {*self._sheet.lists}
        name = free(variable, taken, " ")

        def edit(endpoint: dict[str, Any], workflow: dict[str, Any]) -> None:
            imports.fill_spot(endpoint, spot, variable)
            _declare(endpoint, variable, "default", None)
            self._sheet.set_list(name, [spot.value])
            sources.choose(workflow, variable, f"collection:{name}")

        self._take(edit)
        self._refill()

    def _keep(self) -> None:
        self._drawn = self._state()

    def _choosing(self, name: str, source: str) -> Edit:
        return lambda _, workflow: sources.choose(workflow, name, source)

    def _setting(self, name: str, field: str, is_number: bool) -> Callable[[Any], None]:
        def set_to(value: Any) -> None:
            self._type(
                lambda _, workflow: sources.set_field(workflow, name, field, value, is_number=is_number)
            )

        return set_to

    def _batching(self, name: str) -> Callable[[Any], None]:
        return lambda value: self._type(
            lambda _, workflow: sources.set_batch(workflow, name, None if value == 1 else value)
        )

    def _default(self, name: str, value: Any) -> None:
        self._type(lambda endpoint, _: _declare(endpoint, name, "default", value))

    def _declare(self, name: str, field: str, value: Any) -> None:
        self._take(lambda endpoint, _: _declare(endpoint, name, field, value))

    def _take(self, edit: Edit) -> None:
        self._sheet.change(edit)
        self._changed()
        self.fill()

    def _type(self, edit: Edit) -> None:
        """Take what is being typed, without drawing the field anew in which it is."""
        names = self._names()
        self._sheet.change(edit)
        self._changed()
        if names == self._names():
            self._drawn = self._state()
        else:
            self.fill()


def _is_short(items: Any) -> bool:
    """Tell whether a list is one of texts and numbers that a form can show."""
    is_plain = isinstance(items, list) and len(items) <= MOST_LINES
    return is_plain and all(isinstance(each, str | int) and "\n" not in str(each) for each in items)


def free(name: str, taken: Iterable[str], joint: str) -> str:
    """Return the name, or with a number behind it where it is taken."""
    known = {*taken}
    return next(each for n in count(1) if (each := name if n == 1 else f"{name}{joint}{n}") not in known)


def ask_secret(
    secrets: dict[str, Any], name: str, label: str, kept: Callable[[], None] = lambda: None
) -> None:
    """Draw the field for the value of a secret variable, which is no part of the formula."""

    def keep(event: Any) -> None:
        secrets[name] = event.value
        kept()

    field = ui.input(label, value=secrets.get(name, ""), password=True, on_change=keep)
    field.props('outlined dense autocomplete=off hint="Kept apart from the formula; empty: as it was"')


def _declare(endpoint: dict[str, Any], name: str, field: str, value: Any) -> None:
    variables = endpoint.setdefault("variables", {})
    if not isinstance(variables.get(name), dict):
        variables[name] = {}
    put(variables[name], field, value)
