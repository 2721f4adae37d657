"""What can be done with an execution: hold it, let it go on, end it, change it, fetch anew what failed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from nicegui import ui

from swath.flow.definition import RateLimit
from swath.flow.execution import HIGHEST, TERMINAL
from swath.flow.renewal import Which
from swath.operations import adjustments, executions, retries
from swath.operations.adjustments import Changes
from swath.operations.retries import Retry
from swath.operations.triggers import Bounds
from swath.ui.dialogs import Form, choose_proxy
from swath.ui.frame import Visit, button, say
from swath.ui.rates import Rates


def add_controls(visit: Visit, execution: Mapping[str, Any]) -> None:
    """Draw the buttons that an execution's state allows, and keep them so."""
    execution_id = execution["id"]

    async def act(operation: Callable[..., Awaitable[Any]], told: str) -> None:
        new = await visit.ask(operation, execution_id)
        say(told)
        for part in list(visit.on_change):
            if (result := part(new)) is not None:
                await result

    with ui.element("div").classes("line push"):
        buttons = {
            "pause": button(
                "Pause", lambda: act(executions.pause, "Paused. Nothing more is sent until you resume it.")
            ),
            "resume": button("Resume", lambda: act(executions.resume, "It goes on."), "primary"),
            "change": button("Change…", lambda: _ask_changes(visit, execution_id)),
            "cancel": button("Cancel", lambda: _ask_cancel(visit, act), "danger"),
            "retry": button("Retry failed…", lambda: _ask_retry(visit, execution_id), "primary"),
        }

    def refresh(new: Mapping[str, Any]) -> None:
        allowed = _allowed(new)
        for name, each in buttons.items():
            each.set_visibility(name in allowed)

    visit.on_change.append(refresh)
    refresh(execution)


def _allowed(execution: Mapping[str, Any]) -> set[str]:
    status = execution["status"]
    if status in TERMINAL:
        stops = execution["counters"]["stop_reasons"]
        clean = {"complete", "empty_page", "stop_when", "page_limit"}
        return {"retry"} if any(count for reason, count in stops.items() if reason not in clean) else set()
    return {
        "queued": {"cancel", "change"},
        "running": {"pause", "cancel", "change"},
        "paused": {"resume", "cancel", "change"},
    }.get(status, set())


def _ask_cancel(visit: Visit, act: Callable[..., Awaitable[None]]) -> None:
    async def cancel() -> None:
        await act(executions.cancel, "Cancelled. What was fetched is being combined.")

    with Form("Cancel this execution?", "Cancel it", cancel, kind="danger", leave="Let it go on"):
        ui.label(
            "Nothing more is sent. What was fetched is combined and can be downloaded; it cannot go on later."
        )


async def _ask_changes(visit: Visit, execution_id: str) -> None:
    held = await visit.ask(adjustments.show_in_force, execution_id)
    shown = await visit.ask(executions.show, execution_id)
    before = [msgspec.to_builtins(each) for each in held.rate_limits]

    async def change() -> None:
        limits = tuple(RateLimit(**each) for each in rates.read())
        changes = Changes(
            rate_limits=limits if limits != held.rate_limits else None,
            concurrency=_differing(concurrency.value, held.concurrency),
            maximum_requests_count=_differing(requests.value, shown["limits"]["requests"]),
            limits=_bounds(rows.value, seconds.value, shown["limits"]),
            priority=_differing(priority.value, shown["priority"]),
            proxy=proxy(),
        )
        await visit.ask(adjustments.adjust, execution_id, changes)
        say("Changed; in force within a second.")

    with Form("Change how it runs", "Change", change):
        ui.label("Each change is one of the execution's events.").classes("hint")
        rates = Rates()
        rates.fill(before)
        with ui.element("div").classes("fields"):
            concurrency = _number("Items at the same time", held.concurrency)
            requests = _number("Most requests in all", shown["limits"]["requests"])
            rows = _number("Most rows in all", shown["limits"]["rows"])
            seconds = _number("Most seconds in all", shown["limits"]["seconds"])
            priority = _number("Priority, 9 goes first", shown["priority"], HIGHEST)
        proxy = choose_proxy(visit, keep=True)


def _number(label: str, value: float | None, most: float | None = None) -> ui.number:
    return ui.number(label, value=value, min=1, max=most).props("outlined dense")


def _differing(value: float | None, before: int | None) -> int | None:
    return None if value is None or int(value) == before else int(value)


def _bounds(rows: float | None, seconds: float | None, before: Mapping[str, Any]) -> Bounds | None:
    bounds = Bounds(
        rows=_differing(rows, before["rows"]), seconds=seconds if seconds != before["seconds"] else None
    )
    return bounds if bounds != Bounds() else None


def _ask_retry(visit: Visit, execution_id: str) -> None:
    async def retry() -> None:
        chosen = tuple(name for name, box in boxes.items() if box.value)
        new = await visit.ask(retries.retry, execution_id, Retry(which=chosen, proxy=proxy()))
        ui.navigate.to(f"/executions/{new}")

    with Form("Fetch anew what did not end well", "Retry", retry):
        ui.label(
            "A new execution fetches only these items and keeps the rest: its files are those of a clean run."
        )
        boxes: dict[Which, ui.checkbox] = {
            "failed": ui.checkbox("Items that failed", value=True),
            "partial": ui.checkbox("Items that the target cut short"),
            "limited": ui.checkbox("Items that your limit of requests ended"),
        }
        proxy = choose_proxy(visit, keep=True)
