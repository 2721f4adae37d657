"""What can be done with an execution: hold it, let it go on, end it, change it, fetch anew what failed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from swath.flow.definition import RateLimit
from swath.flow.execution import TERMINAL
from swath.flow.renewal import Which
from swath.operations import adjustments, executions, retries
from swath.operations.adjustments import Changes
from swath.operations.retries import Retry
from swath.ui.dialogs import Form, choose_proxy
from swath.ui.frame import Visit, button, say
from swath.ui.options import whole


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
            "change": button("Change pace…", lambda: _ask_changes(visit, execution_id)),
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


def _ask_changes(visit: Visit, execution_id: str) -> None:
    async def change() -> None:
        limits = None
        if rate.value is not None:
            limits = (RateLimit(requests=int(rate.value), per_seconds=float(per.value or 1)),)
        changes = Changes(
            rate_limits=limits,
            concurrency=whole(concurrency.value),
            maximum_requests_count=whole(most.value),
            proxy=proxy(),
        )
        await visit.ask(adjustments.adjust, execution_id, changes)
        say("Changed; in force within a second.")

    with Form("Change how it runs", "Change", change):
        ui.label(
            "What you leave empty stays as it is. Each change is one of the execution's events."
        ).classes("hint")
        with ui.element("div").classes("fields"):
            rate = ui.number("Requests", min=1).props("outlined dense")
            per = ui.number("per seconds", value=1, min=0.001).props("outlined dense")
            concurrency = ui.number("Items side by side", min=1).props("outlined dense")
            most = ui.number("Most requests in all", min=1).props("outlined dense")
        proxy = choose_proxy(visit, keep=True)


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
