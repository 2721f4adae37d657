"""A process is cut off from what it needs while all others are not: nothing is lost, and it comes back.

Nothing tells it: connections stay open, and no byte passes.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from calm import find_events, judge
from fleet import Fleet
from gated import Gated
from server import PATIENCE, Server, define_posts, wait_until
from test_doctor import findings
from tests.line import Line
from tests.postgres import Postgres
from tests.s3 import S3

USERS = [str(1000 + n) for n in range(120)]
#: Seconds of an answer, and requests that a worker has under way.
DELAY, CONCURRENCY = 0.25, 4
#: Requests that all workers may have under way.
IN_FLIGHT = 3 * CONCURRENCY
#: Seconds after which a worker counts as dead: it is waited for, and yet no other may be taken for dead.
LEASE = 8
#: Requests that a worker sends until its lease has run out.
UNRECORDED = round(LEASE * CONCURRENCY / DELAY)
#: Answers until a test has done what it does amid an execution, of about 500.
SOME = 100
#: When a worker is cut off: with a transaction open, with one of which it does not learn the outcome, or
#: whenever it happens to be.
MOMENTS = [
    pytest.param({"before": b"COMMIT"}, id="amid a transaction"),
    pytest.param({"after": b"COMMIT"}, id="at a commit", marks=pytest.mark.slow),
    pytest.param({}, id="at any moment", marks=pytest.mark.slow),
]


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    """A line to the database's server."""
    with Line(postgres.port) as laid:
        yield laid


def find_leases(url: str) -> set[str]:
    """Return the workers that count as alive."""
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT worker FROM leases")}


def find_workers(url: str, execution_id: str, *states: str) -> set[str]:
    """Return who was the last to work on each of an execution's shards that are in one of these states."""
    query = (
        "SELECT executor_id FROM swath_engine.workflow_status"
        " WHERE name = 'run_shard' AND starts_with(workflow_uuid, %s) AND status = ANY(%s)"
    )
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute(query, (execution_id, list(states)))}


@pytest.mark.parametrize("moment", MOMENTS)
def test_C1_a_worker_cut_off_from_the_database_is_outlived_and_comes_back(
    moment: dict[str, bytes],
    tmp_path: Path,
    upstream: Gated,
    calm: dict[str, bytes],
    database_url: str,
    line: Line,
) -> None:
    """It counts as dead while it still asks; the others do its work, and what it fetched changes nothing."""
    far = {"SWATH_DATABASE_URL": line.through(database_url)}
    with Fleet(tmp_path / "fleet", database_url, workers=3, lease=LEASE, far=far) as fleet:
        server, cut_off = fleet.server, fleet.workers[-1].name
        workflow = define_posts(server, upstream.url, USERS, concurrency=CONCURRENCY)["workflow"]
        upstream.hold(SOME)
        execution_id = server.trigger(workflow)
        fleet.wait_for_pages(execution_id, 40)
        wait_until(lambda: cut_off in find_workers(database_url, execution_id, "PENDING"), "it has work")
        line.cut(**moment)
        upstream.hold(SOME)
        wait_until(lambda: cut_off not in find_leases(database_url), "the others have buried it")
        lost = count_unrecorded(server, execution_id, upstream)
        upstream.hold(2 * SOME)
        pages = server.execution(execution_id)["counters"]["pages"]
        fleet.wait_for_pages(execution_id, pages + 30)
        upstream.let_go()
        line.heal()
        judge(server, execution_id, calm, upstream, lost + IN_FLIGHT)

        wait_until(lambda: cut_off in find_leases(database_url), "it is one of them again")
        upstream.reset()
        upstream.hold(0)
        again = server.trigger(workflow)
        wait_until(lambda: cut_off in find_workers(database_url, again, "PENDING"), "it has work again")
        upstream.let_go()
        judge(server, again, calm, upstream)
        assert cut_off in find_workers(database_url, again, "SUCCESS")


def count_unrecorded(server: Server, execution_id: str, upstream: Gated) -> int:
    """Return how many requests have been sent of which nothing is recorded: most of them for nothing."""
    recorded = int(server.execution(execution_id)["counters"]["pages"])
    return upstream.total - recorded


def test_C3_a_worker_takes_up_again_what_it_never_let_go_of(
    tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str, line: Line
) -> None:
    """Its shards were put back by one who died before they were taken: it has each twice, and one counts."""
    far = {"SWATH_DATABASE_URL": line.through(database_url)}
    with Fleet(tmp_path / "fleet", database_url, lease=LEASE, far=far) as fleet:
        server, cut_off = fleet.server, fleet.workers[-1].name
        workflow = define_posts(server, upstream.url, USERS, concurrency=CONCURRENCY)["workflow"]
        upstream.hold(SOME)
        execution_id = server.trigger(workflow)
        fleet.wait_for_pages(execution_id, 40)
        wait_until(lambda: cut_off in find_workers(database_url, execution_id, "PENDING"), "it has work")
        line.cut()
        wait_until(lambda: cut_off not in find_leases(database_url), "the other has buried it")
        fleet.workers[0].kill()
        lost = count_unrecorded(server, execution_id, upstream)
        upstream.let_go()
        line.heal()
        judge(server, execution_id, calm, upstream, lost + IN_FLIGHT)


def test_C3_a_worker_cut_off_sends_nothing_once_others_may_have_its_work(
    tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str, line: Line
) -> None:
    """It cannot know whether there are any: it falls silent with its lease, and goes on where it was."""
    far = {"SWATH_DATABASE_URL": line.through(database_url)}
    with Fleet(tmp_path / "fleet", database_url, workers=1, lease=LEASE, far=far) as fleet:
        server = fleet.server
        workflow = define_posts(server, upstream.url, USERS, concurrency=CONCURRENCY)["workflow"]
        upstream.hold(SOME)
        execution_id = server.trigger(workflow)
        fleet.wait_for_pages(execution_id, 40)
        line.cut()
        upstream.let_go()
        falls_silent(upstream)
        assert not server.execution(execution_id)["completed_at"]
        line.heal()
        judge(server, execution_id, calm, upstream)
        assert upstream.total > SOME + UNRECORDED, "There was nothing left to be silent about"


def find_ill(fleet: Fleet, subject: str) -> str:
    """Return what a doctor tells of a subject that is not well."""
    found = findings(fleet.server.folder, **fleet.environment).get(subject, {})
    return str(found.get("told", ""))


def falls_silent(upstream: Gated) -> None:
    """Wait until nothing was sent for as long as many answers take."""
    seen = [upstream.total]

    def is_silent() -> bool:
        threading.Event().wait(10 * DELAY)
        before, seen[0] = seen[0], upstream.total
        return before == seen[0]

    wait_until(is_silent, "nothing more is sent")


def test_C2_a_worker_cut_off_from_the_storage_waits_and_the_others_go_on(
    tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str
) -> None:
    """Its shards stay its own, and what it fetched is recorded when the storage is there again."""
    with S3() as s3, Line(s3.port) as line:
        far = s3.reached_at("127.0.0.1", line.port)
        with Fleet(tmp_path / "fleet", database_url, far=far, **s3.environment) as fleet:
            server = fleet.server
            workflow = define_posts(server, upstream.url, USERS, concurrency=CONCURRENCY)["workflow"]
            upstream.hold(SOME)
            execution_id = server.trigger(workflow)
            fleet.wait_for_pages(execution_id, 20)
            line.cut()
            pages = server.execution(execution_id)["counters"]["pages"]
            upstream.let_go()
            told = wait_until(lambda: find_events(server, execution_id, "waiting"), "it is told")
            assert {each["for"] for each in told} == {"storage"}
            fleet.wait_for_pages(execution_id, pages + 60)
            assert not server.execution(execution_id)["completed_at"]
            waits = f"{fleet.workers[-1].name}: Waiting for the storage since 20"
            wait_until(lambda: find_ill(fleet, "worker").startswith(waits), "a doctor names it")
            line.heal()
            judge(server, execution_id, calm, upstream)
            told = wait_until(lambda: find_events(server, execution_id, "went_on"), "it is told")
            assert {each["for"] for each in told} == {"storage"}
            wait_until(lambda: not find_ill(fleet, "worker"), "a doctor finds it well")


def test_C2_an_api_process_cut_off_from_the_database_says_so(
    tmp_path: Path, upstream: Gated, calm: dict[str, bytes], database_url: str, line: Line
) -> None:
    """It answers 503 in the envelope, keeps nobody waiting, and works again; workers notice nothing."""
    with Fleet(tmp_path / "fleet", database_url, workers=1) as fleet:
        environment = fleet.environment | {"SWATH_DATABASE_URL": line.through(database_url)}
        with Server(tmp_path / "fleet", "--no-worker", **environment) as server:
            execution_id = server.trigger(define_posts(server, upstream.url, USERS[:20])["workflow"])
            line.cut()
            for refused in (
                server.ask("GET", f"/workflows/executions/{execution_id}"),
                server.ask("POST", "/collections", json={"name": "more", "items": ["1"]}),
            ):
                assert refused.status_code == 503
                assert "database" in refused.json()["errors"][0]
            assert requests.get(f"{server.url}/readyz", timeout=PATIENCE).status_code == 503
            assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).ok
            assert fleet.server.wait(execution_id)["status"] == "succeeded"
            line.heal()
            wait_until(lambda: requests.get(f"{server.url}/readyz", timeout=PATIENCE).ok, "it answers again")
            assert server.execution(execution_id)["status"] == "succeeded"
