"""The dialog that starts an execution: its parameters and options, and what to expect."""

import json
from typing import Any, get_args

from nicegui import ui

from swath.errors import FieldError
from swath.flow.definition import Json, OutputFormat
from swath.operations import drafts, previews, triggers
from swath.operations.triggers import Trigger
from swath.ui.dialogs import Form, choose_proxy
from swath.ui.frame import Visit, button, describe
from swath.ui.markup import number
from swath.ui.sheet import read_lines
from swath.ui.trial import write_estimate


def ask_run(visit: Visit, workflow_id: str, name: str) -> None:
    """Ask how to run a workflow, then run it and show the execution."""

    async def run() -> None:
        asked = Trigger(
            proxy=proxy(),
            execution_parameters=_read_parameters(parameters.value),
            maximum_requests_count=None if most.value is None else int(most.value),
            output_aggregation_format=chosen.value,
            do_proxy_hot_swap=bool(swap.value),
            execution_name=called.value or None,
        )
        execution_id = await visit.ask(triggers.trigger, workflow_id, asked)
        ui.navigate.to(f"/executions/{execution_id}")

    async def estimate(*, sends: bool = True) -> None:
        try:
            given = _read_parameters(parameters.value)
            draft = await visit.ask(drafts.draft_workflow, workflow_id, given, 1)
            if not sends:
                told.set_text(f"{number(draft.items)} input items.")
                return
            told.set_text("Asking…")
            told.set_text(write_estimate(await visit.ask(previews.preview, draft, proxy())))
        except FieldError as error:
            told.set_text(describe(error))

    with Form(f"Run {name}", "Run", run):
        parameters = ui.textarea(
            "Parameters, a line each", placeholder="min_timestamp: 1546300800\nuser_id: [1, 2, 3]"
        )
        parameters.props("outlined dense autogrow input-class=mono")
        parameters.props("hint=\"A value takes a variable's place; a list takes its collection's.\"")
        proxy = choose_proxy(visit)
        with ui.element("div").classes("fields"):
            chosen = ui.select(list(get_args(OutputFormat)), value="csv", label="Format")
            chosen.props("outlined dense options-dense")
            most = ui.number("Most requests", min=1).props("outlined dense")
            called = ui.input("Name of the execution").props("outlined dense")
        swap = ui.checkbox("Swap proxies while it runs, where one fails or is blocked")
        with ui.element("div").classes("line"):
            told = ui.label().classes("estimate").props('role="status"')
            button("Estimate with one request", estimate, "plain")
    ui.timer(0.05, lambda: estimate(sends=False), once=True)


def _read_parameters(text: str | None) -> dict[str, Json]:
    """Return lines of names and values; a value that reads as JSON is that."""
    return {name: _read_value(str(value)) for name, value in read_lines(text or "").items()}


def _read_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
