"""When a workflow that takes another one's rows runs by itself, and with what: a part of the form."""

from collections.abc import Callable
from typing import Any, get_args

from nicegui import ui

from swath.flow.definition import ChainedEnd
from swath.ui.edits import put
from swath.ui.frame import show
from swath.ui.markup import tag
from swath.ui.sheet import Edit, Sheet

ENDS: tuple[ChainedEnd, ...] = get_args(ChainedEnd)
_WORDS: dict[ChainedEnd, str] = {"succeeded": "has succeeded", "partially_failed": "has failed in part"}


def set_ends(ends: list[ChainedEnd]) -> Edit:
    """Return the edit that says which ends of the other workflow start this one; all of them need no word."""
    return _edit("after", None if set(ends) == set(ENDS) else [each for each in ENDS if each in ends])


def set_parameters(names: list[str]) -> Edit:
    """Return the edit that names the parameters which are handed on; none named: all that are no lists."""
    return _edit("parameters", names or None)


def _edit(field: str, value: list[Any] | None) -> Edit:
    def edit(_: dict[str, Any], workflow: dict[str, Any]) -> None:
        chain = {key: each for key, each in _find(workflow).items() if key != field}
        if value is not None:
            chain[field] = value
        put(workflow, "chain", chain)

    return edit


def _find(workflow: dict[str, Any]) -> dict[str, Any]:
    found = workflow.get("chain")
    return found if isinstance(found, dict) else {}


class ChainForm:
    """The fields, there while a variable takes its values from another workflow's rows."""

    def __init__(self, sheet: Sheet, change: Callable[[Edit], None]) -> None:
        self._sheet, self._change, self._filling = sheet, change, False

    def draw(self) -> None:
        with ui.element("div").classes("stack tight") as self._place:
            show(tag("p", "It runs by itself each time the workflow whose rows it takes:", class_="hint"))
            with ui.element("div").classes("line"):
                self._boxes = {end: ui.checkbox(text, on_change=self._choose) for end, text in _WORDS.items()}
            self._names = ui.input("Parameters handed on to it", on_change=self._name)
            self._names.props('outlined dense debounce=300 hint="Names, with commas; empty: all but lists"')

    def fill(self) -> None:
        """Show what the sheet says now."""
        self._filling = True
        chain, mappings = _find(self._sheet.workflow), self._sheet.workflow.get("mappings")
        follows = isinstance(mappings, list) and any(
            isinstance(each, dict) and "from_result" in each for each in mappings
        )
        self._place.set_visibility(follows)
        ends = chain.get("after")
        for end, box in self._boxes.items():
            box.value = end in (ENDS if ends is None else ends)
        if self._read() != (names := chain.get("parameters") or []):
            self._names.value = ", ".join(map(str, names))
        self._filling = False

    def _read(self) -> list[str]:
        return [each.strip() for each in (self._names.value or "").split(",") if each.strip()]

    def _choose(self) -> None:
        if not self._filling:
            self._change(set_ends([end for end, box in self._boxes.items() if box.value]))

    def _name(self) -> None:
        if not self._filling:
            self._change(set_parameters(self._read()))
