"""A server with something on it to look at: every view of the page, and where it is."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.acceptance.server import Server, define_posts, wait_until
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.demo.upstream import Behaviour, Limit, Upstream

#: Ends when the fonts are there and what was asked for is drawn; a view that goes on is never idle.
DRAWN = """document.fonts.ready.then(() => new Promise(done =>
  requestAnimationFrame(() => requestAnimationFrame(done))))"""
Deed = Callable[[Page], None]


@dataclass(frozen=True)
class Sight:
    """A view: the name of its picture, its address, and what is done there before one looks."""

    name: str
    address: str
    deed: Deed | None = None
    shown: str = "h1"

    def wait(self, page: Page) -> None:
        """Wait until all of the view is there."""
        expect(page.locator(self.shown).first).to_be_visible()
        if self.deed is not None:
            self.deed(page)
        page.evaluate(DRAWN)


@contextmanager
def furnish(folder: Path) -> Iterator[tuple[Server, list[Sight]]]:
    """Run a server with workflows, collections, proxies and executions, one of which goes on."""
    calm = Upstream(Behaviour(hiccup_every=6, limit=Limit(requests=60)))
    slow = Upstream(Behaviour(delay=0.4, hiccup_every=11, limit=Limit(requests=25)))
    with Scripted() as shop, Server(folder / "data") as server:
        calm.start(), slow.start()
        try:
            yield server, list(_fill(server, calm.url, slow.url, shop))
        finally:
            calm.stop(), slow.stop()


def _fill(server: Server, calm: str, slow: str, shop: Scripted) -> Iterator[Sight]:
    posts = define_posts(server, calm, [str(43823188 + n) for n in range(120)], name="Posts of people")
    going = _define_friends(server, slow)
    failing = _define_orders(server, shop)
    for location, port in (("nyc", 9), ("nyc", 10), ("ams", 11)):
        url = f"http://swath:a-password@127.0.0.1:{port}"
        server.post("/proxies", {"type": "dedicated", "location": location, "url": url})
    server.post("/tokens", {"name": "nightly script"})
    made = _automate(server, shop, posts["workflow"], failing)
    ended = [server.trigger(posts["workflow"]), server.trigger(failing, execution_name="Orders of June")]
    runs = server.trigger(going, execution_name="All posts")
    for each in ended:
        server.wait(each)
    wait_until(lambda: server.execution(runs)["counters"]["items_ended"] > 25, "some items have ended")
    server.ask("PATCH", f"/workflows/executions/{runs}", json={"concurrency": 12}).raise_for_status()
    yield from _list(posts, ended, runs, made)


def _automate(server: Server, shop: Scripted, posts: str, orders: str) -> tuple[str, str]:
    """Make schedules and webhooks; return the first of each."""
    asked = {"output_aggregation_format": "parquet", "maximum_requests_count": 10_000}
    body = {"workflow_id": posts, "cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", "execution": asked}
    nightly = server.post("/schedules", {"name": "Posts, every night", **body})
    server.post("/schedules", {"workflow_id": orders, "cron": "0 * * * *", "enabled": False})
    shop.on("/told", lambda asked: Play(status=204))
    shop.on("/busy", lambda asked: Play(status=503, body=b"Come back later."))
    loader = server.post("/webhooks", {"name": "Our loader", "url": shop.url + "/told"})
    server.post("/webhooks", {"url": shop.url + "/busy", "events": ["execution.failed"]})
    return nightly["id"], loader["id"]


def _define_friends(server: Server, upstream: str) -> str:
    """Define a workflow that takes its time."""
    people = [str(50834309 + n) for n in range(3_000)]
    collection = server.post("/collections", {"name": "People of interest", "items": people})
    query = {"cursor": "{{cursor}}"}
    url = upstream + "/users/{{person}}/posts"
    endpoint = server.post("/endpoints", {"name": "All posts", "url": url, "query": query})
    mapping = {"target_variable_name": "person", "source_collection_id": collection["id"]}
    paginator = {"type": "cursor", "cursor_path": "$.next", "variable": "cursor"}
    body = {"name": "Posts, slowly", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(server.post("/workflows", body | {"paginator": paginator})["id"])


def _define_orders(server: Server, shop: Scripted) -> str:
    """Define a workflow of which some items fail."""

    def answer(asked: Asked) -> Play:
        customer = int(asked.path.rsplit("/", 1)[1])
        if customer % 9 == 4:
            return Play.json({"error": "This customer is being moved; try again later."}, status=404)
        return Play.json({"orders": [{"id": customer * 100 + n, "total": n * 1.5} for n in range(1, 9)]})

    shop.on("/customers/*", answer)
    customers = [{"number": n, "name": f"Customer {n}"} for n in range(40)]
    collection = server.post("/collections", {"name": "Customers", "items": customers})
    endpoint = server.post("/endpoints", {"name": "Orders", "url": shop.url + "/customers/{{customer}}"})
    mapping = {
        "target_variable_name": "customer",
        "source_collection_id": collection["id"],
        "source_collection_json_key": "number",
    }
    body = {"name": "Orders of customers", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    return str(server.post("/workflows", body)["id"])


def _list(posts: dict[str, str], ended: list[str], runs: str, made: tuple[str, str]) -> Iterator[Sight]:
    one, partly = (f"/executions/{each}" for each in ended)
    yield Sight("workflows", "/workflows", shown="table")
    yield Sight("workflow", f"/workflows/{posts['workflow']}", _try)
    yield Sight("formula", f"/workflows/{posts['workflow']}", _turn_to_formula)
    yield Sight("run", f"/workflows/{posts['workflow']}", _ask_to_run)
    yield Sight("new", "/workflows/new/curl")
    yield Sight("imported", "/workflows/new/curl", _paste)
    yield Sight("executions", "/executions", shown="table")
    yield Sight("execution", f"/executions/{runs}", shown="canvas")
    yield Sight("ended", partly, shown="canvas")
    yield Sight("rows", f"{one}/rows", _wait_for_rows, shown=".ag-root")
    yield Sight("files", f"{one}/files", shown="table")
    yield Sight("failures", f"{partly}/failures", shown="table")
    yield Sight("item", f"{partly}/items/4")
    yield Sight("events", f"/executions/{runs}/events", shown="table")
    yield Sight("collections", "/collections", shown="table")
    yield Sight("collection", f"/collections/{posts['collection']}", shown="pre")
    yield Sight("proxies", "/proxies", shown=".proxy")
    yield Sight("schedules", "/schedules", shown="table")
    yield Sight("schedule", f"/schedules/{made[0]}", shown="dl")
    yield Sight("new-schedule", "/schedules", _ask_when)
    yield Sight("webhooks", "/webhooks", shown="table")
    yield Sight("webhook", f"/webhooks/{made[1]}", _see_delivered)
    yield Sight("new-webhook", "/webhooks", _ask_whom)
    yield Sight("settings", "/settings", shown="table")
    yield Sight("nothing", "/nowhere", shown=".nothing")


def _try(page: Page) -> None:
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("region", name="What came").locator("table").first).to_be_visible()


def _paste(page: Page) -> None:
    command = "curl 'https://api.example.com/users/43823188/posts?q=red+shoes' -H 'X-Api-Key: not-a-real-key'"
    page.get_by_label("Paste cURL here").fill(command)
    page.get_by_role("button", name="Read the cURL", exact=True).click()
    page.get_by_role("button", name="Take 43823188 from a list", exact=True).click()
    expect(page.get_by_label("Items of user_id, a line each")).to_be_visible()


def _turn_to_formula(page: Page) -> None:
    page.get_by_role("button", name="Formula", exact=True).click()
    expect(page.locator(".cm-content")).to_be_visible()


def _ask_to_run(page: Page) -> None:
    page.get_by_role("button", name="Run…", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("120 input items.")).to_be_visible()


def _wait_for_rows(page: Page) -> None:
    expect(page.locator(".ag-center-cols-container .ag-row").first).to_contain_text(re.compile(r"\d{6}"))


def _ask_when(page: Page) -> None:
    page.get_by_role("button", name="New schedule…", exact=True).click()
    expect(page.get_by_role("dialog").get_by_text("Next: ")).to_be_visible()


def _see_delivered(page: Page) -> None:
    expect(page.get_by_text("delivered").first).to_be_visible()


def _ask_whom(page: Page) -> None:
    page.get_by_role("button", name="New webhook…", exact=True).click()
    expect(page.get_by_role("dialog", name="New webhook")).to_be_visible()
