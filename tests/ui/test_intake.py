"""What is given to a view arrives whole, or nothing is changed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import Person, hear
from tests.ui.test_story import fill, press
from tests.upstreams.scripted import Play, Scripted

LABEL = "Items, a line each; JSON objects likewise"
#: Lines of a text of twenty megabytes.
MANY = 1_000_000


def paste_many(page: Page, count: int) -> None:
    """Paste lines into the field."""
    page.get_by_label(LABEL).evaluate(
        """(field, count) => {
          const clipboardData = new DataTransfer();
          const lines = Array.from({ length: count }, (_, n) => `${1e14 + n} abcd`);
          clipboardData.setData("text/plain", lines.join("\\n"));
          field.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        count,
    )


@pytest.mark.timeout(900)
def test_a_very_large_text_is_taken_whole(admin: Person, server: Server) -> None:
    made = server.post("/collections", {"name": "Large", "items": ["before"]})
    page = admin.open(f"/collections/{made['id']}")
    paste_many(page, MANY)
    expect(page.get_by_text(f"The beginning of {MANY:,} lines")).to_be_visible()
    press(page, "Clear")
    expect(page.get_by_label(LABEL)).to_have_value("")
    paste_many(page, MANY)
    press(page, "Add")
    expect(page.locator("dd").first).to_have_text(f"{MANY + 1:,}", timeout=600_000)


def test_a_large_text_shows_how_far_it_is(admin: Person, server: Server) -> None:
    """Also when its server goes away meanwhile: then it says so, and is sent again by a press."""
    made = server.post("/collections", {"name": "Watched", "items": []})
    page = admin.open(f"/collections/{made['id']}")
    held: list[Route] = []
    page.route("**/upload/*", lambda route: held.append(route), times=1)
    paste_many(page, MANY // 10)
    press(page, "Add")
    expect(page.get_by_role("progressbar", name="Sent")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d% of 2\.0MB sent"))).to_be_visible()
    wait_until(lambda: page.evaluate("true") and held, "the browser has told that it is on its way")
    held[0].continue_()
    expect(page.locator("dd").first).to_have_text(f"{MANY // 10:,}")
    hear(page, "100,000 read: 0 items before, 100,000 now.")
    page.route("**/upload/*", lambda route: route.abort(), times=1)
    fill(page, LABEL, "one more")
    press(page, "Add")
    expect(page.get_by_role("alert").filter(has_text="did not reach the server")).to_be_visible()
    assert admin.judge() == []
    press(page, "Send it again")
    expect(page.locator("dd").first).to_have_text(f"{MANY // 10 + 1:,}")


def test_nothing_takes_the_place_of_all_items_only_when_asked(admin: Person, server: Server) -> None:
    """An empty field is no reason to empty a collection; whoever wants that says so."""
    made = server.post("/collections", {"name": "Kept", "items": ["a", "b"]})
    page = admin.open(f"/collections/{made['id']}")
    press(page, "Add")
    expect(page.get_by_role("alert").filter(has_text="There are none")).to_be_visible()
    press(page, "Replace all")
    dialog = page.get_by_role("dialog", name="Take all 2 items away?")
    expect(dialog).to_be_visible()
    press(page, "Keep them")
    assert server.get(f"/collections/{made['id']}")["object"]["count"] == 2
    press(page, "Replace all")
    press(page, "Take them away")
    expect(page.locator("dd").first).to_have_text("0")


def test_a_file_is_chosen_by_the_button(admin: Person, server: Server, tmp_path: Path) -> None:
    """The button opens the browser's own choice of files; what was chosen is read."""
    file = tmp_path / "command.sh"
    file.write_text("curl 'https://api.example.com/orders?page=1'")
    page = admin.open("/workflows/new/curl")
    with page.expect_file_chooser() as chooser:
        press(page, "Upload a file…")
    chooser.value.set_files(file)
    url = page.get_by_label("URL, with {{variables}}")
    expect(url).to_have_value("https://api.example.com/orders")
    fill(page, "URL, with {{variables}}", "https://api.example.com/mine")
    with page.expect_file_chooser() as chooser:
        press(page, "Upload a file…")
    chooser.value.set_files(file)
    expect(url).to_have_value("https://api.example.com/orders")
    file = tmp_path / "formula.yaml"
    file.write_text(
        "# Mine.\nendpoints: {E: {url: https://api.example.com/x}}\nworkflows: {W: {endpoint: E}}\n"
    )
    page.get_by_role("link", name="From formula").click()
    page.wait_for_url("**/workflows/new/formula")
    with page.expect_file_chooser() as chooser:
        press(page, "Upload a file…")
    chooser.value.set_files(file)
    expect(url).to_have_value("https://api.example.com/x")
    expect(page.locator(".cm-content")).to_contain_text("# Mine.")
    assert page.goto("/workflows/new/nothing").status == 404


#: A browser that says what it has kept only when it is told to.
SLOW = """
const find = findDraft;
findDraft = (name) => new Promise((tell) => { window.tellDraft = () => tell(find(name)); });
"""


def test_what_is_imported_at_once_is_not_replaced(admin: Person) -> None:
    """What was written before and not saved comes back late: whoever has gone on by then keeps the new."""
    page = admin.open("/workflows/new/curl")
    fill(page, "Paste cURL here", "curl https://api.example.com/before")
    press(page, "Read the cURL")
    page.wait_for_function("Object.values(localStorage).some((kept) => kept.includes('/before'))")
    page.route(
        "**/page.js*", lambda route: route.fulfill(response=(got := route.fetch()), body=got.text() + SLOW)
    )
    page = admin.open("/workflows/new/curl")
    page.wait_for_function("'tellDraft' in window")
    fill(page, "Paste cURL here", "curl https://api.example.com/now")
    press(page, "Read the cURL")
    url = page.get_by_label("URL, with {{variables}}")
    expect(url).to_have_value("https://api.example.com/now")
    page.evaluate("tellDraft()")
    press(page, "Formula")
    expect(page.locator(".cm-content")).to_contain_text("https://api.example.com/now")
    expect(page.get_by_text("were restored")).to_have_count(0)


def test_what_an_import_replaces_can_be_put_back(admin: Person) -> None:
    """What was written and not saved is not lost by taking something else; nor is that by going back."""
    page = admin.open("/workflows/new/curl")
    url = page.get_by_label("URL, with {{variables}}")
    fill(page, "Paste cURL here", "curl https://api.example.com/first")
    press(page, "Read the cURL")
    expect(url).to_have_value("https://api.example.com/first")
    expect(page.get_by_role("button", name="Put them back")).to_have_count(0)
    fill(page, "URL, with {{variables}}", "https://api.example.com/mine")
    expect(page.locator(".cm-content")).to_contain_text("/mine")
    fill(page, "Paste cURL here", "curl https://api.example.com/second")
    press(page, "Read the cURL")
    expect(url).to_have_value("https://api.example.com/second")
    press(page, "Put them back")
    expect(url).to_have_value("https://api.example.com/mine")
    press(page, "Put them back")
    expect(url).to_have_value("https://api.example.com/second")


def test_a_value_of_the_command_becomes_a_list(admin: Person, server: Server) -> None:
    """An id in the pasted URL is taken from a list by a press; more ids are written beside it."""
    server.post("/collections", {"name": "customer_id", "items": ["somebody else's"]})
    with Scripted() as upstream:
        upstream.on("/customers/*", lambda asked: Play.json({"orders": [{"path": asked.path}]}))
        page = admin.open("/workflows/new/curl")
        fill(page, "Paste cURL here", f"curl '{upstream.url}/customers/100/orders'")
        press(page, "Read the cURL")
        page.get_by_role("button", name="Take 100 from a list").click()
        url = page.get_by_label("URL, with {{variables}}")
        expect(url).to_have_value(f"{upstream.url}/customers/{{{{customer_id}}}}/orders")
        fill(page, "Items of customer_id 2, a line each", "100\n101\n102")
        press(page, "Try")
        expect(page.get_by_role("cell", name="/customers/102/orders", exact=True)).to_be_visible()
        press(page, "Save")
        page.wait_for_url("**/workflows/*-*")
        execution = server.wait(server.trigger(page.url.rsplit("/", 1)[1]))
    assert (execution["status"], execution["counters"]["items"]) == ("succeeded", 3)
    kept = {each["name"]: each["count"] for each in server.get("/collections")["objects"]}
    assert (kept["customer_id"], kept["customer_id 2"]) == (1, 3)


def test_secrets_of_an_import_are_kept_all(admin: Person, server: Server) -> None:
    """A proxy's login, and the secrets of endpoints that the form does not show, are not lost in saving."""
    commands = (
        "curl -x http://me:proxy-pass@127.0.0.1:9 -H 'Authorization: Bearer first-secret' http://127.0.0.1:9/a\n"
        "curl -H 'X-Api-Key: second-secret' http://127.0.0.1:9/b"
    )
    page = admin.open("/workflows/new/curl")
    fill(page, "Paste cURL here", commands)
    press(page, "Read the cURL")
    expect(page.get_by_label("Its value")).to_have_value("first-secret")
    press(page, "Save")
    page.wait_for_url("**/workflows/*-*")
    (proxy,) = server.get("/proxies")["objects"]
    assert proxy["url"] == "http://me:********@127.0.0.1:9"
    text = server.ask("GET", f"/formulas/{page.url.rsplit('/', 1)[1]}").text
    answer = server.ask("POST", "/formulas?dry_run=true", data=text.encode())
    assert answer.json()["object"]["secrets_missing"] == []


def entry(path: str, token: str) -> dict[str, Any]:
    """A request with its answer, as browsers record them."""
    header = {"name": "Authorization", "value": f"Bearer {token}"}
    answer = {"mimeType": "application/json", "text": json.dumps({"rows": [{"id": 1}]})}
    return {
        "request": {"method": "GET", "url": f"https://api.example.com{path}", "headers": [header]},
        "response": {"status": 200, "headers": [], "content": answer},
    }


def test_of_a_recording_only_what_is_ticked_is_taken(admin: Person, server: Server) -> None:
    """At least one; its secret comes with it, and the others' do not."""
    entries = [entry(f"/{name}", f"{name}-0123456789abcdef") for name in ("orders", "users", "shops")]
    page = admin.open("/workflows/new/har")
    fill(page, "Paste HAR here", json.dumps({"log": {"entries": entries}}))
    press(page, "Read the HAR")
    ticks = page.get_by_role("group", name="Endpoints to take")
    boxes = ticks.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    expect(page.get_by_role("button", name="Take 3 of 3")).to_be_enabled()
    press(page, "Tick none")
    expect(page.get_by_role("button", name="Take 0 of 3")).to_be_disabled()
    press(page, "Tick all")
    ticks.get_by_role("checkbox", name=re.compile("^Orders ")).uncheck()
    ticks.get_by_text("https://api.example.com/shops").click()
    assert admin.judge() == []
    press(page, "Take 1 of 3")
    expect(page.get_by_label("URL, with {{variables}}")).to_have_value("https://api.example.com/users")
    expect(page.get_by_label("Its value")).to_have_value("users-0123456789abcdef")
    expect(page.get_by_text("Of 3 endpoints 2 were left out")).to_be_visible()
    press(page, "Save")
    page.wait_for_url("**/workflows/*-*")
    text = server.ask("GET", f"/formulas/{page.url.rsplit('/', 1)[1]}").text
    assert [part in text for part in ("/users", "/orders", "/shops")] == [True, False, False]


def test_a_document_is_told_where_its_api_is(admin: Person, server: Server) -> None:
    """Lists are ticked at first; an operation that gets none has a workflow when it is taken."""
    items = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}
    content = {"application/json": {"schema": items}}
    listed = {"summary": "Items", "responses": {"200": {"description": "ok", "content": content}}}
    document = {
        "openapi": "3.1.0",
        "paths": {"/items/": {"get": listed}, "/health": {"get": {"summary": "Health", "responses": {}}}},
    }
    page = admin.open("/workflows/new/openapi")
    fill(page, "Paste OpenAPI here", json.dumps(document))
    press(page, "Read the OpenAPI")
    expect(page.get_by_role("alert").filter(has_text="base_url: Blank")).to_be_visible()
    fill(page, "Base URL, if the document does not say it", "http://127.0.0.1:8000")
    press(page, "Read the OpenAPI")
    expect(page.get_by_role("button", name="Take 1 of 2")).to_be_enabled()
    press(page, "Tick none")
    page.get_by_role("checkbox", name=re.compile("^Health ")).check()
    press(page, "Take 1 of 2")
    expect(page.get_by_label("URL, with {{variables}}")).to_have_value("http://127.0.0.1:8000/health")
    press(page, "Save")
    page.wait_for_url("**/workflows/*-*")
    assert server.get(f"/workflows/{page.url.rsplit('/', 1)[1]}")["object"]["name"] == "Health"
