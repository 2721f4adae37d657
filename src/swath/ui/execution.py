"""One execution: how it goes, and what can be done about it. Each part of it has its address."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.errors import NotFound
from swath.flow.execution import TERMINAL
from swath.operations import executions, pace, workflows
from swath.ui.chart import PaceChart
from swath.ui.control import add_controls
from swath.ui.executions import bar, write_rows
from swath.ui.frame import Visit, keep_looking, now, show, view
from swath.ui.markup import (
    badge,
    code,
    facts,
    join,
    lasted,
    link,
    moment,
    nothing,
    number,
    size,
    stretch,
    tag,
)

#: Seconds between two looks at an execution that goes on.
LOOK_EVERY = 1.0
PARTS = (
    ("Overview", ""),
    ("Rows", "/rows"),
    ("Files", "/files"),
    ("Failures", "/failures"),
    ("Items", "/items/0"),
    ("Events", "/events"),
)
Refresh = Callable[[Mapping[str, Any]], Any]


@view("/executions/{execution_id}", "Execution", "/executions")
async def show_execution(visit: Visit, execution_id: str) -> None:
    execution = await open_execution(visit, execution_id, "")
    await watch(visit, execution, [await _draw_overview(visit, execution)])


async def open_execution(visit: Visit, execution_id: str, part: str) -> dict[str, Any]:
    """Write what stands above every part of an execution; return the execution."""
    execution = await visit.ask(executions.show, execution_id)
    name = await _name(visit, execution)
    ui.page_title(f"{name} · Swath")
    trail = [link("Executions", "/executions")]
    if execution.get("parent_id"):
        trail.append(link("Retry of", f"/executions/{execution['parent_id']}"))
    if execution.get("triggered_by"):
        trail.append(link("Started by", f"/executions/{execution['triggered_by']}"))
    show(join(trail, " / "), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", name))
        state = show(badge(execution["status"]))
        state.props('role="status" aria-label="Status"')
        add_controls(visit, execution)
    visit.on_change.append(lambda new: state.set_content(str(badge(new["status"]))))
    show(_write_tabs(execution, part))
    return execution


async def _name(visit: Visit, execution: Mapping[str, Any]) -> str:
    if execution["execution_name"]:
        return str(execution["execution_name"])
    try:
        return (await visit.ask(workflows.show, execution["workflow_id"])).workflow.name
    except NotFound:
        return "Deleted workflow"


def _write_tabs(execution: Mapping[str, Any], part: str) -> Markup:
    base = f"/executions/{execution['id']}"
    links = [link(text, base + end, aria_current="page" if end == part else None) for text, end in PARTS]
    return tag("nav", *links, class_="tabs", aria_label="Parts of this execution")


async def watch(visit: Visit, execution: Mapping[str, Any], parts: Sequence[Refresh] = ()) -> None:
    """Keep a view of an execution up to date until it has ended, and once more then."""
    visit.on_change.extend(parts)
    for part in parts:
        await _call(part, execution)

    async def look() -> None:
        new = await visit.ask(executions.show, execution["id"])
        for part in visit.on_change:
            await _call(part, new)
        if new["completed_at"]:
            timer.deactivate()

    timer = keep_looking(LOOK_EVERY, look, active=execution["completed_at"] is None)


async def _call(part: Refresh, execution: Mapping[str, Any]) -> None:
    result = part(execution)
    if isinstance(result, Awaitable):
        await result


async def _draw_overview(visit: Visit, execution: Mapping[str, Any]) -> Refresh:
    told, figures = show(Markup()), show(Markup(), "card")
    with ui.element("section").classes("card").props('aria-label="Pace"'):
        chart = PaceChart()
    shares, about = show(Markup(), "pair"), show(Markup(), "card")
    workflow = await _link_workflow(visit, execution)

    async def refresh(new: Mapping[str, Any]) -> None:
        told.set_content(str(_write_warnings(new)))
        told.set_visibility(bool(told.content))
        told_pace = await visit.ask(pace.show, new["id"])
        figures.set_content(str(_write_figures(new, sum(point["rows"] for point in told_pace["points"]))))
        chart.draw(told_pace)
        shares.set_content(str(_write_shares(new)))
        about.set_content(str(_write_about(new, workflow)))

    return refresh


async def _link_workflow(visit: Visit, execution: Mapping[str, Any]) -> Markup:
    try:
        workflow = await visit.ask(workflows.show, execution["workflow_id"])
    except NotFound:
        return tag("span", "deleted", class_="quiet")
    return link(workflow.workflow.name, f"/workflows/{workflow.id}")


def _write_warnings(execution: Mapping[str, Any]) -> Markup:
    error = [tag("p", execution["error"], class_="alert", role="alert")] if execution["error"] else []
    waits = [execution["waiting_for"]] if execution["waiting_for"] else []
    return join([*error, *(tag("p", text, class_="warning") for text in [*waits, *execution["warnings"]])])


def _write_figures(execution: Mapping[str, Any], seen: int) -> Markup:
    """Return the counts; `seen` are the rows so far, where they are counted while they come."""
    counters = execution["counters"]
    failed = sum(
        count
        for reason, count in counters["stop_reasons"].items()
        if reason in ("failed", "rate_limited", "blocked_address", "cancelled")
    )
    figures = [
        ("Requests", number(counters["attempts"])),
        ("Pages", number(counters["pages"])),
        ("Rows", _count_all(execution))
        if execution["completed_at"]
        else ("New rows so far" if counters["items_kept"] else "Rows so far", _count_seen(seen)),
        ("Failed items", link(number(failed), f"/executions/{execution['id']}/failures") if failed else "0"),
        ("Received", size(counters["bytes"])),
        *_write_times(execution),
    ]
    big = tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", text)) for name, text in figures), class_="facts big"
    )
    return join([bar(execution), big])


def _count_seen(seen: int) -> Markup:
    """Return the rows so far; where nothing asks for their number meanwhile, it is not known."""
    return join([number(seen)]) if seen else join(["–", tag("span", "counted at the end", class_="sub")])


def _count_all(execution: Mapping[str, Any]) -> Markup:
    """Return the rows of the main table, the one that is counted while it grows, and those of all."""
    told = f"{number(execution['counters']['rows'])} in all tables" if len(execution["results"]) > 1 else None
    return join([write_rows(execution), tag("span", told, class_="sub") if told else None])


def _write_times(execution: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if execution["completed_at"]:
        yield "Took", lasted(execution["started_at"], execution["completed_at"])
    elif execution["seconds_left"] is not None and execution["status"] == "running":
        yield "About left", stretch(execution["seconds_left"])


def _write_shares(execution: Mapping[str, Any]) -> Markup:
    counters = execution["counters"]
    stops = {reason: count for reason, count in counters["stop_reasons"].items() if count}
    return join(
        [
            _write_share("How items ended", stops, "No item has ended.", lambda reason: f"is-{reason}"),
            _write_share("Answers by status", counters["statuses"], "Nothing was answered.", _class_of),
        ]
    )


def _class_of(status: str) -> str:
    """Return the colour of a status; what is no number is the code of a fault, as bad as a 5xx."""
    return f"is-{status[0]}" if status.isdecimal() else "is-5"


def _write_share(
    heading: str, counts: Mapping[str, int], missing: str, colour: Callable[[str], str]
) -> Markup:
    most = max(counts.values(), default=1)
    lines = [
        tag(
            "div",
            tag("span", key.replace("_", " ")),
            tag("i", class_=colour(key), style=f"width:{100 * count / most:.1f}%"),
            tag("span", number(count), class_="num"),
            class_="share",
        )
        for key, count in sorted(counts.items(), key=lambda pair: -pair[1])
    ]
    inside = tag("div", *lines, class_="shares") if lines else tag("p", missing, class_="quiet")
    return tag("section", tag("h2", heading), inside, class_="card")


def _write_about(execution: Mapping[str, Any], workflow: Markup) -> Markup:
    parameters = execution["execution_parameters"]
    pairs = [
        ("Workflow", workflow),
        ("Triggered", moment(execution["created_at"], now())),
        ("Started", moment(execution["started_at"], now(), "not yet")),
        ("Completed", moment(execution["completed_at"], now(), "not yet")),
        ("Rows taken from", _link_execution(execution["source_execution_id"], "this execution")),
        ("Its end started", _write_started(execution["started"])),
        ("Id", tag("code", execution["id"], class_="id")),
        (
            "Truncated",
            f"yes, by its limit of {execution['truncated_by']}" if execution["truncated"] else None,
        ),
        ("Parameters", code(parameters) if parameters != "{}" else None),
    ]
    return join([tag("h2", "About"), facts((name, value) for name, value in pairs if value is not None)])


def _link_execution(execution_id: str | None, word: str) -> Markup | None:
    return link(word, f"/executions/{execution_id}") if execution_id else None


def _write_started(started: Sequence[Any]) -> Markup | None:
    """Return links to the executions that an execution's end has started."""
    links = [
        _link_execution(each, "an execution" if len(started) == 1 else f"execution {place}")
        for place, each in enumerate(started, 1)
    ]
    return join(links, ", ") if links else None


def has_ended(execution: Mapping[str, Any]) -> bool:
    return execution["status"] in TERMINAL


def say_wait(what: str) -> None:
    """Tell that a part is there once the execution has ended."""
    show(
        nothing(f"No {what} yet", f"The {what} are made when the execution ends; this view shows them then.")
    )
