"""A bar that shows how far an execution is, in a terminal or a notebook."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any

Show = Callable[[Mapping[str, Any]], None]
#: Characters of a bar that is a text.
WIDTH = 30


@contextmanager
def bar(visible: bool) -> Iterator[Show]:
    """Give a function that shows an execution's view; it does nothing unless `visible`."""
    if not visible:
        yield lambda view: None
    elif (display := find_notebook()) is not None:
        yield in_notebook(display)
    else:
        with in_terminal() as show:
            yield show


def find_notebook() -> Callable[..., Any] | None:
    """Return what displays in the notebook that this runs in; None elsewhere, as in IPython's terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    display: Callable[..., Any] = import_module("IPython.display").display  # it is there, and only there
    return display


def in_notebook(display: Callable[..., Any]) -> Show:
    """Return what shows a view in the place of the one before; the last one stays. It needs no widgets."""
    handle: Any = None

    def show(view: Mapping[str, Any]) -> None:
        nonlocal handle
        shown = draw(view)
        if handle is None:
            handle = display(shown, raw=True, display_id=True)
        else:
            handle.update(shown, raw=True)

    return show


def draw(view: Mapping[str, Any]) -> dict[str, str]:
    """Return a view as a text and as HTML."""
    status, part, told = str(view["status"]), float(view["progress"]), describe(view)
    filled = round(part * WIDTH)
    plain = f"{status} {'█' * filled}{'░' * (WIDTH - filled)} {told}"
    html = f'{escape(status)} <progress max="1" value="{part:.4f}"></progress> {escape(told)}'
    return {"text/plain": plain, "text/html": html}


@contextmanager
def in_terminal() -> Iterator[Show]:
    """Give what shows a view on standard error."""
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


def count_rows(view: Mapping[str, Any]) -> int:
    """Return the rows of an execution's primary collection; while there are no files, those that came."""
    files = view.get("results")
    return int(files[0]["rows"] if files else view["counters"]["rows"])


def describe(view: Mapping[str, Any]) -> str:
    """Return an execution's counters as one line."""
    counters = view["counters"]
    told = f"{counters['items_ended']:,}/{counters['items']:,} items, {counters['pages']:,} pages"
    if rows := count_rows(view):
        told += f", {rows:,} rows"
    left = view.get("seconds_left")
    return told if left is None else f"{told}, {left:,.0f} s left"
