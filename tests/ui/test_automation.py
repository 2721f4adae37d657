"""Schedules and webhooks at the page: what runs by itself, and who is told of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, wait_until
from tests.ui.browser import Person, loaded_anew
from tests.ui.test_story import HOSTILE, choose, fill, press
from tests.upstreams.scripted import Play, Scripted


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        running.on("/n/*", Play.json({"rows": [{"n": 1}]}))
        yield running


@pytest.fixture(scope="module")
def workflow(server: Server, upstream: Scripted) -> str:
    items = server.post("/collections", {"name": "Numbers", "items": ["1", "2"]})
    endpoint = server.post("/endpoints", {"name": "A number", "url": f"{upstream.url}/n/{{{{number}}}}"})
    mapping = {"target_variable_name": "number", "source_collection_id": items["id"]}
    body = {"name": "Counted", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(server.post("/workflows", body)["id"])


def test_a_schedule_from_its_making_to_its_end(admin: Person, server: Server, workflow: str) -> None:
    """Make one, be told when it is due, run it now, hold it, change it, delete it."""
    page = admin.open("/schedules")
    press(page, "New schedule…")
    dialog = page.get_by_role("dialog", name="New schedule")
    fill(page, "As cron writes it", "61 * * * *")
    expect(dialog.get_by_role("status")).to_contain_text("cron: Cannot be read")
    choose(page, "How often", "Every Monday at 6:00")
    fill(page, "Time zone", "Europe/Berlin")
    told = re.compile(r"At 06:00 on Monday. Next: Mon \d+ \w+, 06:00; Mon")
    expect(dialog.get_by_role("status")).to_have_text(told)
    fill(page, "Name", HOSTILE)
    fill(page, "Most requests", "1")
    press(page, "Create")
    page.wait_for_url("**/schedules/*-*")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_text("in ").first).to_be_visible()
    (kept,) = server.get("/schedules")["objects"]
    assert (kept["cron"], kept["timezone"]) == ("0 6 * * 1", "Europe/Berlin")
    assert kept["execution"]["maximum_requests_count"] == 1
    run_and_change(page, server, kept["id"])
    press(page, "Delete…")
    press(page, "Delete it")
    expect(page.get_by_text("No schedules yet")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def run_and_change(page: Page, server: Server, schedule_id: str) -> None:
    press(page, "Run now")
    page.wait_for_url("**/executions/*-*")
    assert server.wait(page.url.rsplit("/", 1)[1])["truncated_by"] == "requests"
    page.goto(f"/schedules/{schedule_id}")
    with loaded_anew(page):
        press(page, "Pause")
    expect(page.get_by_text("None while it is paused.")).to_be_visible()
    press(page, "Edit…")
    fill(page, "As cron writes it", "0 * * * *")
    with loaded_anew(page):
        press(page, "Change")
    expect(page.get_by_text("At the start of every hour")).to_be_visible()
    kept = server.get(f"/schedules/{schedule_id}")["object"]
    assert (kept["enabled"], kept["execution"]["maximum_requests_count"]) == (False, 1)


def test_a_webhook_and_what_it_was_told(
    admin: Person, server: Server, upstream: Scripted, workflow: str
) -> None:
    """Make one, keep its secret, test it; a delivery in vain says why, and is sent again by a press."""
    upstream.on("/told", [Play(status=204), Play(status=410, body=HOSTILE.encode()), Play(status=204)])
    page = admin.open("/webhooks")
    press(page, "New webhook…")
    fill(page, "Name", HOSTILE)
    fill(page, "URL", f"{upstream.url}/told")
    press(page, "Create")
    expect(page.get_by_role("dialog", name="The webhook's secret")).to_contain_text("whsec_")
    press(page, "I have kept it")
    page.wait_for_url("**/webhooks/*-*")
    with loaded_anew(page):
        press(page, "Test")
    deliveries = page.get_by_role("table", name="Deliveries").get_by_role("row")
    expect(deliveries.nth(1)).to_contain_text("delivered")
    webhook_id = page.url.rsplit("/", 1)[1]
    server.wait(server.trigger(workflow))
    wait_until(lambda: len(upstream.asked_at("/told")) > 1, "the end is told")
    page.reload()
    expect(deliveries.nth(1)).to_contain_text("410")
    assert server.get(f"/webhooks/{webhook_id}/deliveries")["objects"][0]["last_answer"] == HOSTILE
    press(page, "Send again")
    expect(deliveries.nth(1)).to_contain_text("204")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None


def test_a_token_is_shown_once(admin: Person, server: Server) -> None:
    """A new token stays in sight until one says that it was kept, and works."""
    page = admin.open("/settings")
    press(page, "New token…")
    fill(page, "What it is for", HOSTILE)
    press(page, "Make it")
    shown = page.get_by_role("dialog", name="The token of admin")
    token = shown.locator("pre").text_content() or ""
    with loaded_anew(page):
        press(page, "I have kept it")
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert server.ask("GET", "/tokens", headers={"Token": token}).ok
    assert page.evaluate("window.hacked") is None
