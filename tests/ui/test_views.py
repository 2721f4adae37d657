"""What the views of an execution tell is of the whole of it, while it runs and after."""

import re
from concurrent.futures import Future
from typing import Any

from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import Person, hear
from tests.ui.test_story import choose, fill, press, scroll_to
from tests.upstreams.scripted import Asked, Play, Scripted

#: Items that are answered, that are not there and that are gone; the last item waits for the test.
GOOD, LOST, GONE = range(20), range(20, 140), range(140, 150)
ITEMS = 200
#: A browser that takes its time to say where somebody reads.
BUSY = """() => {
  const find = isAtTop;
  isAtTop = (id) => new Promise((tell) => setTimeout(() => tell(find(id)), 2000));
}"""


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
            change_while_it_runs(page, server, execution_id)
            reading = somebody_reads(admin.context.new_page(), f"{server.url}/executions/{execution_id}/rows")
            page = admin.open(f"/executions/{execution_id}/rows")
            choice = page.get_by_role("navigation", name="Result collections")
            told = choice.get_by_role("link", name=re.compile("^rows "))
            before = told.text_content()
            assert server.execution(execution_id)["completed_at"] is None
        finally:
            held.set_result(None)
        server.wait(execution_id)
        expect(told).not_to_have_text(before or "")
        expect(told).to_have_text(f"rows {len(GOOD) + ITEMS - GONE.stop}")
        see_more(reading)
    see_columns(admin.open(f"/executions/{execution_id}/rows"))
    see_kinds(admin.open(f"/executions/{execution_id}/failures"))
    see_health(admin.open("/workflows"))


def change_while_it_runs(page: Page, server: Server, execution_id: str) -> None:
    """The dialog shows what holds; several limits of pace, and only what was changed is."""
    page.goto(f"/executions/{execution_id}")
    press(page, "Change…")
    dialog = page.get_by_role("dialog", name="Change how it runs")
    expect(dialog.get_by_label("Items at the same time")).to_have_value("16")
    for place, (requests, seconds) in enumerate([("100", "1"), ("9000", "3600")]):
        press(page, "Add a limit")
        line = dialog.get_by_role("group", name=f"Limit {place + 1}")
        line.get_by_label("Requests", exact=True).fill(requests)
        line.get_by_label("in seconds").fill(seconds)
        line.get_by_label("in seconds").blur()
    fill(page, "Priority, 9 goes first", "7")
    press(page, "Change")
    hear(page, "Changed; in force within a second.")
    held = server.get(f"/workflows/executions/{execution_id}/adjustments")["object"]
    assert [(each["requests"], each["per_seconds"]) for each in held["rate_limits"]] == [
        (100, 1),
        (9000, 3600),
    ]
    assert (held["concurrency"], server.execution(execution_id)["priority"]) == (16, 7)
    events = server.get(f"/workflows/executions/{execution_id}/events")["objects"]
    assert {each["data"]["field"] for each in events if each["kind"] == "adjusted"} == {
        "rate_limits",
        "priority",
    }


def somebody_reads(page: Page, address: str) -> Page:
    """Open the rows in a window so low that there is something further down, and go there."""
    page.set_viewport_size({"width": 900, "height": 360})
    page.goto(address)
    expect(page.locator(".ag-center-cols-container .ag-row").first).to_be_visible()
    page.wait_for_function("""() => {
      const view = document.querySelector('.ag-body-viewport');
      view.scrollTop = 64;
      return view.scrollTop === 64;
    }""")
    page.evaluate(BUSY)
    return page


def see_more(page: Page) -> None:
    """Who reads further down is not moved, but told; the rows come when he says so."""
    total = len(GOOD) + ITEMS - GONE.stop
    expect(page.get_by_role("navigation", name="Result collections")).to_contain_text(f"rows {total}")
    expect(page.locator("details")).to_contain_text(f"Of all rows: {total}.")  # nothing comes after that
    assert page.evaluate("document.querySelector('.ag-body-viewport').scrollTop") == 64
    press(page, "Show them")
    expect(page.get_by_role("button", name="Show them")).to_be_hidden()
    scroll_to(page, "199")


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


def test_rows_become_the_items_of_a_collection_and_of_a_workflow(server: Server, admin: Person) -> None:
    """By hand from a result; or by itself, and the executions lead to each other."""
    with Scripted() as upstream:
        upstream.on("/people", Play.json({"people": [{"id": n, "name": f"P {n}"} for n in range(3)]}))
        upstream.on("/of/*", Play.json({"posts": [{"title": "x"}]}))
        people = define_chain(server, upstream.url)
        execution = server.wait(server.trigger(people, execution_name="People of June"))
        (follower,) = execution["started"]
        server.wait(follower)
    page = admin.open(f"/executions/{execution['id']}")
    page.get_by_role("link", name="an execution", exact=True).click()
    page.wait_for_url(f"**/{follower}")
    page.get_by_role("link", name="Started by").click()
    page.wait_for_url(f"**/{execution['id']}")
    page = admin.open("/executions")
    expect(page.get_by_role("cell", name="People of June Posts, after People")).to_be_visible()
    made = server.post("/collections", {"name": "By hand"})
    page = admin.open(f"/collections/{made['id']}")
    press(page, "From a result…")
    dialog = page.get_by_role("dialog", name="Take items from a result")
    choose(page, "Execution", re.compile(r"^People of June \(People\), succeeded"))
    expect(dialog.get_by_role("combobox", name="Table")).to_have_value("people")  # its columns are there
    dialog.get_by_role("combobox", name="Columns").click()
    column = page.get_by_role("option", name="people.name", exact=True)
    column.click()
    expect(column).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(column).to_have_count(0)
    press(page, "Take them")
    expect(page.locator("pre.code")).to_have_text("P 0\nP 1\nP 2")


def define_chain(server: Server, url: str) -> str:
    """Define a workflow, and one that takes its rows; return the first one's id."""
    formula = {
        "endpoints": {"People": {"url": f"{url}/people"}, "Posts of one": {"url": f"{url}/of/{{{{id}}}}"}},
        "workflows": {
            "People": {"endpoint": "People"},
            "Posts": {
                "endpoint": "Posts of one",
                "mappings": [
                    {"target_variable_name": "id", "from_result": {"workflow": "People", "column": "id"}}
                ],
            },
        },
    }
    server.ask("POST", "/formulas", json=formula).raise_for_status()
    made = {each["name"]: each["id"] for each in server.get("/workflows")["objects"]}
    return str(made["People"])
