"""The dialog that starts an execution: its parameters and options, and what to expect."""

from nicegui import ui

from swath.errors import FieldError
from swath.operations import drafts, previews, triggers
from swath.ui.dialogs import Form
from swath.ui.frame import Visit, button, describe
from swath.ui.markup import several
from swath.ui.options import Options
from swath.ui.trial import write_estimate


def ask_run(visit: Visit, workflow_id: str, name: str) -> None:
    """Ask how to run a workflow, then run it and show the execution."""

    async def run() -> None:
        execution_id = await visit.ask(triggers.trigger, workflow_id, options.read())
        ui.navigate.to(f"/executions/{execution_id}")

    async def estimate(*, sends: bool = True) -> None:
        try:
            draft = await visit.ask(drafts.draft_workflow, workflow_id, options.given(), 1)
            if not sends:
                told.set_text(f"{several(draft.items, 'input item')}.")
                return
            told.set_text("Asking…")
            told.set_text(write_estimate(await visit.ask(previews.preview, draft, options.proxy())))
        except FieldError as error:
            told.set_text(describe(error))

    with Form(f"Run {name}", "Run", run):
        options = Options(visit)
        with ui.element("div").classes("line"):
            told = ui.label().classes("estimate").props('role="status"')
            button("Estimate with one request", estimate, "plain")
    ui.timer(0.05, lambda: estimate(sends=False), once=True)
