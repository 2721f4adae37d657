"""What went wrong and what was done: failed items, one item's story, events."""

import json
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.operations import executions, items
from swath.ui.execution import has_ended, open_execution, watch
from swath.ui.frame import Visit, button, now, show, view
from swath.ui.markup import (
    badge,
    code,
    facts,
    join,
    link,
    moment,
    nothing,
    number,
    sentence,
    several,
    size,
    table,
    tag,
)

SHOWN = 100
#: What took a moment to ask for is good for so many of them.
WORTH = 20
PAGES = 20
_FAILURES = (
    "Item",
    ("Error", "whole"),
    "What happened",
    ("Attempts", "num"),
    "Last status",
    ("Inputs", "inputs"),
    "When",
)
_EVENTS = ("When", "Event", "What")


@view("/executions/{execution_id}/failures", "Failures", "/executions")
async def show_failures(visit: Visit, execution_id: str, cursor: str | None = None) -> None:
    execution = await open_execution(visit, execution_id, "/failures")
    counted, place = Seldom(lambda: visit.ask(executions.count_failures, execution_id)), show(Markup())

    async def refresh(new: Mapping[str, Any]) -> None:
        found, more = await visit.ask(executions.failures, execution_id, SHOWN, cursor)
        kinds = await counted.ask(at_once=has_ended(new))
        place.set_content(str(join([_write_kinds(kinds), _write_failures(new, found, more)])))

    await watch(visit, execution, [refresh])


class Seldom:
    """Something that takes the longer the more there is, asked the more seldom for that."""

    def __init__(self, ask: Callable[[], Awaitable[Any]]) -> None:
        self._ask, self._last, self._next = ask, None, 0.0

    async def ask(self, *, at_once: bool = False) -> Any:
        """Return what was answered, not too long ago; now, if it must be `at_once`."""
        if at_once or (start := monotonic()) >= self._next:
            start = monotonic()
            self._last = await self._ask()
            self._next = monotonic() + WORTH * (monotonic() - start)
        return self._last


def _write_kinds(kinds: list[dict[str, Any]]) -> Markup | None:
    """Return how many of all items failed in which way."""
    counts = [
        tag("li", tag("b", number(kind["items"])), " ", kind["error_code"], _say_status(kind), class_="pill")
        for kind in kinds
    ]
    return tag("ul", *counts, class_="pills", aria_label="Failures by kind") if counts else None


def _say_status(kind: Mapping[str, Any]) -> str | None:
    return f", status {kind['last_status']}" if kind["last_status"] else None


def _write_failures(execution: Mapping[str, Any], found: list[dict[str, Any]], more: str | None) -> Markup:
    if not found:
        when = "No item failed." if has_ended(execution) else "No item has failed so far."
        return nothing("No failures", when, " What was answered stands in the overview.")
    base = f"/executions/{execution['id']}"
    rows = [
        [
            link(number(each["item"]), f"{base}/items/{each['item']}"),
            tag("code", each["error_code"]),
            join(
                [
                    sentence(each["message"]),
                    tag("span", "worth a retry" if each["retryable"] else "", class_="sub"),
                ]
            ),
            number(each["attempts"]),
            each["last_status"] or "–",
            tag("code", json.dumps(each["inputs"], ensure_ascii=False)),
            moment(each["at"], now()),
        ]
        for each in found
    ]
    further = link("Further failures", f"{base}/failures?cursor={more}") if more else None
    hint = tag("p", "Items are counted from 0, in the order of their inputs.", class_="hint")
    return join([table("Failed items", _FAILURES, rows, "stacks"), hint, further])


@view("/executions/{execution_id}/items/{item}", "Item", "/executions")
async def show_item(visit: Visit, execution_id: str, item: int, offset: int = 0) -> None:
    execution = await open_execution(visit, execution_id, "/items/0")
    total = execution["counters"]["items"]
    base = f"/executions/{execution_id}/items"
    _draw_chooser(base, item, total)
    if not total:
        show(nothing("There are no items", "The collections of this execution were empty."))
        return
    place = show(Markup(), "stack")

    async def refresh(_: Mapping[str, Any]) -> None:
        story = await visit.ask(items.show, execution_id, item, offset, PAGES)
        place.set_content(str(_write_story(story, f"{base}/{item}", offset)))

    await watch(visit, execution, [refresh])


def _draw_chooser(base: str, item: int, total: int) -> None:
    with ui.element("div").classes("line"):
        chosen = (
            ui.number("Item", value=item, min=0, max=max(total - 1, 0))
            .props("outlined dense")
            .classes("short")
        )

        def go() -> None:
            ui.navigate.to(f"{base}/{int(chosen.value or 0)}")

        chosen.on("keydown.enter", go)
        button("Look", go)
        back = link("Previous", f"{base}/{item - 1}") if item > 0 else None
        on = link("Next", f"{base}/{item + 1}") if item + 1 < total else None
        count = tag("span", f"{several(total, 'item')}, counted from 0", class_="quiet")
        show(tag("p", join([each for each in (back, on, count) if each is not None], " · ")))


def _write_story(story: Mapping[str, Any], base: str, offset: int) -> Markup:
    failure = story["failure"]
    pairs = [
        ("State", badge(story["stop_reason"] or story["state"])),
        ("Inputs", tag("code", json.dumps(story["inputs"], ensure_ascii=False))),
        ("Pages", number(story["pages_count"])),
        ("Rows on them", number(story["rows"])),
        ("Rows declared", story["declared_total"]),
    ]
    about = tag("section", facts((name, value) for name, value in pairs if value is not None), class_="card")
    pages = [_write_page(page) for page in story["pages"]]
    if story["pages_count"] > offset + len(pages):
        pages.append(link("Further pages", f"{base}?offset={offset + PAGES}"))
    told = (
        [tag("h2", "Pages, counted from 0"), *pages]
        if pages
        else [tag("p", "No page was recorded.", class_="quiet")]
    )
    return join([about, _write_failure(failure) if failure else None, *told])


def _write_failure(failure: Mapping[str, Any]) -> Markup:
    pairs = [
        ("Error", tag("code", failure["error_code"])),
        ("Page", failure["page"]),
        ("Attempts", failure["attempts"]),
        ("Last status", failure["last_status"]),
        ("Through", failure["exit"]),
        ("When", moment(failure["at"], now())),
    ]
    sample = (
        [tag("h3", "The beginning of the last answer"), code(failure["sample"])] if failure["sample"] else []
    )
    shown = facts((name, value) for name, value in pairs if value is not None)
    heading, tries = tag("h2", "Why it failed"), _write_tries(failure["tries"])
    return tag(
        "section",
        heading,
        tag("p", sentence(failure["message"]), class_="alert"),
        shown,
        tries,
        *sample,
        class_="card",
    )


def _write_tries(tries: list[dict[str, Any]]) -> Markup | None:
    """Return what came of the attempts in vain, and how long was waited after each."""
    lines = [
        tag(
            "li", tag("code", each["outcome"]), f" through {each['exit']}, then {each['waited']:.1f} s waited"
        )
        for each in tries
    ]
    count = several(len(lines), "attempt")
    return tag("details", tag("summary", f"{count} in vain"), tag("ol", *lines)) if lines else None


def _write_page(page: Mapping[str, Any]) -> Markup:
    told = [
        tag("span", page["status"], class_=f"badge is-{str(page['status'])[0]}"),
        several(page["rows"], "row"),
        size(page["bytes"]),
        f"{page['elapsed']:.3f} s",
        f"attempt {page['attempt']}",
        f"through {page['exit']}",
        moment(page["started_at"], now()),
    ]
    if not page["counted"]:
        told.append(tag("b", "repeats an earlier page; not counted"))
    headers = tag(
        "details",
        tag("summary", "Headers"),
        code("\n".join(f"{name}: {value}" for name, value in page["headers"])),
    )
    head = tag("details", tag("summary", "Answer"), code(page["head"]))
    tries = _write_tries(page["tries"])
    line = tag("p", tag("b", f"Page {page['page']}"), " ", tag("code", page["url"]))
    return tag(
        "article", line, tag("p", join(told, " · "), class_="quiet"), tries, head, headers, class_="card page"
    )


@view("/executions/{execution_id}/events", "Events", "/executions")
async def show_events(visit: Visit, execution_id: str, cursor: str | None = None) -> None:
    execution = await open_execution(visit, execution_id, "/events")
    place = show(Markup())

    async def refresh(_: Mapping[str, Any]) -> None:
        found, more = await visit.ask(executions.events, execution_id, SHOWN, cursor)
        place.set_content(str(_write_events(execution_id, found, more)))

    await watch(visit, execution, [refresh])


def _write_events(execution_id: str, found: list[dict[str, Any]], more: str | None) -> Markup:
    if not found:
        advice = "Pauses, changes, waits that the target asked for and swaps of exits would stand here."
        return nothing("Nothing out of the ordinary happened", advice)
    rows = [
        [moment(each["at"], now()), each["kind"].replace("_", " "), _write_data(each["data"])]
        for each in found
    ]
    further = link("Later events", f"/executions/{execution_id}/events?cursor={more}") if more else None
    return join([table("Events", _EVENTS, rows, "stacks"), further])


def _write_data(data: Mapping[str, Any]) -> Markup:
    """Return what an event tells, a change as what was and what is."""
    if {"field", "from", "to"} <= data.keys():
        change = f"{_tell(data['from'])} → {_tell(data['to'])}"
        rest = {key: value for key, value in data.items() if key not in ("field", "from", "to")}
        told = join([tag("span", f"{str(data['field']).replace('_', ' ')}: ", class_="quiet"), change])
        return join([told, _write_data(rest)], " · ")
    parts = [join([tag("span", f"{key}: ", class_="quiet"), _tell(value)]) for key, value in data.items()]
    return join(parts, " · ")


def _tell(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
