"""What the views of an execution tell is of the whole of it, while it runs and after."""

import re
from concurrent.futures import Future
from typing import Any

from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import Person
from tests.upstreams.scripted import Asked, Play, Scripted

#: Items that are answered, that are not there and that are gone; the last item waits for the test.
GOOD, LOST, GONE = range(20), range(20, 140), range(140, 150)
ITEMS = 200


def define(server: Server, url: str) -> str:
    """Define a workflow over all items; return its id."""
    items = server.post("/collections", {"name": "Numbers", "items": [str(n) for n in range(ITEMS)]})
    endpoint = server.post("/endpoints", {"name": "A number", "url": f"{url}/n/{{{{number}}}}"})
    mapping = {"target_variable_name": "number", "source_collection_id": items["id"]}
    body = {"name": "Looked at", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(server.post("/workflows", body)["id"])


def answer(asked: Asked, held: "Future[None]") -> Play:
    """Give each item a row with two children; odd ones have a text or nothing where others have a number."""
    number = int(asked.path.rsplit("/", 1)[1])
    if number in LOST or number in GONE:
        return Play.json({}, status=404 if number in LOST else 410)
    row: dict[str, Any] = {"n": number, "mixed": "odd" if number % 2 else number, "tags": ["a", "b"]}
    row |= {"rare": None} if number == 0 else {}
    return Play.json({"rows": [row]}, until=held if number == ITEMS - 1 else None)


def test_views_tell_of_all_items(server: Server, admin: Person) -> None:
    """Every collection while it runs; then types, nulls and gaps of all rows, and all failures by kind."""
    held: Future[None] = Future()
    with Scripted() as upstream:
        upstream.on("/n/*", lambda asked: answer(asked, held))
        execution_id = server.trigger(define(server, upstream.url))
        path = f"/workflows/executions/{execution_id}"
        try:
            wait_until(lambda: len(server.get(f"{path}/columns")["objects"]) == 2, "rows of both collections")
            page = admin.open(f"/executions/{execution_id}/rows")
            look_at_children(page)
            assert server.execution(execution_id)["completed_at"] is None
        finally:
            held.set_result(None)
        server.wait(execution_id)
    see_columns(admin.open(f"/executions/{execution_id}/rows"))
    see_kinds(admin.open(f"/executions/{execution_id}/failures"))
    see_health(admin.open("/workflows"))


def look_at_children(page: Page) -> None:
    choice = page.get_by_role("navigation", name="Result collections")
    expect(choice.get_by_role("link")).to_have_count(2)
    choice.get_by_role("link", name=re.compile("rows.tags")).click()
    page.wait_for_url("**/rows?collection=rows.tags")
    expect(page.locator(".ag-root").get_by_text("b", exact=True).first).to_be_visible()
    page.locator("summary").click()
    expect(page.get_by_text(re.compile("Of the rows so far: "))).to_be_visible()


def see_columns(page: Page) -> None:
    rows = len(GOOD) + ITEMS - GONE.stop
    page.locator("summary").click()
    expect(page.get_by_text(f"Of all rows: {rows}.")).to_be_visible()
    columns = page.get_by_role("table", name="Columns")
    for name, *told in [
        ("rows.n", "integer", "0", "0"),
        ("rows.mixed", f"integer ({rows // 2}), string ({rows // 2})", "0", "0"),
        ("rows.rare", "–", "1", str(rows - 1)),
        ("input.number", "an input", "–", "–"),
    ]:
        row = columns.get_by_role("row").filter(has=page.get_by_text(name, exact=True))
        expect(row.get_by_role("cell")).to_have_text([name, *told])


def see_kinds(page: Page) -> None:
    """Of the failures only the first hundred are listed, but all are counted."""
    expect(page.get_by_role("table", name="Failed items").get_by_role("row")).to_have_count(101)
    kinds = page.get_by_role("list", name="Failures by kind").get_by_role("listitem")
    expect(kinds).to_have_text([re.compile(r"^120 .*, status 404$"), re.compile(r"^10 .*, status 410$")])


def see_health(page: Page) -> None:
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="Looked at", exact=True))
    said = "Last executions, the newest to the right: 1 partially failed"
    expect(row.get_by_role("group", name=said)).to_be_visible()
