"""How far an execution is: live at a terminal, a line now and then elsewhere, on standard error."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from swath.cli.screen import say, write_extent, write_size, write_time

Json = Any
View = Mapping[str, Json]

#: Stop reasons of items that went as they should.
GOOD = ("complete", "empty_page", "stop_when", "page_limit")
#: Seconds between two lines where nothing can be drawn, and over which the pace is told.
LINE_EVERY, PACE_OVER = 10.0, 5.0
WIDTH = 40


class Display:
    """Shows what it is given, unless it is to be quiet."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        drawn = not quiet and self._console.is_terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if drawn else None
        self._lines = not quiet and not drawn
        self._told = time.monotonic()
        self._paces: deque[tuple[float, int]] = deque()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, view: View) -> None:
        """Show an execution as it is now."""
        now = time.monotonic()
        pace = self._pace(now, view["counters"]["attempts"])
        if self._live is not None:
            self._live.update(draw(view, pace), refresh=True)
        elif self._lines and now - self._told >= LINE_EVERY:
            self._told = now
            say(f"{view['status']}: {describe(view, pace)}")

    def _pace(self, now: float, attempts: int) -> float:
        """Return the requests a second of the last few seconds."""
        self._paces.append((now, attempts))
        while now - self._paces[0][0] > PACE_OVER:
            self._paces.popleft()
        since, before = self._paces[0]
        return (attempts - before) / (now - since) if now > since else 0.0

    @staticmethod
    def sum_up(view: View, files: Sequence[Path], failures: Sequence[View], name: str | None = None) -> None:
        """Tell how it ended, and where the files are; of which workflow, where there are several."""
        console = _open_console()
        _tell_end(console, view, failures, name)
        for path, result in zip(files, view["results"], strict=False):
            console.print(Text(f"  {path}", "bold") + Text(f"  {write_extent(result)}", ""))

    @staticmethod
    def complain(view: View, failures: Sequence[View], name: str | None = None) -> None:
        """Tell only what went wrong; nothing where all went well."""
        console = _open_console()
        if view["status"] == "succeeded":
            _tell_sentences(console, view)
        else:
            _tell_end(console, view, failures, name)


def _open_console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _tell_end(console: Console, view: View, failures: Sequence[View], name: str | None) -> None:
    counters = view["counters"]
    style = {"succeeded": "bold green", "partially_failed": "bold yellow"}.get(view["status"], "bold red")
    rows = sum(result["rows"] for result in view["results"][:1])
    told = f": {counters['items_ended']:,} of {counters['items']:,} items, {counters['pages']:,} pages, "
    told += f"{counters['attempts']:,} requests, {write_size(counters['bytes'])}, {rows:,} rows"
    if name is not None:
        console.print(Text(name, "bold"))
    console.print(Text(view["status"].replace("_", " "), style) + Text(told, ""))
    if view["truncated"]:
        console.print(Text(f"It ended early, by its limit of {view['truncated_by']}.", "yellow"))
    for line in _trouble(view):
        console.print(Text(line, "yellow"))
    _tell_sentences(console, view)
    for each in failures:
        inputs = ", ".join(f"{name}={value}" for name, value in each["inputs"].items())
        console.print(Text(f"  {inputs or 'item'}: {each['error_code']}: {each['message']}", "red"))


def _tell_sentences(console: Console, view: View) -> None:
    for sentence in (view["error"], *view["warnings"]):
        if sentence:
            console.print(Text(str(sentence), "yellow"))


def draw(view: View, pace: float) -> Group:
    """Return the picture of an execution."""
    counters, table = view["counters"], Table.grid(padding=(0, 2))
    items = f"{counters['items_ended']:,} of {counters['items']:,}"
    bar = ProgressBar(total=1.0, completed=view["progress"], width=WIDTH)
    table.add_row(Text(view["status"], "bold"), bar, Text(f"{view['progress']:.0%}"))
    grid = Table.grid(padding=(0, 2))
    rows = f"{counters['rows']:,}" if counters["rows"] or not counters["pages"] else "at the end"
    grid.add_row("items", items, "pages", f"{counters['pages']:,}", "rows", rows)
    grid.add_row(
        "pace",
        f"{pace:,.1f} requests/s",
        "requests",
        f"{counters['attempts']:,}",
        "size",
        write_size(counters["bytes"]),
    )
    left = view["seconds_left"]
    grid.add_row("left", "" if left is None else write_time(left))
    return Group(table, grid, *(Text(line, "yellow") for line in _trouble(view)))


def describe(view: View, pace: float) -> str:
    """Return the same as one line."""
    counters = view["counters"]
    told = f"{counters['items_ended']:,} of {counters['items']:,} items, {counters['pages']:,} pages"
    told += f", {pace:,.1f} requests/s"
    left = view["seconds_left"]
    told = told if left is None else f"{told}, {write_time(left)} left"
    return f"{told}. {view['waiting_for']}" if view["waiting_for"] else told


def _trouble(view: View) -> list[str]:
    """Return what went wrong so far, by kind."""
    counters = view["counters"]
    reasons = {name: count for name, count in counters["stop_reasons"].items() if name not in GOOD}
    answers = {
        status: count for status, count in counters["statuses"].items() if not str(status).startswith("2")
    }
    lines = [str(view["waiting_for"])] if view["waiting_for"] else []
    if reasons:
        lines.append("ended otherwise: " + ", ".join(f"{count:,} {name}" for name, count in reasons.items()))
    if answers:
        lines.append("went wrong: " + ", ".join(f"{count:,} x {status}" for status, count in answers.items()))
    return lines
