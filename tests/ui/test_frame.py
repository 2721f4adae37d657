"""Coming in and going out, and what is the page's and what the API's."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import expect
from tests.acceptance.server import Server
from tests.ui.browser import Person

BASE = "/cloud/api/v1"


def test_signing_in_and_out(somebody: Callable[..., Person], server: Server) -> None:
    """A view asks for the token, then shows itself and whose world it is; after signing out it asks again."""
    person = somebody()
    page = person.page
    page.goto("/executions?status=failed")
    page.get_by_label("Your token").fill("nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Not a token of this server")
    page.get_by_label("Your token").fill(server.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.url}/executions?status=failed")
    expect(page.get_by_text("No execution is failed")).to_be_visible()
    expect(page.get_by_title("Signed in as")).to_have_text("admin")
    (cookie,) = [each for each in person.context.cookies() if each["name"] == "swath_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert server.token not in cookie["value"]
    person.sign_out()
    page.goto("/executions")
    expect(page.get_by_label("Your token")).to_be_visible()


def test_a_forged_cookie_and_a_revoked_token_open_nothing(
    somebody: Callable[..., Person], server: Server
) -> None:
    made = server.post("/tokens", {"name": "short", "user": "visitor"})
    person = somebody()
    person.sign_in(made["token"])
    page = person.open("/collections")  # a view that does not find out by itself, while it is loaded anew
    server.ask("DELETE", f"/tokens/{made['id']}").raise_for_status()
    page.reload()
    expect(page.get_by_label("Your token")).to_be_visible()
    forged = requests.get(
        f"{server.url}/executions",
        cookies={"swath_session": "session 9999999999 x"},
        headers={"Accept": "text/html"},
        allow_redirects=False,
        timeout=30,
    )
    assert forged.headers["location"].startswith("/sign-in")


def test_a_link_that_is_written_anew_while_it_is_pressed_leads_on(admin: Person) -> None:
    """What changes while one looks must not lose a click."""
    page = admin.open("/executions")
    link = page.get_by_role("navigation").get_by_role("link", name="Collections")
    link.hover()
    page.mouse.down()
    link.evaluate("link => link.replaceWith(link.cloneNode(true))")
    page.mouse.up()
    page.wait_for_url("**/collections")


@pytest.mark.parametrize(("view", "deed"), [("/workflows/new", "Try"), ("/collections", "Create")])
def test_a_token_revoked_while_a_view_is_open_leads_to_sign_in(
    somebody: Callable[..., Person], server: Server, view: str, deed: str
) -> None:
    """Whatever is pressed next leads there, also in a dialog, and back afterwards."""
    made = server.post("/tokens", {"name": "short", "user": "visitor"})
    person = somebody()
    person.sign_in(made["token"])
    page = person.open(view)
    if deed == "Create":
        page.get_by_role("button", name="New collection…", exact=True).click()
        page.get_by_label("Name").fill("Never made")
    server.ask("DELETE", f"/tokens/{made['id']}").raise_for_status()
    page.get_by_role("button", name=deed, exact=True).click()
    page.get_by_label("Your token").fill(server.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(server.url + view)


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "/\\evil.example", "https://evil.example"])
def test_signing_in_leads_nowhere_else(server: Server, elsewhere: str) -> None:
    """A link to the sign-in form cannot send whoever signs in to somebody else's page."""
    form = {"token": server.token, "next": elsewhere}
    answer = requests.post(f"{server.url}/sign-in", data=form, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_form_of_another_site_is_refused(server: Server) -> None:
    """Nobody can be signed in by a page that is not ours."""
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = requests.post(f"{server.url}/sign-in", data={"token": server.token}, headers=headers, timeout=30)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)


def test_the_api_answers_for_its_own_paths(server: Server, admin: Person) -> None:
    """Below the base path all is in the API's envelope; elsewhere a view says that there is nothing."""
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/workflows", 405)):
        answer = server.ask(method, path, headers={"Accept": "text/html"})
        assert (answer.status_code, list(answer.json())) == (status, ["errors"])
    answer = requests.get(f"{server.url}/nowhere", timeout=30)
    assert (answer.status_code, list(answer.json())) == (404, ["errors"])
    page = admin.page
    page.goto("/nowhere")
    expect(page.get_by_text("There is nothing here")).to_be_visible()
    page.goto("/executions/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_text("There is nothing here")).to_be_visible()


def test_only_a_server_carries_the_page() -> None:
    """No other command, and no process of a worker, imports what draws it."""
    code = "import sys, swath.cli; print(any(each.startswith('nicegui') for each in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_the_page_takes_nothing_from_elsewhere(server: Server, admin: Person) -> None:
    """All scripts and styles are the server's own; its policy keeps it so."""
    admin.open("/executions")
    answer = requests.get(f"{server.url}/sign-in", timeout=30)
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", admin.page.content())


def test_what_nobody_foresaw_is_told_without_its_inside(server: Server, admin: Person) -> None:
    """A view that cannot be drawn says so in our words, on our page; what failed stands in the log alone."""
    endpoint = server.post("/endpoints", {"name": "Away", "url": "http://127.0.0.1:9/"})
    made = server.post("/workflows", {"name": "Away", "endpoint_id": endpoint["id"]})
    execution_id = server.wait(server.trigger(made["id"]))["id"]
    (server.folder / "objects" / "results" / execution_id / "0" / "index").write_bytes(b"damaged" * 9)
    assert admin.page.goto(f"/executions/{execution_id}/rows").status == 500
    expect(admin.page.get_by_text("Something went wrong on our side")).to_be_visible()
    expect(admin.page.get_by_role("link", name="See your executions")).to_be_visible()
    expect(admin.page.get_by_text(re.compile("Error"))).to_have_count(0)


def test_signing_out_in_one_window_is_signing_out_in_all(server: Server, admin: Person) -> None:
    """Whoever comes to the machine afterwards finds nobody's world open."""
    page, other = admin.open("/workflows"), admin.context.new_page()
    other.goto(f"{server.url}/collections")
    other.wait_for_function("window.did_handshake")
    page.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in?next=/collections")


def test_an_administrator_finds_the_tokens_of_others(server: Server, admin: Person) -> None:
    server.post("/tokens", {"name": "of somebody", "user": "somebody"})
    page = admin.open("/settings")
    page.get_by_label("User", exact=True).fill("somebody")
    page.get_by_role("button", name="Show those").click()
    expect(page.get_by_role("heading", name="Tokens of somebody")).to_be_visible()
    expect(page.get_by_text("of somebody", exact=True)).to_be_visible()
    page.get_by_role("link", name="Show yours").click()
    expect(page.get_by_role("heading", name="Tokens of admin")).to_be_visible()
