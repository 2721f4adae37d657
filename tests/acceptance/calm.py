"""What a calm run gives, and whether a disturbed one gave the same."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server import Server, define_posts
from tests.upstreams.scripted import Scripted

from swath.demo.upstream import Upstream


def run_calmly(folder: Path, upstream: Upstream | Scripted, users: Sequence[str]) -> dict[str, bytes]:
    """Return the files of an undisturbed run of one process."""
    with Server(folder) as server:
        execution = server.wait(server.trigger(define_posts(server, upstream.url, list(users))["workflow"]))
        assert execution["status"] == "succeeded", execution
        return server.download(execution)


def judge(
    server: Server, execution_id: str, calm: dict[str, bytes], upstream: Upstream, repeats: int = 0
) -> None:
    """The execution ends as a calm one would have, and no more was asked for twice than that."""
    execution = server.wait(execution_id, 300)
    failures: list[Any] = server.get(f"/workflows/executions/{execution_id}/failures")["objects"]
    assert execution["status"] == "succeeded", (execution, failures)
    assert execution["waiting_for"] is None
    assert server.download(execution) == calm
    seen = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
    print(f"\n{len(seen)} pages, {seen.total() - len(seen)} repeats", flush=True)
    assert execution["counters"]["pages"] == len(seen)
    assert seen.total() - len(seen) <= repeats


def find_events(server: Server, execution_id: str, kind: str) -> list[dict[str, Any]]:
    """Return what an execution's events of a kind say."""
    events = server.get(f"/workflows/executions/{execution_id}/events?limit=1000")["objects"]
    return [event["data"] for event in events if event["kind"] == kind]
