"""What the web page takes where there is much to look at: seconds until a view stands, and memory."""

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from playwright.sync_api import Page
from tests.acceptance.server import Server, wait_until
from tests.postgres import Postgres
from tests.ui.browser import Person, open_browser

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.report import table
from benchmarks.whole_way import ROWS, upstream

#: Items of a collection, rows and failures and events of an execution, jumps through its rows.
ITEMS, ANSWERED, FAILED, CHANGES, JUMPS = 1_000_000, 50_000, 10_000, 10_000, 100
#: Jumps until the table keeps as many rows as it ever does.
WARM = 30
#: Items that are added to a collection at a time.
SLICE = 50_000
#: Seconds that an execution may take.
LONGEST = 1_200.0


@dataclass(slots=True)
class Seen:
    """Of each view the seconds until it stood; MiB of the browser's heap before and after."""

    views: dict[str, list[float]] = field(default_factory=dict)
    heaps: dict[str, tuple[float, float]] = field(default_factory=dict)


def measure(choice: Choice) -> str:
    found = {name: _look(name, choice) for name in ("SQLite", "PostgreSQL")}
    rows = [
        (view, *(_write_seconds(seen.views[view]) for seen in found.values()))
        for view in found["SQLite"].views
    ]
    heaps = [
        (name, *("{:.1f} → {:.1f}".format(*seen.heaps[name]) for seen in found.values()))
        for name in found["SQLite"].heaps
    ]
    rows_count, changes = choice.amount(ANSWERED) * ROWS, choice.amount(CHANGES)
    return f"""## The page: views of much

Chromium beside `swath serve` on the same machine: a collection of {choice.amount(ITEMS):,} items, an
execution with {rows_count:,} rows, {choice.amount(FAILED):,} failed items and {changes:,} events. Seconds
from asking for a view until what it shows stands, the median and the longest of {choice.rounds} times;
*half done* are views of the same execution while half of it is fetched and it is held.

{table(("view", *found), rows)}

MiB of the browser's JavaScript heap after a collection of garbage, before and after:

{table(("browser, MiB", *found), heaps)}
"""


def _write_seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({max(times):.2f})"


def _look(database: str, choice: Choice) -> Seen:
    seen = Seen()
    with upstream() as url, _serve(database) as server, open_browser() as browser:
        person = Person(browser, server.url, viewport={"width": 1280, "height": 800})
        person.sign_in(server.token)
        collection = _fill(server, "numbers", (str(n) for n in range(choice.amount(ITEMS))))
        execution = _trigger(server, url, choice)
        base = f"/executions/{execution}"
        seen.heaps["a view left open until half is done, and over all changes"] = _keep_open(
            person, server, base, choice
        )
        _time_all(person, seen, choice.rounds, _views(base, "half done"))
        server.post(f"/workflows{base}/resume")
        server.wait(execution, LONGEST)
        _time_all(person, seen, choice.rounds, [*_views(base, "ended"), *_others(base, collection, choice)])
        seen.heaps[f"{JUMPS} jumps through the rows, after {WARM} others"] = _jump(person, base)
    return seen


@contextmanager
def _serve(database: str) -> Iterator[Server]:
    with Postgres() if database == "PostgreSQL" else nullcontext() as postgres:
        environment = {"SWATH_SECRET_KEY": "a key for a benchmark"} if postgres else {}
        if postgres:
            environment["SWATH_DATABASE_URL"] = postgres.create()
        with Server(fresh_folder("page"), **environment) as server:
            yield server


def _fill(server: Server, name: str, items: Iterator[str]) -> str:
    collection = str(server.post("/collections", {"name": name})["id"])
    values = list(items)
    for first in range(0, len(values), SLICE):
        some = values[first : first + SLICE]
        server.post(f"/collections/{collection}", {"method": "add", "items": some})
    return collection


def _trigger(server: Server, url: str, choice: Choice) -> str:
    """Trigger the execution; every sixth item fails."""
    numbers = range(choice.amount(ANSWERED) + choice.amount(FAILED))
    every = len(numbers) // choice.amount(FAILED)
    items = _fill(server, "inputs", (f"{n}" if n % every else f"missing-{n}" for n in numbers))
    endpoint = server.post("/endpoints", {"name": "sample", "url": f"{url}/sample/{{{{n}}}}"})
    mapping = {"target_variable_name": "n", "source_collection_id": items}
    body = {"name": "page", "endpoint_id": endpoint["id"], "mappings": [mapping], "concurrency": 64}
    return server.trigger(server.post("/workflows", body | {"result_collections": ["rows"]})["id"])


def _keep_open(person: Person, server: Server, base: str, choice: Choice) -> tuple[float, float]:
    """Leave a view open until half is fetched, then hold the execution and change it again and again."""
    person.open(base)
    before, path, half = _weigh(person.page), f"/workflows{base}", choice.amount(ANSWERED + FAILED) // 2
    wait_until(lambda: server.execution(base[12:])["counters"]["items_ended"] > half, "half is done", LONGEST)
    server.post(f"{path}/pause")
    for number in range(choice.amount(CHANGES)):
        server.ask("PATCH", path, json={"concurrency": 63 + number % 2}).raise_for_status()
    return before, _weigh(person.page)


def _views(base: str, when: str) -> list[tuple[str, str, str]]:
    """Return views of an execution: a name, an address, and what is seen once it stands."""
    return [
        (f"execution, {when}", base, "canvas"),
        (f"rows, {when}", f"{base}/rows", ".ag-center-cols-container .ag-cell:not(:empty)"),
        (f"failures, {when}", f"{base}/failures", "table td"),
        (f"events, {when}", f"{base}/events", "table td"),
        (f"an item, {when}", f"{base}/items/1", "dl"),
    ]


def _others(base: str, collection: str, choice: Choice) -> list[tuple[str, str, str]]:
    last = choice.amount(ANSWERED) + choice.amount(FAILED) - 1
    return [
        ("the last failures", f"{base}/failures?cursor={last - 500}", "table td"),
        ("the last item", f"{base}/items/{last}", "dl"),
        ("files and manifest", f"{base}/files", "table td"),
        ("executions", "/executions", "table td"),
        ("workflows", "/workflows", "table td"),
        ("collections", "/collections", "table td"),
        ("a collection", f"/collections/{collection}", "pre code"),
        ("a search of many hits", f"/collections/{collection}?search=77", "pre code"),
        ("a search of none", f"/collections/{collection}?search=none", ".nothing"),
    ]


def _time_all(person: Person, seen: Seen, rounds: int, views: list[tuple[str, str, str]]) -> None:
    for name, address, shown in views:
        times = seen.views.setdefault(name, [])
        for _ in range(rounds):
            times.append(_time(person.page, address, shown))
        print(f"{name}: {_write_seconds(times)} s", flush=True)


def _time(page: Page, address: str, shown: str) -> float:
    start = time.perf_counter()
    page.goto(address)
    page.locator(shown).first.wait_for()
    return time.perf_counter() - start


def _jump(person: Person, base: str) -> tuple[float, float]:
    """Go to rows here and there, and wait until each is seen."""
    page = person.open(f"{base}/rows")
    page.locator(".ag-center-cols-container .ag-cell:not(:empty)").first.wait_for()
    chance, before = random.Random(7), 0.0
    for number in range(WARM + JUMPS):
        before = _weigh(page) if number == WARM else before
        page.evaluate("part => { const view = document.querySelector('.ag-body-viewport');"
                      " view.scrollTop = part * view.scrollHeight; }", chance.random())  # fmt: skip
        page.locator(".ag-row-loading").first.wait_for(state="detached")
    return before, _weigh(page)


def _weigh(page: Page) -> float:
    """Return the MiB of the page's heap."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return float(used) / 2**20
