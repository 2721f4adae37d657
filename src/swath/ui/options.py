"""The options of an execution, as fields: in the dialog that runs a workflow, and in that of a schedule."""

import json
from dataclasses import replace
from typing import Any, get_args

from nicegui import ui

from swath.flow.definition import Json, OutputFormat
from swath.flow.execution import HIGHEST, LOWEST, USUAL
from swath.operations.triggers import Bounds, Trigger
from swath.ui.dialogs import choose_proxy
from swath.ui.edits import whole
from swath.ui.frame import Visit
from swath.ui.sheet import read_lines, write_lines


class Options:
    """Fields for what may be asked of an execution; `was` is what they show first."""

    def __init__(self, visit: Visit, was: Trigger | None = None, *, named: bool = True) -> None:
        self._kept, was = was, was or Trigger()
        self.parameters = ui.textarea(
            "Parameters, a line each",
            value=write_lines(was.execution_parameters),
            placeholder="min_timestamp: 1546300800\nuser_id: [1, 2, 3]",
        )
        self.parameters.props("outlined dense autogrow input-class=mono")
        self.parameters.props("hint=\"A value takes a variable's place; a list takes its collection's.\"")
        self.proxy = choose_proxy(visit, keep=self._kept is not None)
        with ui.element("div").classes("fields"):
            self._format = ui.select(
                list(get_args(OutputFormat)), value=was.output_aggregation_format or "csv", label="Format"
            ).props("outlined dense options-dense")
            self._requests = _number("Most requests", was.maximum_requests_count)
            self._name = ui.input("Name of the execution", value=was.execution_name or "")
            self._name.props("outlined dense").set_visibility(named)
        self._swap = ui.checkbox(
            "Swap proxies while it runs, where one fails or is blocked", value=bool(was.do_proxy_hot_swap)
        )
        bounds = was.limits or Bounds()
        with ui.expansion("More options").classes("more"), ui.element("div").classes("fields"):
            self._rows = _number("Most rows", bounds.rows)
            self._seconds = _number("Most seconds", bounds.seconds)
            self._priority = _number("Priority, 9 goes first", was.priority or USUAL, LOWEST, HIGHEST)

    def given(self) -> dict[str, Json]:
        """Return the parameters: lines of names and values; a value that reads as JSON is that."""
        lines = read_lines(self.parameters.value or "")
        return {name: _read_value(str(value)) for name, value in lines.items()}

    def read(self) -> Trigger:
        """Return what is asked for now; what has no field here stays as it was."""
        was = self._kept or Trigger()
        bounds = replace(
            was.limits or Bounds(), rows=whole(self._rows.value), seconds=self._seconds.value or None
        )
        return replace(
            was,
            proxy=self.proxy() or was.proxy,
            execution_parameters=self.given() or None,
            maximum_requests_count=whole(self._requests.value),
            limits=None if bounds == Bounds() else bounds,
            output_aggregation_format=self._format.value,
            do_proxy_hot_swap=bool(self._swap.value),
            execution_name=self._name.value or None,
            priority=whole(self._priority.value),
        )


def _number(label: str, value: float | None, least: float = 1, most: float | None = None) -> ui.number:
    return ui.number(label, value=value, min=least, max=most).props("outlined dense")


def _read_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
