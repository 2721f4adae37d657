"""Limits of pace, a line each: so many requests in so many seconds, for what they hold."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from swath.ui.edits import whole
from swath.ui.frame import button, show
from swath.ui.markup import tag

SCOPES = {
    "target": "to each target",
    "exit": "to each target, through each proxy",
    "credential": "to each target, by each credential",
}


class Rates:
    """The lines, and what they say now. `changed` is called with it."""

    def __init__(self, changed: Callable[[list[dict[str, Any]]], None] = lambda limits: None) -> None:
        self._changed = changed
        self._limits: list[dict[str, Any]] = []
        self._place = ui.element("div").classes("stack tight")

    def fill(self, limits: Sequence[Any]) -> None:
        """Show these, drawn anew only where they are others than those shown."""
        wanted = [dict(each) for each in limits if isinstance(each, dict)]
        if wanted != self.read() or not self._place.default_slot.children:
            self._limits = wanted
            self._draw()

    def read(self) -> list[dict[str, Any]]:
        return [each for each in self._limits if each.get("requests")]

    def _draw(self) -> None:
        self._place.clear()
        with self._place:
            if not self._limits:
                show(tag("p", "No limit of pace but what the target asks for.", class_="hint"))
            for place, limit in enumerate(self._limits):
                self._draw_line(place, limit)
            button("Add a limit", self._add, "plain snug")

    def _draw_line(self, place: int, limit: dict[str, Any]) -> None:
        with ui.element("div").classes("rate").props(f'role=group aria-label="Limit {place + 1}"'):
            requests = ui.number("Requests", value=limit.get("requests"), min=1, format="%d")
            seconds = ui.number("in seconds", value=limit.get("per_seconds", 1), min=0.001)
            scope = ui.select(SCOPES, value=limit.get("scope", "target"), label="Holds for requests")
            scope.props("options-dense")
            for field in (requests, seconds, scope):
                field.props("outlined dense debounce=300")
            button("Remove", lambda: self._remove(limit), "plain")
        requests.on_value_change(lambda event: self._set(limit, "requests", whole(event.value)))
        seconds.on_value_change(lambda event: self._set(limit, "per_seconds", _plain(event.value)))
        scope.on_value_change(lambda event: self._set(limit, "scope", event.value))

    def _set(self, limit: dict[str, Any], name: str, value: Any) -> None:
        blank = {"per_seconds": 1, "scope": "target"}.get(name)
        if value in (None, blank):
            limit.pop(name, None)
        else:
            limit[name] = value
        self._changed(self.read())

    def _add(self) -> None:
        self._limits.append({})
        self._draw()

    def _remove(self, limit: dict[str, Any]) -> None:
        self._limits = [each for each in self._limits if each is not limit]
        self._draw()
        self._changed(self.read())


def _plain(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value
