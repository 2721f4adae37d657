"""A view stays steady under whoever uses it: presses count once, and what is shown anew moves nothing."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import PATIENCE, Person
from tests.upstreams.scripted import Asked, Play, Scripted

QUERY = {"cursor": "{{cursor}}"}
#: The item that waits for the test; those before it are answered.
HELD = 3


class Tap:
    """An upstream that answers all items but the last, and that one when it is opened."""

    def __init__(self, upstream: Scripted) -> None:
        self.opened: Future[None] = Future()
        self.url = upstream.url
        upstream.on("/n/*", self.answer)

    def answer(self, asked: Asked) -> Play:
        waits = asked.path.endswith(f"/{HELD}")
        body = {"rows": [{"n": n, "tags": [{"t": 1}, {"t": 2}]} for n in range(5)], "next": None}
        return Play.json(body, until=self.opened if waits else None)


@pytest.fixture
def tap() -> Iterator[Tap]:
    with Scripted() as upstream:
        tap = Tap(upstream)
        yield tap
        if not tap.opened.done():
            tap.opened.set_result(None)


def define(server: Server, url: str, name: str) -> str:
    """Define a workflow over a few items; return its id."""
    items = server.post("/collections", {"name": name, "items": [str(n) for n in range(HELD + 1)]})
    endpoint = server.post("/endpoints", {"name": name, "url": f"{url}/n/{{{{number}}}}", "query": QUERY})
    mapping = {"target_variable_name": "number", "source_collection_id": items["id"]}
    paginator = {"type": "cursor", "cursor_path": "$.next", "variable": "cursor"}
    body: dict[str, Any] = {"name": name, "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(server.post("/workflows", body | {"paginator": paginator})["id"])


def begin(server: Server, workflow_id: str) -> str:
    """Trigger an execution; return its id when only the item that waits is left."""
    execution_id = server.trigger(workflow_id)
    wait_until(lambda: server.execution(execution_id)["counters"]["items_ended"] == HELD, "only one is left")
    return execution_id


def count(server: Server, workflow_id: str) -> int:
    found = server.get("/executions?limit=1000")["objects"]
    return sum(each["workflow_id"] == workflow_id for each in found)


def test_a_double_click_runs_once(admin: Person, server: Server, tap: Tap) -> None:
    """In the dialog, and where a press does it without one; a dialog opens once, too, and a late second click
    that comes beside it does not close it.
    """
    tap.opened.set_result(None)
    workflow_id = define(server, tap.url, "Run once")
    page = admin.open(f"/workflows/{workflow_id}")
    page.get_by_role("button", name="Run…").dblclick()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("4 input items.")).to_be_visible()
    page.mouse.click(5, 5)
    dialog.get_by_role("button", name="Run", exact=True).dblclick()
    page.wait_for_url("**/executions/*-*")
    server.wait(page.url.rsplit("/", 1)[1])
    assert count(server, workflow_id) == 1
    schedule = server.post("/schedules", {"workflow_id": workflow_id, "cron": "0 6 1 1 *"})
    page = admin.open(f"/schedules/{schedule['id']}")
    page.get_by_role("button", name="Run now").dblclick()
    page.wait_for_url("**/executions/*-*")
    server.wait(page.url.rsplit("/", 1)[1])
    assert count(server, workflow_id) == 2


def test_what_one_reads_stays_as_it_is(admin: Person, server: Server, tap: Tap) -> None:
    """An answer that was opened stays open while the execution goes on, and the focus where it was."""
    workflow_id = define(server, tap.url, "Read meanwhile")
    execution_id = begin(server, workflow_id)
    page = admin.open(f"/executions/{execution_id}/items/0")
    page.get_by_text("Answer", exact=True).click()
    expect(page.locator("details[open]")).to_have_count(1)
    watch_for_change(page, "article")
    expect(page.locator("details[open]")).to_have_count(1)
    page = admin.open("/executions")
    page.get_by_role("link", name="Read meanwhile").focus()
    other = server.trigger(workflow_id)
    expect(page.locator(f"a[href='/executions/{other}']")).to_be_visible()
    assert page.evaluate("document.activeElement.getAttribute('href')") == f"/executions/{execution_id}"
    tap.opened.set_result(None)
    server.wait(execution_id)
    server.wait(other)


def watch_for_change(page: Page, place: str) -> None:
    """Wait until a part of the view that tells times has told a later one: sooner or later, a minute."""
    page.evaluate(
        """place => {
          window.isChanged = false;
          new MutationObserver(() => { window.isChanged = true; }).observe(
            document.querySelector(place).parentElement,
            { childList: true, subtree: true, characterData: true, attributes: true },
          );
        }""",
        place,
    )
    page.wait_for_function("window.isChanged", timeout=2 * PATIENCE)


def test_rows_do_not_jump_at_the_end(admin: Person, server: Server, tap: Tap) -> None:
    """What is counted while it goes on is what is counted when it has ended: the rows of the main table."""
    workflow_id = define(server, tap.url, "Counted steadily")
    execution_id = begin(server, workflow_id)
    page = admin.open(f"/executions/{execution_id}")
    rows = page.locator("dl.big > div").filter(has_text="Rows").locator("dd")
    expect(rows).to_have_text("15")
    tap.opened.set_result(None)
    expect(rows).to_have_text("2064 in all tables")
    page = admin.open(f"/workflows/{workflow_id}")
    page.get_by_role("link", name="Executions", exact=True).last.click()
    page.wait_for_url(f"**/workflows/{workflow_id}/executions")
    row = page.get_by_role("row").filter(has=page.locator(f"a[href='/executions/{execution_id}']"))
    expect(row.get_by_role("cell").nth(4)).to_have_text("20")
