"""Schedules: which workflows are executed by themselves, and when; what became of the last time."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup
from nicegui import ui

from swath.errors import FieldError, InvalidInput
from swath.flow.cron import Cron
from swath.operations import schedules, triggers, workflows
from swath.operations.executions import iso
from swath.operations.schedules import Schedule, ScheduleView
from swath.operations.triggers import Trigger
from swath.ui.dialogs import Form
from swath.ui.executions import name_workflows
from swath.ui.frame import Visit, button, describe, now, show, view
from swath.ui.markup import badge, code, facts, join, link, moment, nothing, table, tag
from swath.ui.options import Options

SHOWN = 200
#: Workflows to choose from at most.
OFFERED = 1_000
#: Times that are told while one writes when.
AHEAD = 3
#: What many want, and how cron has it.
USUAL = {
    "0 * * * *": "Every hour",
    "0 6 * * *": "Every day at 6:00",
    "0 6 * * 1-5": "Monday to Friday at 6:00",
    "0 6 * * 1": "Every Monday at 6:00",
    "0 6 1 * *": "On the first of each month at 6:00",
}
OVERLAP = {"skip": "The next is left out", "queue": "The next waits for its end"}
_COLUMNS = ("Schedule", "Workflow", "When", "Next", "Last time")


@view("/schedules", "Schedules", "/schedules")
async def list_schedules(visit: Visit, cursor: str | None = None) -> None:
    names = await _offer_workflows(visit)
    with ui.element("div").classes("heading"):
        show(tag("h1", "Schedules"))
        if names:
            with ui.element("div").classes("line push"):
                button("New schedule…", lambda: _ask_new(visit, names), "primary")
    page = await visit.ask(schedules.list_for, limit=SHOWN, cursor=cursor)
    if not page.objects:
        advice = "A schedule executes a workflow again and again: every night, every Monday, every hour."
        first = (" It wants a workflow first: ", link("describe one", "/workflows/new"), ".")
        show(nothing("No schedules yet", advice, *(() if names else first)))
        return
    others = (each.workflow_id for each in page.objects if each.workflow_id not in names)
    known = {**names, **await name_workflows(visit, others)}
    rows = [_write_row(each, known) for each in page.objects]
    further = link("Older schedules", f"/schedules?cursor={page.next_cursor}") if page.next_cursor else None
    show(join([table("Schedules", _COLUMNS, rows, "stacks"), further]))


async def _offer_workflows(visit: Visit) -> dict[str, str]:
    """Return the names of the workflows that a schedule may be for, the newest, by their ids."""
    page = await visit.ask(workflows.list_for, limit=OFFERED, cursor=None)
    return {line.id: line.name for line in page.objects}


def _write_row(schedule: ScheduleView, names: Mapping[str, str]) -> list[Any]:
    name = names.get(schedule.workflow_id, "Deleted workflow")
    return [
        link(schedule.name or name, f"/schedules/{schedule.id}"),
        link(name, f"/workflows/{schedule.workflow_id}"),
        join([_explain(schedule), tag("span", schedule.timezone, class_="sub")]),
        _write_next(schedule),
        _write_last(schedule),
    ]


def _explain(schedule: ScheduleView) -> str:
    return Cron(schedule.cron, schedule.timezone).explain()


def _write_next(schedule: ScheduleView) -> Markup:
    if not schedule.enabled:
        return badge("paused")
    return moment(iso(schedule.next_run_at), now())


def _write_last(schedule: ScheduleView) -> Markup:
    if schedule.last_outcome is None:
        return tag("span", "not yet", class_="quiet")
    told = badge(schedule.last_outcome)
    if schedule.last_outcome == "triggered" and schedule.last_execution_id:
        told = link(told, f"/executions/{schedule.last_execution_id}")
    when = moment(iso(schedule.last_run_at), now()) if schedule.last_run_at else None
    why = tag("span", schedule.last_error, class_="sub") if schedule.last_error else None
    return join([told, " ", when, why])


@view("/schedules/{schedule_id}", "Schedule", "/schedules")
async def show_schedule(visit: Visit, schedule_id: str) -> None:
    schedule = await visit.ask(schedules.show, schedule_id)
    names = await _offer_workflows(visit) | await name_workflows(visit, [schedule.workflow_id])
    name = schedule.name or names.get(schedule.workflow_id, "Schedule")
    ui.page_title(f"{name} · Swath")
    show(link("Schedules", "/schedules"), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", name))
        if not schedule.enabled:
            show(badge("paused"))
        with ui.element("div").classes("line push"):
            _draw_controls(visit, schedule, names, name)
    show(_write_about(schedule, names), "card")
    with ui.element("div").classes("pair"):
        show(_write_upcoming(schedule), "card")
        show(_write_execution(schedule), "card")


def _draw_controls(visit: Visit, schedule: ScheduleView, names: Mapping[str, str], name: str) -> None:
    async def turn() -> None:
        await visit.ask(schedules.update, schedule.id, lambda old: replace(old, enabled=not schedule.enabled))
        ui.navigate.reload()

    async def run() -> None:
        asked = msgspec.convert(schedule.execution, Trigger)
        called = replace(asked, execution_name=asked.execution_name or schedule.name or None)
        execution_id = await visit.ask(triggers.trigger, schedule.workflow_id, called)
        ui.navigate.to(f"/executions/{execution_id}")

    button("Run now", run)
    button("Pause" if schedule.enabled else "Resume", turn, "" if schedule.enabled else "primary")
    button("Edit…", lambda: _ask_change(visit, schedule, names))
    button("Delete…", lambda: _ask_delete(visit, schedule, name), "danger")


def _write_about(schedule: ScheduleView, names: Mapping[str, str]) -> Markup:
    workflow = link(names.get(schedule.workflow_id, "Deleted workflow"), f"/workflows/{schedule.workflow_id}")
    pairs = [
        ("Workflow", workflow),
        ("When", _explain(schedule)),
        ("Cron", tag("code", f"{schedule.cron}  {schedule.timezone}")),
        ("While one is under way", OVERLAP[schedule.overlap]),
        ("Last time", _write_last(schedule)),
        ("Id", tag("code", schedule.id, class_="id")),
    ]
    return facts(pairs)


def _write_upcoming(schedule: ScheduleView) -> Markup:
    if not schedule.upcoming:
        return join([tag("h2", "Next times"), tag("p", "None while it is paused.", class_="quiet")])
    lines = [
        tag("li", _at(_read_time(each), schedule.timezone), " · ", moment(each, now()))
        for each in schedule.upcoming
    ]
    return join([tag("h2", "Next times"), tag("ul", *lines, class_="plain")])


def _write_execution(schedule: ScheduleView) -> Markup:
    asked = {name: value for name, value in schedule.execution.items() if value not in (None, False)}
    heading = tag("h2", "What each execution is asked with")
    if not asked:
        return join([heading, tag("p", "Nothing but the workflow as it is then.", class_="quiet")])
    written = msgspec.json.format(msgspec.json.encode(asked), indent=2).decode()
    return join([heading, code(written, "json")])


def _read_time(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1e3)


def _at(milliseconds: int, timezone: str) -> str:
    """Return a time by the clocks of a place: `Thu 26 Nov, 06:00`."""
    there = datetime.fromtimestamp(milliseconds / 1e3, UTC).astimezone(ZoneInfo(timezone))
    return f"{there:%a} {there.day} {there:%b, %H:%M}"


# --- asking


class _Fields:
    """The fields of a schedule; what it says of the next times follows what is written."""

    def __init__(self, visit: Visit, names: Mapping[str, str], was: ScheduleView | None) -> None:
        self._visit = visit
        offered = dict(sorted(names.items(), key=lambda pair: pair[1]))
        with ui.element("div").classes("fields"):
            self._name = ui.input("Name", value=was.name if was else "").props("outlined dense autofocus")
            self._workflow = ui.select(
                offered, value=was.workflow_id if was else next(iter(offered)), label="Workflow"
            ).props("outlined dense options-dense")
        cron = was.cron if was else "0 6 * * *"
        with ui.element("div").classes("fields"):
            self._usual = ui.select(
                {**USUAL, "": "At other times"}, value=cron if cron in USUAL else "", label="How often"
            ).props("outlined dense options-dense")
            self._cron = ui.input("As cron writes it", value=cron).props("outlined dense input-class=mono")
            self._zone = ui.input("Time zone", value=was.timezone if was else "UTC").props("outlined dense")
            self._overlap = ui.select(
                OVERLAP, value=was.overlap if was else "skip", label="While one is under way"
            ).props("outlined dense options-dense")
        self._told = ui.label().classes("hint").props('role="status"')
        self._options = Options(visit, msgspec.convert(was.execution, Trigger) if was else None, named=False)
        self._usual.on_value_change(lambda event: self._cron.set_value(event.value or self._cron.value))
        for field in (self._cron, self._zone):
            field.on_value_change(self._foresee)
        self._foresee()

    def _foresee(self) -> None:
        self._usual.value = self._cron.value if self._cron.value in USUAL else ""
        try:
            self._told.set_text(_foresee(self._cron.value or "", self._zone.value or "", self._visit))
        except FieldError as error:
            self._told.set_text(describe(error))

    def read(self, old: Schedule | None = None) -> Schedule:
        if not self._workflow.value:
            raise InvalidInput("workflow_id", "Blank.")
        return Schedule(
            name=self._name.value or "",
            workflow_id=self._workflow.value,
            cron=self._cron.value or "",
            timezone=self._zone.value or "UTC",
            execution=self._options.read(),
            overlap=self._overlap.value,
            enabled=old.enabled if old else True,
        )


def _foresee(cron: str, timezone: str, visit: Visit) -> str:
    rule, start = Cron(cron, timezone), round(visit.context.clock.epoch() * 1e3)
    times = "; ".join(_at(each, timezone) for each in islice(rule.following(start), AHEAD))
    return f"{rule.explain()}. Next: {times}."


def _ask_new(visit: Visit, names: Mapping[str, str]) -> None:
    async def create() -> None:
        made = await visit.ask(schedules.create, fields.read())
        ui.navigate.to(f"/schedules/{made.id}")

    fields = _draw_form("New schedule", "Create", create, visit, names, None)


def _ask_change(visit: Visit, schedule: ScheduleView, names: Mapping[str, str]) -> None:
    async def change() -> None:
        await visit.ask(schedules.update, schedule.id, lambda old: fields.read(old))
        ui.navigate.reload()

    fields = _draw_form("Change the schedule", "Change", change, visit, names, schedule)


def _draw_form(
    title: str,
    does: str,
    act: Callable[[], Awaitable[None]],
    visit: Visit,
    names: Mapping[str, str],
    was: ScheduleView | None,
) -> _Fields:
    with Form(title, does, act):
        return _Fields(visit, names, was)


def _ask_delete(visit: Visit, schedule: ScheduleView, name: str) -> None:
    async def delete() -> None:
        await visit.ask(schedules.delete, schedule.id)
        ui.navigate.to("/schedules")

    with Form(f"Delete {name}?", "Delete it", delete, kind="danger", leave="Keep it"):
        ui.label("Executions that it triggered go on.")
