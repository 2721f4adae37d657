"""A bar that shows how far an execution is, in a terminal or a notebook."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Show = Callable[[Mapping[str, Any]], None]


@contextmanager
def bar(visible: bool) -> Iterator[Show]:
    """Give a function that shows an execution's view; it does nothing unless `visible`."""
    if not visible:
        yield lambda view: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where seen
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - only where seen

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("queued", total=1.0, told="")

        def show(view: Mapping[str, Any]) -> None:
            progress.update(task, completed=view["progress"], description=view["status"], told=describe(view))

        yield show


def describe(view: Mapping[str, Any]) -> str:
    """Return an execution's counters as one line."""
    counters = view["counters"]
    told = f"{counters['items_ended']:,}/{counters['items']:,} items, {counters['pages']:,} pages"
    if counters["rows"]:
        told += f", {counters['rows']:,} rows"
    left = view.get("seconds_left")
    return told if left is None else f"{told}, {left:,.0f} s left"
