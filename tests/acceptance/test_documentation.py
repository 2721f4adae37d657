"""The program of the original documentation cannot tell Swath from the original."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from server import PATIENCE, Server, define_posts

from swath.demo import network
from swath.demo.page import fill_in, find_code
from swath.demo.proxies import Proxies
from swath.demo.upstream import Upstream

USERS = [str(user) for user in network.DOCUMENTED_USERS]


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    running = Proxies()
    running.start()
    yield running
    running.stop()


def run_program(page: Path, server: Server, ids: dict[str, str]) -> dict[str, Any]:
    """Run the page's code blocks in order, with only the host, the token and the ids replaced."""
    values = {
        "URL_BASE": repr(server.base),
        "API_TOKEN": repr(server.token),
        "WORKFLOW_ID": repr(ids["workflow"]),
        "COLLECTION_ID": repr(ids["collection"]),
        "EXECUTION_ID": "execution['object']['id']",
    }
    world: dict[str, Any] = {}
    exec(compile(fill_in("\n\n".join(find_code(page.read_text())), values), str(page), "exec"), world)
    return world


def expected_rows(least: int, most: int) -> list[dict[str, Any]]:
    """Return the posts that the filters let through, user by user in the order of the collection."""
    order = [*USERS[2:], *USERS[:2]]  # the program removes the first two and adds them again
    return [post for user in order for post in network.posts(int(user)) if least <= post["created_at"] < most]


def test_the_documented_program_runs_unmodified(
    server: Server, upstream: Upstream, proxies: Proxies, documentation: Path
) -> None:
    """Every call of the page answers as the page says, and the file holds what the upstream served."""
    for proxy in proxies.registrations():
        server.post("/proxies", proxy)
    filters = [
        {"path": "results.created_at", "op": ">=", "value": "{{min_timestamp}}"},
        {"path": "results.created_at", "op": "<", "value": "{{max_timestamp}}"},
    ]
    ids = define_posts(server, upstream.url, USERS, filters=filters, include_inputs=False)
    world = run_program(documentation, server, ids)

    (listed,) = world["workflows"]["objects"]
    workflow = world["workflow"]["object"]
    for found in (listed, workflow):
        assert (found["id"], found["name"]) == (ids["workflow"], "My Awesome Workflow")
    (mapping,) = workflow["mappings"]
    assert mapping["target_variable_name"] == "user_id"
    assert mapping["source_collection_id"] == ids["collection"]
    assert mapping["source_collection_json_key"] is None
    expected = {"id": ids["collection"], "name": "User IDs", "count": 4, "items": USERS}
    assert expected.items() <= world["collection"]["object"].items()
    assert world["r"]["object"]["count"] == 4
    assert list(world["execution"]["object"]) == ["id"]

    execution = server.wait(world["execution"]["object"]["id"])
    given = {"min_timestamp": world["min_date_timestamp"], "max_timestamp": world["max_date_timestamp"]}
    assert execution["execution_parameters"] == json.dumps(given)
    assert execution["workflow_id"] == ids["workflow"]
    assert (execution["status"], execution["error"]) == ("succeeded", None)
    first = execution["results"][0]
    assert first["collection"] == "results"
    assert first["url"].endswith(".csv")
    assert "?" not in first["url"]

    answer = requests.get(first["url"], timeout=PATIENCE)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    posts = expected_rows(given["min_timestamp"], given["max_timestamp"])
    assert posts
    cursors = [row.pop("next") for row in rows]  # the page's own scalar, carried onto its rows
    assert any(cursors)
    assert rows == [dict.fromkeys(rows[0], "") | flatten(post) for post in posts]

    ways = {entry.client for entry in upstream.seen()}
    dedicated = {proxy["address"] for proxy in proxies.registrations() if proxy["type"] == "dedicated"}
    assert ways
    assert ways <= dedicated, "every request went through a dedicated proxy of nyc"


def flatten(post: dict[str, Any]) -> dict[str, str]:
    """Return a post's cells, written anew from the documentation's rules."""
    cells: dict[str, str] = {}

    def put(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                put(f"{path}.{key}", inner)
        elif isinstance(value, list):
            if value:
                put(f"{path}[0]", value[0])
        elif isinstance(value, bool):
            cells[path] = "true" if value else "false"
        elif value is not None:
            cells[path] = str(value)

    put("results", post)
    return cells
