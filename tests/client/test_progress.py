"""The bar of a notebook; that of a terminal is rich's own."""

from typing import Any

from swath.client.progress import bar, draw, find_notebook, in_notebook

VIEW: dict[str, Any] = {
    "status": "running",
    "progress": 0.5,
    "seconds_left": 3.0,
    "counters": {"items_ended": 10, "items": 20, "pages": 12, "rows": 1_200},
}
TOLD = "10/20 items, 12 pages, 1,200 rows, 3 s left"


class Cell:
    """A notebook's cell: what it displays can be updated."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, shown: dict[str, str], *, raw: bool, display_id: bool) -> "Cell":
        self.shown.append(shown)
        return self

    def update(self, shown: dict[str, str], *, raw: bool) -> None:
        self.shown[-1] = shown


def test_a_notebook_shows_one_bar_that_ends_as_the_execution_does() -> None:
    """As HTML, and as a text where that is not shown; what was seen last stays."""
    cell = Cell()
    show = in_notebook(cell.display)
    show(VIEW)
    assert cell.shown == [draw(VIEW)]
    assert cell.shown[0]["text/plain"] == f"running {'█' * 15}{'░' * 15} {TOLD}"
    assert cell.shown[0]["text/html"] == f'running <progress max="1" value="0.5000"></progress> {TOLD}'
    show(VIEW | {"status": "succeeded", "progress": 1.0})
    assert len(cell.shown) == 1
    assert cell.shown[0]["text/plain"].startswith(f"succeeded {'█' * 30} ")


def test_the_rows_at_the_end_are_those_of_the_primary_collection() -> None:
    """All other tables were added to them, and the sum was no number of anything."""
    files = [{"rows": 24}, {"rows": 48}]
    told = draw(VIEW | {"status": "succeeded", "seconds_left": None, "results": files})["text/plain"]
    assert told.endswith("10/20 items, 12 pages, 24 rows")
    assert "1,200 rows" in draw(VIEW | {"results": []})["text/plain"]


def test_elsewhere_there_is_no_notebook() -> None:
    """A terminal's bar is drawn by rich; without a bar nothing is."""
    assert find_notebook() is None
    with bar(False) as show:
        show(VIEW)
