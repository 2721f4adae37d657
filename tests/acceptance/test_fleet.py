"""Many processes over one PostgreSQL database work as one."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest
import requests
from calm import run_calmly
from fleet import LEASE, Fleet
from gated import Gated
from server import PATIENCE, Server, define_posts, wait_until

from swath.demo.upstream import Behaviour

USERS = [str(1000 + n) for n in range(60)]
NOWHERE = "postgresql://127.0.0.1:1/d"
SLOW = Behaviour(delay=0.15, hiccup_every=0, limit=None)
#: Requests that a worker may have under way.
IN_FLIGHT = 16
#: Answers until a test has done what it does amid an execution, of more than 200.
SOME = 100


def run_undisturbed(folder: Path, upstream: Gated) -> dict[str, bytes]:
    """Return the files of one process with SQLite, and leave the upstream as if nobody had asked it."""
    files = run_calmly(folder, upstream, USERS)
    upstream.reset()
    upstream.behaviour = SLOW
    return files


def count_repeats(upstream: Gated) -> int:
    seen = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
    return sum(seen.values()) - len(seen)


def test_C1_a_killed_workers_shards_go_on_elsewhere(
    tmp_path: Path, upstream: Gated, database_url: str
) -> None:
    """Nobody lifts a hand: the others put its work back, and the files are those of a calm run."""
    expected = run_undisturbed(tmp_path / "calm", upstream)
    with Fleet(tmp_path / "fleet", database_url, lease=LEASE) as fleet:
        upstream.hold(SOME)
        execution_id = fleet.server.trigger(define_posts(fleet.server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 30)
        fleet.workers[0].kill()
        recorded = fleet.server.execution(execution_id)["counters"]["pages"]
        lost = len(upstream.seen()) - recorded
        upstream.let_go()
        execution = fleet.server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert fleet.server.download(execution) == expected
        assert count_repeats(upstream) <= lost + 2 * IN_FLIGHT


def test_all_workers_have_a_part_in_a_small_execution(
    tmp_path: Path, upstream: Gated, database_url: str
) -> None:
    """It is cut for as many as there are: no worker takes all of it and leaves the others idle."""
    upstream.hold(0)
    with Fleet(tmp_path / "fleet", database_url, workers=3) as fleet:
        server = fleet.server
        execution_id = server.trigger(define_posts(server, upstream.url, USERS[:36])["workflow"])
        everybody = {worker.name for worker in fleet.workers}
        wait_until(lambda: workers_of(database_url) == everybody, "each of them has a part")
        upstream.let_go()
        assert server.wait(execution_id)["status"] == "succeeded"


def workers_of(database_url: str) -> set[str]:
    """Return who works on shards."""
    query = """SELECT executor_id FROM swath_engine.workflow_status
        WHERE name = 'run_shard' AND status = 'PENDING'"""
    with psycopg.connect(database_url) as connection:
        return {name for (name,) in connection.execute(query)}


@pytest.mark.parametrize(
    ("command", "environment", "told"),
    [
        (["worker"], {}, "set SWATH_DATABASE_URL"),
        (["serve", "--no-worker"], {}, "set SWATH_DATABASE_URL"),
        (["worker"], {"SWATH_DATABASE_URL": "postgresql://h/d"}, "SWATH_SECRET_KEY is not set"),
        (["serve"], {"SWATH_DATABASE_URL": "mysql://h/d", "SWATH_SECRET_KEY": "k"}, "postgresql://"),
        (
            ["worker"],
            {"SWATH_DATABASE_URL": "postgresql://127.0.0.1:1/d", "SWATH_SECRET_KEY": "k"},
            "reached",
        ),
        (["serve"], {"SWATH_DATABASE_URL": NOWHERE, "SWATH_SECRET_KEY": "k"}, "cannot be reached"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_sentence(
    command: list[str], environment: dict[str, str], told: str, tmp_path: Path
) -> None:
    """An operator reads what to set, and no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "swath", *command, "--data-dir", str(tmp_path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_worker_that_is_told_to_stop_hands_its_work_over(
    tmp_path: Path, upstream: Gated, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM loses nothing: what was fetched is recorded, the rest goes on elsewhere at once.

    To those who read the log it is no trouble.
    """
    expected = run_undisturbed(tmp_path / "calm", upstream)
    with Fleet(tmp_path / "fleet", database_url, lease=15) as fleet:
        upstream.hold(SOME)
        execution_id = fleet.server.trigger(define_posts(fleet.server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 20)
        assert fleet.workers[0].stop() == 0
        upstream.let_go()
        execution = fleet.server.wait(execution_id)
        assert fleet.server.download(execution) == expected
        assert count_repeats(upstream) <= IN_FLIGHT
    assert "Traceback" not in capfd.readouterr().err


def test_C3_a_frozen_worker_that_wakes_up_changes_nothing(
    tmp_path: Path, upstream: Gated, database_url: str
) -> None:
    """Stopped for longer than its lease, it finds its shards with others, and records nothing of its own."""
    expected = run_undisturbed(tmp_path / "calm", upstream)
    with Fleet(tmp_path / "fleet", database_url, lease=LEASE) as fleet:
        upstream.hold(SOME)
        execution_id = fleet.server.trigger(define_posts(fleet.server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 20)
        fleet.workers[0].send(signal.SIGSTOP)
        frozen = fleet.workers[0].name
        wait_until(lambda: frozen not in leases_of(database_url), "the others have buried it")
        upstream.let_go()
        fleet.workers[0].send(signal.SIGCONT)
        wait_until(lambda: frozen in leases_of(database_url), "it is one of them again")
        execution = fleet.server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert fleet.server.download(execution) == expected
        assert execution["counters"]["pages"] == len(
            {entry.path + "?" + entry.query for entry in upstream.seen()}
        )


def leases_of(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        return {name for (name,) in connection.execute("SELECT worker FROM leases")}


def test_C4_an_owner_steers_through_any_server(tmp_path: Path, upstream: Gated, database_url: str) -> None:
    """Pause, resume and cancel reach the workers, whichever process was told."""
    upstream.behaviour = SLOW
    upstream.hold(SOME)  # It must not be at its end before it is cancelled.
    with Fleet(tmp_path / "fleet", database_url, servers=2) as fleet:
        one, other = fleet.servers
        execution_id = one.trigger(define_posts(one, upstream.url, USERS * 3)["workflow"])
        fleet.wait_for_pages(execution_id, 10)
        other.post(f"/workflows/executions/{execution_id}/pause")
        wait_until(lambda: attempts(one, execution_id) == len(upstream.seen()), "what was sent is recorded")
        sent = len(upstream.seen())
        assert one.execution(execution_id)["status"] == "paused"
        upstream.hold(4 * IN_FLIGHT)  # who was asked before holds a place until it answers
        one.post(f"/workflows/executions/{execution_id}/resume")
        wait_until(lambda: len(upstream.seen()) > sent, "requests are sent again")
        other.post(f"/workflows/executions/{execution_id}/cancel")
        execution = one.wait(execution_id)
        assert execution["status"] in ("cancelled", "partially_failed")
        assert execution["counters"]["stop_reasons"]["cancelled"] > 0
        assert one.download(execution)
        # What was recorded is what was answered: nothing was lost, and nothing was sent to no purpose.
        assert len(upstream.seen()) - execution["counters"]["pages"] <= 4 * IN_FLIGHT


def attempts(server: Server, execution_id: str) -> int:
    return int(server.execution(execution_id)["counters"]["attempts"])


def test_a_revoked_token_dies_in_every_process(tmp_path: Path, database_url: str) -> None:
    """Another server may have used it a moment ago; it is refused there, too."""
    with Fleet(tmp_path / "fleet", database_url, servers=2, workers=0) as fleet:
        one, other = fleet.servers
        made = one.post("/tokens", {"name": "short-lived", "user": "bob"})
        header = {"Token": made["token"]}
        assert requests.get(f"{other.base}/workflows", headers=header, timeout=60).ok
        assert one.ask("DELETE", f"/tokens/{made['id']}").ok

        def refused() -> bool:
            answer = requests.get(f"{other.base}/workflows", headers=header, timeout=60)
            return answer.status_code == 401

        wait_until(refused, "the token is refused")


def test_C5_the_budget_is_exact_over_three_workers(
    tmp_path: Path, upstream: Gated, database_url: str
) -> None:
    """C5: a thousand attempts with many under way on three workers are a thousand, never one more."""
    upstream.behaviour = Behaviour(delay=0.02, hiccup_every=0, limit=None)
    with Fleet(tmp_path / "fleet", database_url, workers=3) as fleet:
        users = [str(n) for n in range(1_200)]
        defined = define_posts(fleet.server, upstream.url, users, concurrency=64)
        execution_id = fleet.server.trigger(defined["workflow"], maximum_requests_count=1_000)
        execution = fleet.server.wait(execution_id)
        assert len(upstream.seen()) == 1_000
        assert execution["counters"]["attempts"] == 1_000
        assert execution["counters"]["attempts_unknown"] == 0
        assert execution["truncated"]


def test_C5_a_limit_set_amid_the_run_is_exact_over_three_workers(
    tmp_path: Path, upstream: Gated, database_url: str
) -> None:
    """Nobody counted before; all let go, and what they had sent counts. Then raised, it is exact again."""
    upstream.behaviour = Behaviour(delay=0.1, hiccup_every=0, limit=None)
    with Fleet(tmp_path / "fleet", database_url, workers=3) as fleet:
        users = [str(n) for n in range(1_200)]
        workflow = define_posts(fleet.server, upstream.url, users, concurrency=32)["workflow"]
        upstream.hold(SOME)
        execution_id = fleet.server.trigger(workflow)
        place = f"/workflows/executions/{execution_id}"
        wait_until(lambda: len(upstream.seen()) >= SOME, "requests are sent")
        changes = {"maximum_requests_count": 900, "priority": 9, "limits": {"seconds": 3_600}}
        answer = fleet.server.ask("PATCH", place, json=changes)
        assert answer.json()["object"]["limits"]["requests"] == 900, answer.text
        assert fleet.server.ask("PATCH", place, json={"maximum_requests_count": 1_000}).ok
        before, upstream.behaviour = upstream.behaviour, Behaviour(delay=2.0, hiccup_every=0, limit=None)
        upstream.let_go()  # slowly: the limit must be in force before it is reached
        wait_until(lambda: is_settled(database_url, execution_id), "all have let go")
        upstream.behaviour = before
        execution = fleet.server.wait(execution_id)
        assert len(upstream.seen()) == execution["counters"]["attempts"] == 1_000
        assert execution["counters"]["attempts_unknown"] == 0
        assert (execution["truncated_by"], execution["priority"]) == ("requests", 9)


def is_settled(database_url: str, execution_id: str) -> bool:
    """Tell whether everybody heeds the limit that was set."""
    query = "SELECT unsettled IS NULL FROM executions WHERE id = %s"
    with psycopg.connect(database_url) as connection:
        return connection.execute(query, (execution_id,)).fetchone() == (True,)
