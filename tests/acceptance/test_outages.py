"""Database or storage away in the midst of an execution: it waits, goes on, and has lost nothing."""

from collections import Counter
from pathlib import Path

import requests
from fleet import Fleet
from server import Server, define_posts, wait_until
from tests.postgres import Postgres
from tests.s3 import S3

from swath.demo.upstream import Behaviour, Upstream

USERS = [str(1000 + n) for n in range(60)]
SLOW = Behaviour(delay=0.1, hiccup_every=0, limit=None)


def run_calmly(folder: Path, upstream: Upstream) -> dict[str, bytes]:
    with Server(folder) as server:
        files = server.download(
            server.wait(server.trigger(define_posts(server, upstream.url, USERS)["workflow"]))
        )
    upstream.reset()
    upstream.behaviour = SLOW
    return files


def test_C2_the_database_goes_away_and_comes_back(tmp_path: Path, upstream: Upstream) -> None:
    """As by a loss of power; the API says so meanwhile, and the files are those of a calm run."""
    calm = run_calmly(tmp_path / "calm", upstream)
    with Postgres() as postgres, Fleet(tmp_path / "fleet", postgres.create()) as fleet:
        server = fleet.server
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 30)
        postgres.stop()
        answer = requests.get(f"{server.url}/readyz", timeout=60)
        assert answer.status_code == 503
        refused = server.ask("GET", f"/workflows/executions/{execution_id}")
        assert refused.status_code == 503
        assert "database" in refused.json()["errors"][0]
        postgres.start()
        wait_until(lambda: requests.get(f"{server.url}/readyz", timeout=60).ok, "it answers again")
        execution = server.wait(execution_id, 200)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm
        assert execution["counters"]["pages"] == len({e.path + "?" + e.query for e in upstream.seen()})


def test_C2_the_storage_goes_away_and_comes_back(
    tmp_path: Path, upstream: Upstream, database_url: str
) -> None:
    """Segments and files are in S3; while it does not answer nothing is lost, and nothing asked for twice."""
    calm = run_calmly(tmp_path / "calm", upstream)
    # Remote checkpoints are some seconds apart: the first one must not record all there is.
    upstream.behaviour = Behaviour(delay=0.5, hiccup_every=0, limit=None)
    with S3() as s3, Fleet(tmp_path / "fleet", database_url, **s3.environment) as fleet:
        server = fleet.server
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        fleet.wait_for_pages(execution_id, 20)
        s3.be("away")
        recorded = server.execution(execution_id)["counters"]["pages"]
        wait_until(lambda: upstream.total > recorded + 40, "more is fetched than is recorded")
        s3.be("well")
        execution = server.wait(execution_id, 200)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm
        seen = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
        assert set(seen.values()) == {1}
        assert not (tmp_path / "fleet" / "objects").exists()
