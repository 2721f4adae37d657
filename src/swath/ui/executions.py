"""All executions, newest first; those that go on are kept up to date."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.errors import NotFound
from swath.flow.execution import STATUS_GROUPS
from swath.operations import executions, workflows
from swath.ui.frame import Visit, heading, now, show, view
from swath.ui.markup import badge, join, lasted, link, moment, nothing, number, table, tag

SHOWN = 50
#: Seconds between two looks at a list on which something goes on.
LOOK_EVERY = 2.0
_COLUMNS = (
    "Execution",
    "Status",
    "Progress",
    ("Requests", "num"),
    ("Rows", "num"),
    ("Took", "num"),
    "Started",
)


@view("/executions", "Executions", "/executions")
async def list_executions(visit: Visit, status: str | None = None, cursor: str | None = None) -> None:
    heading("Executions")
    show(_write_filters(status))
    names = await name_workflows(visit)

    async def write() -> tuple[Markup, bool]:
        found, more = await visit.ask(
            executions.list_for, workflow_id=None, group=status, limit=SHOWN, cursor=cursor
        )
        goes_on = any(each["completed_at"] is None for each in found)
        return _write_list(found, names, await name_origins(visit, found, names), status, more), goes_on

    await keep_fresh(write)


async def name_workflows(visit: Visit) -> dict[str, str]:
    """Return the names of the visitor's workflows by their ids."""
    page = await visit.ask(workflows.list_for, limit=1_000, cursor=None)
    return {line.id: line.name for line in page.objects}


async def name_origins(
    visit: Visit, found: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, str]:
    """Say of executions that follow others, and so share their names, what they are."""
    workflows_of = {each["id"]: each["workflow_id"] for each in found}
    origins = {each["id"]: "retry" for each in found if each["parent_id"]}
    for each in found:
        if before := each["triggered_by"]:
            if before not in workflows_of:
                with suppress(NotFound):
                    workflows_of[before] = (await visit.ask(executions.show, before))["workflow_id"]
            origins[each["id"]] = f"after {names.get(workflows_of.get(before, ''), 'a deleted one')}"
    return origins


async def keep_fresh(write: Any) -> ui.html:
    """Show what `write` returns, and again every few seconds while it says that something goes on."""
    content, goes_on = await write()
    place = show(content)

    async def look() -> None:
        place.content, again = await write()
        timer.active = again

    timer = ui.timer(LOOK_EVERY, look, active=goes_on, immediate=False)
    return place


def _write_filters(status: str | None) -> Markup:
    places = [("All", None), *((group.title(), group) for group in STATUS_GROUPS)]
    links = [
        link(
            name,
            f"/executions?status={group}" if group else "/executions",
            aria_current="page" if group == status else None,
        )
        for name, group in places
    ]
    return tag("nav", *links, class_="tabs", aria_label="Which executions")


def _write_list(
    found: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    origins: Mapping[str, str],
    status: str | None,
    more: str | None,
) -> Markup:
    if not found and status:
        return nothing(f"No execution is {status}", link("Show all executions", "/executions"))
    if not found:
        advice = (
            "Open a workflow and press Run; it appears here at once. ",
            link("See your workflows", "/workflows"),
        )
        return nothing("Nothing has been executed yet", *advice)
    query = f"status={status}&" if status else ""
    further = link("Older executions", f"/executions?{query}cursor={more}") if more else None
    return join([write_table(found, names, origins), further])


def write_table(
    found: Sequence[Mapping[str, Any]], names: Mapping[str, str], origins: Mapping[str, str]
) -> Markup:
    """Return executions as a table."""
    rows = [_write_row(each, names, origins.get(each["id"])) for each in found]
    return table("Executions", _COLUMNS, rows, "stacks")


def _write_row(execution: Mapping[str, Any], names: Mapping[str, str], origin: str | None) -> list[Any]:
    counters = execution["counters"]
    name = names.get(execution["workflow_id"], "Deleted workflow")
    called = execution["execution_name"] or name
    told = ", ".join(each for each in (name if called != name else "", origin) if each)
    return [
        join(
            [
                link(called, f"/executions/{execution['id']}"),
                tag("span", told, class_="sub") if told else None,
            ]
        ),
        badge(execution["status"]),
        bar(execution),
        number(counters["attempts"]),
        number(counters["rows"]) if execution["completed_at"] else "–",
        lasted(execution["started_at"], execution["completed_at"]),
        moment(execution["started_at"] or execution["created_at"], now()),
    ]


def bar(execution: Mapping[str, Any]) -> Markup:
    """Return how far an execution is, as a figure and a bar."""
    counters = execution["counters"]
    told = f"{number(counters['items_ended'])} of {number(counters['items'])} items"
    filled = tag("i", style=f"width:{execution['progress'] * 100:.1f}%")
    attributes = {
        "aria_valuenow": round(execution["progress"] * 100),
        "aria_valuemin": 0,
        "aria_valuemax": 100,
    }
    drawn = tag(
        "div",
        filled,
        class_=f"progress is-{execution['status']}",
        role="progressbar",
        aria_label=told,
        **attributes,
    )
    return join([drawn, tag("span", told, class_="sub")])
