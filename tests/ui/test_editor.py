"""Nothing that one wrote is lost: not by a change in the form, not by a reload, not by a server's restart."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import Person, hear, loaded_anew
from tests.ui.test_story import choose, fill, press

from swath.demo.upstream import Upstream

FORMULA = """\
# What we know of numbers.
endpoints:
  A number:
    url: http://127.0.0.1:9/{{number}}  # a port where nobody is
    variables: {number: {default: 1}}
workflows:
  Counted:
    endpoint: A number
    concurrency: 8  # side by side
"""
#: True when the browser keeps nothing that was written and not saved.
NOTHING_KEPT = "!Object.keys(localStorage).some(name => name.startsWith('swath:draft:'))"


@pytest.fixture
def workflow(server: Server) -> str:
    answer = server.ask("POST", "/formulas", data=FORMULA.encode(), headers={"Content-Type": "text/yaml"})
    answer.raise_for_status()
    return next(str(each["id"]) for each in server.get("/workflows")["objects"] if each["name"] == "Counted")


def read_text(page: Page) -> str:
    """Return what the editor of the text shows just now."""
    return "\n".join(page.locator(".cm-line").all_text_contents())


def test_a_change_in_the_form_keeps_the_comments(admin: Person, server: Server, workflow: str) -> None:
    page = admin.open(f"/workflows/{workflow}")
    fill(page, "Items at the same time", "4")
    press(page, "Formula")
    changed = FORMULA.replace("concurrency: 8", "concurrency: 4").rstrip()
    wait_until(lambda: read_text(page).rstrip() == changed, "the text is the changed one")
    press(page, "Save")
    hear(page, "Saved.")
    kept = server.ask("GET", f"/formulas/{workflow}").text
    assert "# What we know of numbers." in kept
    assert "concurrency: 4  # side by side" in kept


def test_unsaved_changes_survive_a_reload_and_a_restart(admin: Person, server: Server, workflow: str) -> None:
    """They are shown again and said to be, until they are saved or discarded; signing out forgets them."""
    page = admin.open(f"/workflows/{workflow}")
    change(page, "5")
    page.reload()
    expect(page.get_by_text(re.compile("Unsaved changes from .* were restored"))).to_be_visible()
    expect(page.get_by_label("Items at the same time", exact=True)).to_have_value("5")
    port = server.url.rsplit(":", 1)[1]
    with loaded_anew(page):
        server.stop()
        expect(page.locator("#content")).to_have_attribute("inert", "")
        server.start(port)
    expect(page.get_by_label("Items at the same time", exact=True)).to_have_value("5")
    press(page, "Discard them")
    expect(page.get_by_label("Items at the same time", exact=True)).to_have_value("8")
    page.wait_for_function(NOTHING_KEPT)
    page.reload()
    expect(page.get_by_label("Items at the same time", exact=True)).to_have_value("8")
    change(page, "6")
    admin.sign_out()
    admin.sign_in(server.token)
    page = admin.open(f"/workflows/{workflow}")
    expect(page.get_by_label("Items at the same time", exact=True)).to_have_value("8")


def change(page: Page, number: str) -> None:
    """Change the form, and wait until the browser has kept it."""
    fill(page, "Items at the same time", number)
    page.wait_for_function(
        "number => Object.values(localStorage).some(kept => kept.includes(`concurrency: ${number}`))",
        arg=number,
    )


def test_two_windows_do_not_undo_each_other(admin: Person, server: Server, workflow: str) -> None:
    """Who saves second is shown what the first has saved, and saves over it only by saying so."""
    page, other = admin.open(f"/workflows/{workflow}"), admin.context.new_page()
    other.goto(f"{server.url}/workflows/{workflow}")
    fill(other, "Headers, a line each", "X-First: 1")
    expect(other.locator(".cm-content")).to_contain_text("X-First")
    press(other, "Save")
    hear(other, "Saved.")
    fill(page, "Items at the same time", "3")
    expect(page.locator(".cm-content")).to_contain_text("concurrency: 3")
    press(page, "Run…")
    dialog = page.get_by_role("dialog", name="It was changed elsewhere")
    expect(dialog).to_contain_text("X-First")
    press(page, "Not now")
    assert "X-First" in server.ask("GET", f"/formulas/{workflow}").text
    press(page, "Save")
    press(page, "Save over it")
    hear(page, "Saved.")
    kept = server.ask("GET", f"/formulas/{workflow}").text
    assert ("X-First" in kept, "concurrency: 3" in kept) == (False, True)
    press(page, "Save")
    hear(page, "Nothing had changed.")


def test_what_was_taken_back_is_no_unsaved_change(admin: Person, workflow: str) -> None:
    page = admin.open(f"/workflows/{workflow}")
    change(page, "5")
    fill(page, "Items at the same time", "8")
    page.wait_for_function(NOTHING_KEPT)


def test_a_text_that_cannot_be_read_is_not_overwritten(admin: Person, workflow: str) -> None:
    """The form waits until the text says something again."""
    page = admin.open(f"/workflows/{workflow}")
    page.get_by_role("button", name="Formula", exact=True).click()
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("  oops: @here")
    expect(page.get_by_text(re.compile("Line .*: not YAML"))).to_be_visible()
    page.get_by_role("button", name="Form", exact=True).click()
    field = page.get_by_label("Items at the same time", exact=True)
    expect(field.locator("xpath=ancestor::*[@inert]")).to_have_count(1)
    press(page, "Formula")
    wait_until(lambda: "oops" in read_text(page), "what was typed is there")


def test_values_by_rule_and_from_rows(admin: Person, server: Server, workflow: str) -> None:
    """A variable takes a range of numbers, many in one request; or a column of another workflow's rows."""
    page = admin.open(f"/workflows/{workflow}")
    choose(page, "Values from", "A range of numbers")
    fill(page, "To", "500")
    fill(page, "Values in one request", "50")
    expect(page.locator(".cm-content")).to_contain_text("size: 50")
    press(page, "Save")
    hear(page, "Saved.")
    kept = server.get(f"/workflows/{workflow}")["object"]
    assert [(each["variable"], each["first"], each["last"]) for each in kept["ranges"]] == [
        ("number", 1, 500)
    ]
    press(page, "Run…")
    expect(page.get_by_role("dialog").get_by_text("10 input items.")).to_be_visible()
    press(page, "Close")
    body = FORMULA.replace("Counted", "Others").replace("A number", "Another number")
    server.ask("POST", "/formulas", data=body.encode()).raise_for_status()
    page.reload()
    choose(page, "Values from", "Rows of Others")
    fill(page, "Column", "id")
    page.get_by_role("checkbox", name="has failed in part").click()
    expect(page.locator(".cm-content")).to_contain_text("after:")
    fill(page, "Parameters handed on to it", "since, until")
    expect(page.locator(".cm-content")).to_contain_text("until")
    press(page, "Save")
    hear(page, "Saved.")
    kept = server.get(f"/workflows/{workflow}")["object"]
    assert [each["from_result"]["column"] for each in kept["mappings"]] == ["id"]
    assert kept["chain"] == {"after": ["succeeded"], "parameters": ["since", "until"]}


def test_a_paginator_that_a_try_speaks_for_is_taken_by_a_press(
    admin: Person, server: Server, upstream: Upstream
) -> None:
    """The answer has a cursor: one press brings the paginator and its parameter, and pages follow."""
    page = admin.open("/workflows/new")
    fill(page, "Name of the workflow", "Posts")
    fill(page, "URL, with {{variables}}", f"{upstream.url}/users/43823188/posts")
    press(page, "Try")
    press(page, "Use it")
    expect(page.get_by_label("Query, a line each")).to_have_value("cursor: {{cursor}}")
    press(page, "Save")
    page.wait_for_url("**/workflows/*-*")
    workflow_id = page.url.rsplit("/", 1)[1]
    assert server.wait(server.trigger(workflow_id))["counters"]["pages"] > 1


def test_the_form_shows_the_workflow_of_the_page(admin: Person, server: Server, workflow: str) -> None:
    """Not the one whose rows it takes, which stands before it in the formula; and saving renames none."""
    server.ask("PUT", f"/workflows/{workflow}", json={"name": "Feeder"}).raise_for_status()
    endpoint = server.post("/endpoints", {"name": "Fed", "url": "http://127.0.0.1:9/of/{{number}}"})
    column = {"workflow_id": workflow, "column": "id"}
    mapping = {"target_variable_name": "number", "from_result": column}
    body = {"name": "Follower", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    page = admin.open(f"/workflows/{server.post('/workflows', body)['id']}")
    expect(page.get_by_label("Name of the workflow")).to_have_value("Follower")
    expect(page.get_by_label("URL, with {{variables}}")).to_have_value("http://127.0.0.1:9/of/{{number}}")
    fill(page, "Items at the same time", "3")
    expect(page.locator(".cm-content")).to_contain_text("concurrency: 3")
    press(page, "Save")
    hear(page, "Saved.")
    kept = {each["name"]: each["id"] for each in server.get("/workflows")["objects"]}
    assert kept["Feeder"] == workflow
    assert server.get(f"/workflows/{kept['Follower']}")["object"]["concurrency"] == 3


def test_a_value_of_another_kind_is_told(admin: Person, workflow: str) -> None:
    """As it is while one types: the check says so, and the form waits until it can show what there is."""
    page = admin.open(f"/workflows/{workflow}")
    press(page, "Formula")
    text = "endpoints: {E: {url: 'http://127.0.0.1:9/', query: page}}\nworkflows: {W: {endpoint: E}}"
    page.locator(".cm-content").fill(text)
    expect(page.get_by_text("Must be an object")).to_be_visible()
    expect(page.locator("[inert]")).to_have_count(1)
    expect(page.get_by_text("Something went wrong")).to_have_count(0)
    page.locator(".cm-content").fill(text.replace("query: page", "query: {page: 1}"))
    expect(page.locator("[inert]")).to_have_count(0)
    press(page, "Form")
    expect(page.get_by_label("Query, a line each")).to_have_value("page: 1")
    fill(page, "Name of the workflow", "Typed")
    expect(page.locator(".cm-content")).to_contain_text("Typed")


def test_a_new_workflow_takes_nothing_from_another(admin: Person, server: Server) -> None:
    """By a name that is taken, only who says so changes what is there; by another one, nothing is shared."""
    for number in (1, 2):
        page = admin.open("/workflows/new")
        url = f"http://127.0.0.1:9/{number}/{{{{user_id}}}}"
        fill(page, "URL, with {{variables}}", url)
        expect(page.locator(".cm-content")).to_contain_text(f"/{number}/")
        press(page, "Save")
        if number == 2:
            dialog = page.get_by_role("dialog", name="This changes what is there already")
            expect(dialog.get_by_role("listitem")).to_have_text(["endpoint My workflow"])
            press(page, "Not now")
            fill(page, "Name of the workflow", "Another one")
            expect(page.locator(".cm-content")).to_contain_text("Another one")
            press(page, "Save")
        page.wait_for_url("**/workflows/*-*")
        page.wait_for_function("window.did_handshake")
    kept = {each["name"]: each["url"] for each in server.get("/endpoints")["objects"]}
    assert "/1/" in kept["My workflow"]
    assert "/2/" in kept["Another one"]
    fill(page, "Name of the workflow", "My workflow")
    expect(page.locator(".cm-content")).to_contain_text("My workflow")
    press(page, "Save")
    expect(page.get_by_role("alert").filter(has_text="You have another workflow")).to_be_visible()
    names = [each["name"] for each in server.get("/workflows")["objects"]]
    assert (names.count("My workflow"), names.count("Another one")) == (1, 1)


def test_of_very_many_variables_the_form_shows_the_first(admin: Person, server: Server) -> None:
    """A server that draws a thousand would stand still meanwhile; the formula has them all."""
    names = [f"v{number}" for number in range(120)]
    query = {name: f"{{{{{name}}}}}" for name in names}
    variables = {name: {"default": 1} for name in names}
    body = {"name": "Wide", "url": "http://127.0.0.1:9/", "query": query, "variables": variables}
    endpoint = server.post("/endpoints", body)
    made = server.post("/workflows", {"name": "Of many variables", "endpoint_id": endpoint["id"]})
    page = admin.open(f"/workflows/{made['id']}")
    expect(page.get_by_text("70 more stand in the formula only.")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Secret")).to_have_count(50)
    press(page, "Formula")
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    expect(page.locator(".cm-content")).to_contain_text("v119")
