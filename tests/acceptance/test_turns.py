"""Executions wait for a place where no more may run, and a small one passes a large one."""

from pathlib import Path
from typing import Any

import psycopg
import requests
from fleet import Fleet
from server import PATIENCE, Server, define_posts, wait_until

from swath.demo.upstream import Behaviour, Upstream

MANY = [str(9000 + n) for n in range(3_000)]


def slow(upstream: Upstream, delay: float = 0.05) -> None:
    upstream.behaviour = Behaviour(delay=delay, hiccup_every=0, limit=None)


def test_a_small_execution_is_not_starved(tmp_path: Path, upstream: Upstream) -> None:
    """Five requests among thousands, triggered when every place is taken, end long before those."""
    slow(upstream, 0.1)
    with Server(tmp_path / "data", SWATH_SHARD_SECONDS="1") as server:
        large = server.trigger(define_posts(server, upstream.url, MANY, concurrency=8)["workflow"])
        wait_until(lambda: server.execution(large)["counters"]["attempts"] > 50, "the large one runs")
        small = server.wait(server.trigger(define_posts(server, upstream.url, MANY[:5])["workflow"]))
        assert small["status"] == "succeeded"
        assert server.execution(large)["progress"] < 0.5
        server.post(f"/workflows/executions/{large}/cancel")
        server.wait(large)


def test_a_small_execution_passes_one_that_has_three_workers(
    tmp_path: Path, upstream: Upstream, database_url: str
) -> None:
    """All places of all workers are taken by thousands of items: twenty requests more are soon through."""
    slow(upstream, 0.3)
    with Fleet(tmp_path / "fleet", database_url, workers=3, SWATH_SHARD_SECONDS="1") as fleet:
        server = fleet.server
        defined = define_posts(server, upstream.url, MANY, concurrency=8)
        large = server.trigger(defined["workflow"])
        wait_until(lambda: len(holders(database_url, large)) == 3, "all workers are at the large one")
        workflow = define_posts(server, upstream.url, MANY[:20], paginator={"type": "none"})["workflow"]
        small = server.wait(server.trigger(workflow))
        assert (small["status"], small["counters"]["pages"]) == ("succeeded", 20)
        left = server.execution(large)
        assert left["status"] == "running"
        assert left["progress"] < 0.5
        server.post(f"/workflows/executions/{large}/cancel")
        server.wait(large)


def holders(database_url: str, execution_id: str) -> set[str]:
    """Return which workers are at shards of an execution."""
    query = """SELECT executor_id FROM swath_engine.workflow_status
        WHERE name = 'run_shard' AND status = 'PENDING' AND starts_with(workflow_uuid, %s)"""
    with psycopg.connect(database_url) as connection:
        return {name for (name,) in connection.execute(query, (execution_id,))}


def status(server: Server, execution_id: str) -> Any:
    return server.execution(execution_id)["status"]


def test_no_more_run_than_may(tmp_path: Path, upstream: Upstream) -> None:
    """One of each user and two in all: the others say what they wait for, the highest priority is next."""
    slow(upstream)
    limits = {"SWATH_MAX_RUNNING": "2", "SWATH_MAX_RUNNING_PER_USER": "1"}
    with Server(tmp_path / "data", **limits) as server:
        workflow = define_posts(server, upstream.url, MANY, concurrency=4)["workflow"]
        place = "/workflows/executions"
        first = server.trigger(workflow)
        wait_until(lambda: status(server, first) == "running", "the first one runs")
        later = server.trigger(workflow)
        urgent = server.trigger(workflow, priority=9)
        dropped = server.trigger(workflow)
        assert server.execution(later)["waiting_for"].startswith("1 of yours run")
        server.post(f"{place}/{dropped}/cancel")
        assert server.wait(dropped)["status"] == "cancelled"  # for its end it needs no place

        token = server.post("/tokens", {"name": "t", "user": "other"})["token"]
        other = Server(server.folder)
        other.url, other._session.headers["Token"] = server.url, token
        theirs = define_posts(other, upstream.url, MANY, concurrency=4)["workflow"]
        running = other.trigger(theirs)
        wait_until(lambda: status(other, running) == "running", "that of another user runs")
        assert server.execution(later)["waiting_for"].startswith("2 executions run")

        server.post(f"{place}/{first}/pause")  # who pauses gives up the place
        wait_until(lambda: status(server, urgent) == "running", "the urgent one runs")
        assert status(server, later) == "queued"
        server.post(f"{place}/{urgent}/cancel")
        wait_until(lambda: status(server, later) == "running", "the last one runs")
        assert server.execution(later)["waiting_for"] is None
        for client, execution_id in ((server, first), (server, later), (other, running)):
            client.post(f"{place}/{execution_id}/cancel")
            client.wait(execution_id)
        other._session.close()


def test_a_priority_is_one_of_nine(server: Server, upstream: Upstream) -> None:
    """Anything else is refused with what may stand there."""
    workflow = define_posts(server, upstream.url, MANY[:1])["workflow"]
    for wrong in (0, 10, "high"):
        answer = requests.post(
            f"{server.base}/workflows/{workflow}/executions",
            json={"priority": wrong},
            headers={"Token": server.token},
            timeout=PATIENCE,
        )
        assert answer.status_code == 400
        assert "priority" in answer.json()["errors"][0]
