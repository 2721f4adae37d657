"""All executions, newest first, kept up to date."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from markupsafe import Markup

from swath.errors import NotFound
from swath.flow.execution import STATUS_GROUPS
from swath.operations import executions, workflows
from swath.ui.frame import Place, Visit, heading, keep_looking, now, show, view
from swath.ui.markup import badge, join, lasted, link, moment, nothing, number, table, tag

SHOWN = 50
#: Seconds between two looks at a list on which something goes on, and at one on which something may begin.
LOOK_EVERY = 2.0
REST = 10.0
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
    address = f"/executions?status={status}&" if status else "/executions?"
    await show_list(visit, address, _say_none(status), group=status, cursor=cursor)


async def show_list(
    visit: Visit,
    address: str,
    empty: Markup,
    *,
    workflow_id: str | None = None,
    group: str | None = None,
    cursor: str | None = None,
) -> None:
    """Show executions, kept up to date; further ones are at `address`; `empty` where there are none."""
    names: dict[str, str] = {}
    known: set[str] = set()

    async def write() -> tuple[Markup, bool]:
        found, more = await visit.ask(
            executions.list_for, workflow_id=workflow_id, group=group, limit=SHOWN, cursor=cursor
        )
        if not found:
            return empty, False
        new = {each["workflow_id"] for each in found} - known
        known.update(new)
        names.update(await name_workflows(visit, new))
        origins = await name_origins(visit, found, names)
        rows = table(
            "Executions",
            _COLUMNS,
            [_write_row(each, names, origins.get(each["id"]), of=workflow_id) for each in found],
            "stacks",
        )
        further = link("Older executions", f"{address}cursor={more}") if more else None
        return join([rows, further]), any(each["completed_at"] is None for each in found)

    await keep_fresh(write)


async def name_workflows(visit: Visit, wanted: Iterable[str]) -> dict[str, str]:
    """Return the names of workflows by their ids, without those that are no more."""
    names = {}
    for workflow_id in dict.fromkeys(wanted):
        with suppress(NotFound):
            names[workflow_id] = (await visit.ask(workflows.show, workflow_id)).workflow.name
    return names


async def name_origins(
    visit: Visit, found: Sequence[Mapping[str, Any]], names: dict[str, str]
) -> dict[str, str]:
    """Say of executions that follow others, and so share their names, what they are; add names it wants."""
    workflows_of = {each["id"]: each["workflow_id"] for each in found}
    origins = {each["id"]: "retry" for each in found if each["parent_id"]}
    for each in found:
        if before := each["triggered_by"]:
            if before not in workflows_of:
                with suppress(NotFound):
                    workflows_of[before] = (await visit.ask(executions.show, before))["workflow_id"]
            workflow_id = workflows_of.get(before, "")
            if workflow_id not in names:
                names.update(await name_workflows(visit, [workflow_id]))
            origins[each["id"]] = f"after {names.get(workflow_id, 'a deleted one')}"
    return origins


async def keep_fresh(write: Any) -> Place:
    """Show what `write` returns, and again and again, more often while it says that something goes on."""
    content, goes_on = await write()
    place = show(content)

    async def look() -> None:
        content, again = await write()
        place.set_content(str(content))
        timer.interval = LOOK_EVERY if again else REST

    timer = keep_looking(LOOK_EVERY if goes_on else REST, look)
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


def _say_none(status: str | None) -> Markup:
    if status:
        return nothing(f"No execution is {status}", link("Show all executions", "/executions"))
    advice = "Open a workflow and press Run; it appears here at once. "
    return nothing("Nothing has been executed yet", advice, link("See your workflows", "/workflows"))


def _write_row(
    execution: Mapping[str, Any], names: Mapping[str, str], origin: str | None, of: str | None
) -> list[Any]:
    """Return a row; one among those `of` a workflow does not say its name again."""
    counters = execution["counters"]
    name = names.get(execution["workflow_id"], "Deleted workflow")
    called = execution["execution_name"] or name
    told = ", ".join(each for each in (name if called != name and not of else "", origin) if each)
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
        write_rows(execution),
        lasted(execution["started_at"], execution["completed_at"]),
        moment(execution["started_at"] or execution["created_at"], now()),
    ]


def write_rows(execution: Mapping[str, Any]) -> str:
    """Write how many rows the main table has, that of the records, once it is made."""
    files = execution["results"]
    return number(files[0]["rows"]) if files else "–"


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
