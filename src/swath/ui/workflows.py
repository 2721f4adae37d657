"""Workflows: the list with how they fare, one's own view, and new ones from what other tools wrote."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.errors import InvalidInput, NotFound
from swath.importers import KINDS
from swath.operations import executions, formulas, workflows
from swath.operations.workflows import WorkflowLine
from swath.ui.dialogs import Form
from swath.ui.editor import Editor
from swath.ui.executions import keep_fresh, show_list, write_rows
from swath.ui.frame import Visit, button, heading, now, say, show, view
from swath.ui.imports import FORMULA, WORDS, draw_import
from swath.ui.markup import badge, code, join, link, moment, nothing, number, table, tag
from swath.ui.run import ask_run
from swath.ui.sheet import NEW, Sheet, leave_out_items

SHOWN = 100
#: Executions by which a workflow's health is told.
RECENT = 8
PARTS = (("Definition", ""), ("Executions", "/executions"))
_COLUMNS = ("Workflow", "Last execution", ("Items", "num"), ("Rows", "num"), "Health", "When")


@view("/workflows", "Workflows", "/workflows")
async def list_workflows(visit: Visit, cursor: str | None = None) -> None:
    heading("Workflows", link("New workflow", "/workflows/new", class_="act-link primary push"))
    page = await visit.ask(workflows.list_for, limit=SHOWN, cursor=cursor)
    if not page.objects:
        advice = (
            "A workflow is one request with variables, and where their values come from. "
            "Begin with a request that works: ",
            link("paste a cURL command", "/workflows/new/curl"),
            ", or ",
            link("write it yourself", "/workflows/new"),
            ".",
        )
        show(nothing("Describe your first workflow", *advice))
        return
    rows = [await _write_row(visit, line) for line in page.objects]
    further = link("Older workflows", f"/workflows?cursor={page.next_cursor}") if page.next_cursor else None
    legend = tag("p", f"Health: the last {RECENT} executions, the newest to the right.", class_="hint")
    show(join([table("Workflows", _COLUMNS, rows, "stacks"), legend, further]))


async def _write_row(visit: Visit, line: WorkflowLine) -> list[Any]:
    found, _ = await visit.ask(
        executions.list_for, workflow_id=line.id, group=None, limit=RECENT, cursor=None
    )
    title = link(line.name, f"/workflows/{line.id}")
    if not found:
        return [title, tag("span", "never run", class_="quiet"), "–", "–", "–", "–"]
    last = found[0]
    state = tag("a", badge(last["status"]), href=f"/executions/{last['id']}")
    when = moment(last["started_at"] or last["created_at"], now())
    return [title, state, number(last["counters"]["items"]), write_rows(last), _write_health(found), when]


def _write_health(found: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a mark for each of the last executions, the newest last, and in words what they say."""
    words = [each["status"].replace("_", " ") for each in found]
    marks = [
        tag(
            "a",
            "",
            class_=f"mark-of is-{each['status']}",
            href=f"/executions/{each['id']}",
            title=word,
            aria_label=word,
        )
        for each, word in zip(found, words, strict=True)
    ]
    counts = ", ".join(f"{count} {word}" for word, count in Counter(words).most_common())
    said = f"Last executions, the newest to the right: {counts}"
    return tag("span", *reversed(marks), class_="health", role="group", title=said, aria_label=said)


@view("/workflows/new", "New workflow", "/workflows")
async def write_new(visit: Visit) -> None:
    await _draw_new(visit, None)


@view("/workflows/new/{kind}", "New workflow", "/workflows")
async def import_new(visit: Visit, kind: str) -> None:
    if kind not in (*KINDS, FORMULA):
        raise NotFound("kind", f"There is no import of {kind!r}.")
    await _draw_new(visit, kind)


async def _draw_new(visit: Visit, kind: str | None) -> None:
    editor = Editor(visit, Sheet(NEW))

    async def save() -> None:
        found = await editor.foresee()
        if taken := [f"{each.kind} {each.name}" for each in found.changes if each.action == "update"]:
            _ask_taken(taken, keep)
        else:
            await keep()

    async def keep() -> None:
        applied = await editor.save()
        workflow_id = applied.workflows.get(editor.sheet.name) or next(iter(applied.workflows.values()))
        ui.navigate.to(f"/workflows/{workflow_id}")

    show(link("Workflows", "/workflows"), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", "New workflow"))
        with ui.element("div").classes("line push"):
            button("Save", save, "primary")
    places = [
        ("Write it", None),
        *((f"From {WORDS.get(each, each)}", each) for each in (*KINDS, FORMULA)),
    ]
    links = [
        link(
            text,
            f"/workflows/new/{each}" if each else "/workflows/new",
            aria_current="page" if each == kind else None,
        )
        for text, each in places
    ]
    show(tag("nav", *links, class_="tabs", aria_label="Where it comes from"))
    if kind is not None:
        draw_import(editor, kind)
    await editor.draw()


def _ask_taken(taken: Sequence[str], keep: Callable[[], Awaitable[None]]) -> None:
    with Form("This changes what is there already", "Change it", keep, kind="danger", leave="Not now"):
        ui.label("By these names you have something already, which saving would change:")
        show(tag("ul", *(tag("li", each) for each in taken)))
        ui.label("To keep both, leave this and give the new one another name.")


@view("/workflows/{workflow_id}", "Workflow", "/workflows")
async def show_workflow(visit: Visit, workflow_id: str) -> None:
    kept = await visit.ask(workflows.show, workflow_id)
    ui.page_title(f"{kept.workflow.name} · Swath")
    text = leave_out_items(await visit.ask(formulas.export, workflow_id))
    editor = Editor(visit, Sheet(text, kept.workflow.name), workflow_id)

    async def keep() -> None:
        await _rename(visit, workflow_id, editor)
        applied = await editor.save()
        title.set_content(str(tag("h1", editor.sheet.name)))
        changed = sum(change.action != "unchanged" for change in applied.changes)
        told = "Saved." if changed or editor.given() else "Nothing had changed."
        missing = ", ".join(applied.secrets_missing)
        say(f"{told} Still without a value: {missing}." if missing else told)

    async def save() -> bool:
        if changes := await editor.find_changes():
            _ask_over(changes, keep)
            return False
        await keep()
        return True

    async def run() -> None:
        if editor.sheet.text == editor.sheet.saved or await save():
            ask_run(visit, workflow_id, editor.sheet.name)

    show(link("Workflows", "/workflows"), "crumbs")
    with ui.element("div").classes("heading"):
        title = show(tag("h1", kept.workflow.name))
        await _draw_last(visit, workflow_id)
        with ui.element("div").classes("line push"):
            button("Run…", run, "primary")
            button("Save", save)
            button("Delete…", lambda: _ask_delete(visit, workflow_id, kept.workflow.name), "danger")
    show(_write_tabs(workflow_id, ""))
    await editor.draw()


async def _draw_last(visit: Visit, workflow_id: str) -> None:
    """Tell of the last execution, kept up to date while it goes on."""

    async def write() -> tuple[Markup, bool]:
        found, _ = await visit.ask(
            executions.list_for, workflow_id=workflow_id, group=None, limit=1, cursor=None
        )
        if not found:
            return tag("span", "never run", class_="quiet"), False
        last = found[0]
        when = moment(last["started_at"] or last["created_at"], now())
        state = tag("a", badge(last["status"]), href=f"/executions/{last['id']}", title="The last execution")
        return join([state, " ", tag("span", when, class_="quiet")]), last["completed_at"] is None

    await keep_fresh(write)


def _write_tabs(workflow_id: str, part: str) -> Markup:
    base = f"/workflows/{workflow_id}"
    links = [link(text, base + end, aria_current="page" if end == part else None) for text, end in PARTS]
    return tag("nav", *links, class_="tabs", aria_label="Parts of this workflow")


@view("/workflows/{workflow_id}/executions", "Executions of a workflow", "/workflows")
async def list_own(visit: Visit, workflow_id: str, cursor: str | None = None) -> None:
    name = (await visit.ask(workflows.show, workflow_id)).workflow.name
    ui.page_title(f"Executions of {name} · Swath")
    show(link("Workflows", "/workflows"), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", name))
        with ui.element("div").classes("line push"):
            button("Run…", lambda: ask_run(visit, workflow_id, name), "primary")
    show(_write_tabs(workflow_id, "/executions"))
    empty = nothing("Never run", "Press Run; how it goes appears here at once.")
    address = f"/workflows/{workflow_id}/executions?"
    await show_list(visit, address, empty, workflow_id=workflow_id, cursor=cursor)


def _ask_over(changes: str, keep: Callable[[], Awaitable[None]]) -> None:
    with Form("It was changed elsewhere", "Save over it", keep, kind="danger", leave="Not now"):
        ui.label("Since you opened it here, this was saved, perhaps in another window:")
        show(code(changes, "diff"))
        ui.label("Saving what you have here undoes that. Until then it is kept, over a reload too.")


async def _rename(visit: Visit, workflow_id: str, editor: Editor) -> None:
    """Give a kept workflow its new name first: a formula finds what it changes by name."""
    kept, name = await visit.ask(workflows.show, workflow_id), editor.sheet.name
    if name and kept.workflow.name != name:
        if (await editor.foresee()).workflows.get(name) is not None:
            raise InvalidInput("name", f"You have another workflow that is called {name}.")
        await visit.ask(workflows.update, workflow_id, lambda old: replace(old, name=name))


def _ask_delete(visit: Visit, workflow_id: str, name: str) -> None:
    async def delete() -> None:
        await visit.ask(workflows.delete, workflow_id)
        ui.navigate.to("/workflows")

    with Form(f"Delete {name}?", "Delete it", delete, kind="danger", leave="Keep it"):
        ui.label("What it is executing is cancelled. Ended executions and their files stay readable.")
