"""A million items: taken, counted and triggered at flat memory."""

import orjson
from server import Server, define_posts, wait_until

from swath.demo.upstream import Upstream

MILLION = 1_000_000
MOST_MEMORY = 300 * 1024 * 1024


def test_a_million_items_are_taken_and_triggered_at_flat_memory(server: Server, upstream: Upstream) -> None:
    """Adding, counting, triggering and starting on a million items keeps the server under 300 MB."""
    ids = define_posts(server, upstream.url, ["0"])
    body = orjson.dumps({"method": "add", "items": [str(n) for n in range(MILLION)]})
    answer = server.ask("POST", f"/collections/{ids['collection']}", data=body)
    assert answer.json()["object"]["count"] == MILLION

    execution_id = server.trigger(ids["workflow"])
    wait_until(lambda: server.execution(execution_id)["counters"]["pages"] > 100, "it has begun")
    assert server.execution(execution_id)["counters"]["items"] == MILLION
    server.post(f"/workflows/executions/{execution_id}/cancel")
    execution = server.wait(execution_id)
    assert execution["status"] == "cancelled"
    assert execution["results"], "what was fetched before the cancel is there"

    listed = server.ask("GET", f"/collections/{ids['collection']}", stream=True)
    size = sum(len(chunk) for chunk in listed.iter_content(1 << 20))
    assert size > len(body) - 100
    removed = orjson.dumps({"method": "remove", "items": [str(n) for n in range(10, MILLION)]})
    answer = server.ask("POST", f"/collections/{ids['collection']}", data=removed)
    assert answer.json()["object"]["count"] == 10
    assert server.peak_memory() < MOST_MEMORY
