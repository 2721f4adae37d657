"""The whole story at the page, as a person lives it: from a pasted command to the retry of what failed."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Error, FilePayload, Page, expect
from tests.acceptance.server import Server
from tests.ui.browser import Person, loaded_anew
from tests.ui.sights import DRAWN
from tests.upstreams.scripted import Asked, Play, Scripted

USERS = [str(number) for number in range(100, 130)]
#: Items that the upstream refuses until it is mended.
BROKEN = ("104", "117")


class Shop:
    """An upstream with orders in pages of ten; two customers' are broken at first."""

    def __init__(self, upstream: Scripted) -> None:
        self.url, self.mended = upstream.url, False
        for user in USERS:
            upstream.on(f"/customers/{user}/orders", self.answer)

    def answer(self, asked: Asked) -> Play:
        user = asked.path.split("/")[2]
        if user in BROKEN and not self.mended:
            return Play.json({"error": f"customer {user} is being moved"}, status=404)
        page = int(asked.query.get("page") or 1)
        rows = [{"id": f"{user}-{page}-{n}", "total": n * 1.5} for n in range(10)]
        return Play.json({"orders": rows if page <= 2 else []})


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Scripted() as upstream:
        yield Shop(upstream)


def fill(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.blur()


def choose(page: Page, label: str, option: str | re.Pattern[str], place: int = 0) -> None:
    """Choose from a list, once more where a change of the form closes it or takes the choice back."""
    box = page.get_by_role("combobox", name=label).nth(place)
    for _ in range(20):
        if box.get_attribute("aria-expanded") != "true":
            box.click()
        with suppress(Error, AssertionError):
            page.get_by_role("option", name=option, exact=True).click(timeout=6_000)
            expect(box).to_have_value(option, timeout=6_000)
            return
    raise AssertionError(f"{label} offers no {option}")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_from_a_pasted_command_to_the_retry(
    admin: Person, server: Server, shop: Shop, tmp_path: Path, somebody: Callable[..., Person]
) -> None:
    """Paste, try, save, run, watch, look at rows, download, see what failed, retry; others see none."""
    page = admin.open("/collections")
    make_collection(page)
    workflow = make_workflow(page, shop)
    press(page, "Run…")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("30 input items.")).to_be_visible()
    press(page, "Run")
    page.wait_for_url("**/executions/*")
    execution_id = page.url.rsplit("/", 1)[1]
    server.wait(execution_id)
    expect(page.get_by_role("status", name="Status")).to_have_text("partially failed")
    expect(page.locator("canvas").first).to_be_visible()
    look_at_rows(page)
    download(page, server, execution_id, tmp_path)
    see_failures(page, execution_id)
    shop.mended = True
    press(page, "Retry failed…")
    press(page, "Retry")
    page.wait_for_url(re.compile(rf"/executions/(?!{execution_id})"))
    server.wait(page.url.rsplit("/", 1)[1])
    expect(page.get_by_role("status", name="Status")).to_have_text("succeeded")
    page.goto("/workflows")
    expect(page.get_by_role("row", name=re.compile("Orders"))).to_contain_text("600")
    other = server.post("/tokens", {"name": "b", "user": "bob"})["token"]
    see_nothing(
        somebody(), other, [workflow, f"/executions/{execution_id}", f"/executions/{execution_id}/rows"]
    )


def make_collection(page: Page) -> None:
    press(page, "New collection…")
    fill(page, "Name", "Customers")
    press(page, "Create")
    page.wait_for_url("**/collections/*-*")
    fill(page, "Items, a line each; JSON objects likewise", "\n".join([*USERS, USERS[0]]))
    press(page, "Add")
    expect(page.locator("dd").first).to_have_text("30")
    upload_items(page)
    page.get_by_label("Search the items").fill("12")
    press(page, "Search")
    expect(page.get_by_text("11 items match.")).to_be_visible()
    expect(page.locator("pre.code")).to_have_text("112\n120\n121\n122\n123\n124\n125\n126\n127\n128\n129")


def upload_items(page: Page) -> None:
    """Take one column of a file; then give back what it brought."""
    data = b"name,number\nAda,900\nBob,901\n"
    file: FilePayload = {"name": "more.csv", "mimeType": "text/csv", "buffer": data}
    with page.expect_file_chooser() as chooser:
        press(page, "Upload CSV, JSON lines or plain lines…")
    chooser.value.set_files([file])
    dialog = page.get_by_role("dialog", name="Items of more.csv")
    expect(dialog.locator("pre")).to_contain_text("Ada,900")
    press(page, "Take them")
    expect(page.locator("dd").first).to_have_text("32")
    expect(page.locator("pre.code")).to_contain_text("Ada")
    fill(page, "Items, a line each; JSON objects likewise", "Ada\nBob")
    press(page, "Remove")
    expect(page.locator("dd").first).to_have_text("30")


def make_workflow(page: Page, shop: Shop) -> str:
    """Make a workflow of a command, try it, save it; return its address."""
    page.goto("/workflows/new/curl")
    fill(page, "Paste cURL here", f"curl '{shop.url}/customers/100/orders' -H 'accept: application/json'")
    press(page, "Read the cURL")
    expect(page.get_by_text("Read; look it over below")).to_be_visible()
    fill(page, "Name of the workflow", "Orders")
    fill(page, "URL, with {{variables}}", shop.url + "/customers/{{user}}/orders")
    fill(page, "Query, a line each", "page: {{page}}")
    expect(page.get_by_role("group", name="page", exact=True)).to_be_visible()  # its line is drawn
    choose(page, "Values from", "Customers")
    choose(page, "How pages follow", "page number")
    fill(page, "Variable", "page")
    press(page, "Try")
    tried = page.get_by_role("region", name="What came")
    expect(tried.locator("article")).to_have_count(3)
    expect(tried.get_by_role("cell", name="100-1-0", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Formula", exact=True).click()
    expect(page.locator(".cm-content")).to_contain_text("source_collection: Customers")
    press(page, "Save")
    page.wait_for_url(re.compile(r"/workflows/[0-9a-f-]{36}"))
    return page.url


def look_at_rows(page: Page) -> None:
    page.get_by_role("link", name="Rows", exact=True).click()
    grid = page.locator(".ag-root")
    expect(grid.get_by_text("100-1-0", exact=True)).to_be_visible()
    expect(page.get_by_role("navigation", name="Result collections")).to_contain_text("orders 560")
    scroll_to(page, "129-2-9")


def scroll_to(page: Page, text: str) -> None:
    """Go to the end of the rows, which may still grow, until a cell has this text."""
    page.wait_for_function(
        """text => {
          document.querySelector('.ag-body-viewport').scrollTop = 1e6;
          return [...document.querySelectorAll('.ag-cell')].some(cell => cell.textContent === text);
        }""",
        arg=text,
    )


def download(page: Page, server: Server, execution_id: str, folder: Path) -> None:
    """Download the first file with the browser: the very bytes that the API tells of."""
    page.get_by_role("link", name="Files", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("link", name="orders.csv", exact=True).click()
    started.value.save_as(folder / "orders.csv")
    data = (folder / "orders.csv").read_bytes()
    result = server.execution(execution_id)["results"][0]
    assert data == requests.get(result["url"], timeout=30).content
    assert hashlib.sha256(data).hexdigest() == result["sha256"]
    press(page, "Make other files…")
    press(page, "Make them")
    expect(page.get_by_role("link", name="orders.parquet", exact=True)).to_be_visible()


def see_failures(page: Page, execution_id: str) -> None:
    page.get_by_role("link", name="Failures", exact=True).click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="4", exact=True).click()
    page.wait_for_url(f"**/executions/{execution_id}/items/4")
    expect(page.get_by_text("customer 104 is being moved").first).to_be_visible()


def see_nothing(person: Person, token: str, addresses: list[str]) -> None:
    person.sign_in(token)
    for place in ("/workflows", "/executions", "/collections"):
        person.open(place)
        expect(person.page.locator(".nothing")).to_be_visible()
    for address in addresses:
        person.page.goto(address)
        expect(person.page.get_by_text("There is nothing here")).to_be_visible()
    fetched = person.page.request.get(f"/_rows/{addresses[1].rsplit('/', 1)[1]}?collection=orders")
    assert fetched.status == 404


HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"}}]]>{{7*7}}'


def test_hostile_texts_stay_texts(admin: Person, server: Server) -> None:
    """Names, items, headers, keys and answers that hold scripts are shown as they are, and run nothing."""
    with Scripted() as upstream:
        answer = json.dumps({"rows": [{"k" + HOSTILE: HOSTILE, "v": HOSTILE}]}).encode()
        failing = Play(status=404, body=HOSTILE.encode(), headers=(("content-type", "text/html"),))
        headers = (("content-type", "application/json"), ("x-evil", HOSTILE))
        upstream.on(
            "/x", lambda asked: failing if "bad" in asked.target else Play(body=answer, headers=headers)
        )
        made = define_hostile(server, upstream)
        execution_id = server.trigger(made["workflow"], execution_name=HOSTILE)
        server.wait(execution_id)
        base = f"/executions/{execution_id}"
        views = [
            "/workflows",
            "/executions",
            "/collections",
            base,
            "/proxies",
            "/settings",
        ]
        views += [f"{base}/{part}" for part in ("rows", "files", "failures", "items/0", "items/1", "events")]
        views += [
            f"/workflows/{made['workflow']}",
            f"/collections/{made['collection']}",
        ]
        page = admin.open(f"/executions?status={HOSTILE}")
        expect(page.get_by_text("This cannot be shown")).to_be_visible()
        see_texts_only(page)
        for place in views:
            page = admin.open(place)
            expect(page.get_by_text(HOSTILE).first).to_be_visible()
            if place.endswith("/rows"):
                expect(page.locator(".ag-cell").get_by_text(HOSTILE).first).to_be_visible()
            see_texts_only(page)
        page = admin.open(f"/workflows/{made['workflow']}")
        press(page, "Try")
        expect(page.get_by_role("region", name="What came").locator("article").first).to_be_visible()
        press(page, "Run…")
        expect(page.get_by_role("dialog").get_by_text("2 input items.")).to_be_visible()
        see_texts_only(page)
        expect(page.locator("h1")).to_have_text(HOSTILE)


def see_texts_only(page: Page) -> None:
    """Nothing in the view was made of a hostile text, and none has run."""
    page.evaluate(DRAWN)
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert page.evaluate("window.hacked") is None, page.url


def define_hostile(server: Server, upstream: Scripted) -> dict[str, Any]:
    collection = server.post("/collections", {"name": HOSTILE, "items": [HOSTILE, "bad"]})
    server.post("/proxies", {"type": "dedicated", "location": HOSTILE, "url": "http://127.0.0.1:9"})
    server.post("/tokens", {"name": HOSTILE})
    endpoint = server.post(
        "/endpoints",
        {
            "name": HOSTILE,
            "url": upstream.url + "/x",
            "query": {"q": "{{x}}"},
            "headers": {"X-Given": HOSTILE.replace("{{7*7}}", "")},
            "variables": {"x": {"description": HOSTILE}},
        },
    )
    mapping = {"target_variable_name": "x", "source_collection_id": collection["id"]}
    body = {"name": HOSTILE, "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return {"collection": collection["id"], "workflow": server.post("/workflows", body)["id"]}


def test_a_view_that_is_open_survives_a_restart(admin: Person, server: Server, shop: Shop) -> None:
    """The server is stopped and comes back at the same address; the view goes on by itself."""
    page = admin.open("/collections")
    port = server.url.rsplit(":", 1)[1]
    press(page, "New collection…")
    expect(page.get_by_role("dialog")).to_be_visible()
    with loaded_anew(page):
        server.stop()
        expect(page.locator(".q-dialog")).to_have_attribute("inert", "")
        server.start(port)
        server.post("/collections", {"name": "Made after the restart", "items": ["x"]})
    expect(page.get_by_title("Signed in as")).to_have_text("admin")
    page.reload()
    expect(page.get_by_role("link", name="Made after the restart")).to_be_visible()
    press(page, "New collection…")
    expect(page.get_by_role("dialog")).to_be_visible()
