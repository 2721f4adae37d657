"""The durable engine has lost what our tables say is under way: a doctor names it, a worker takes it up."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from calm import run_calmly
from fleet import LEASE, TOKEN, Fleet
from gated import Gated
from server import Server, define_posts, wait_until
from test_doctor import findings
from tests.upstreams.scripted import Play, Scripted

USERS = [str(1000 + n) for n in range(40)]
#: What happens to the durable workflows of an execution, by how they stand then.
LOSSES = {
    "gone": ["DELETE FROM {table}"],
    "ended in vain": ["UPDATE {table} SET status = 'ERROR'"],
    "only shards": ["DELETE FROM {table} WHERE name = 'run_shard'"],
}
#: As if what follows an execution's end had ended in vain: our tables say that it is to be done since long.
UNDONE = [
    "DELETE FROM results WHERE revision = 1",
    "UPDATE recipes SET completed_at = NULL, created_at = 0",
    "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = 0, created_at = 0",
]
#: As if a worker's next look for lost work had come.
LOOK = "UPDATE duties SET until = 0 WHERE name = 'mending'"


def begin(server: Server, upstream: Gated) -> str:
    """Trigger an execution of which some is recorded and more is under way."""
    upstream.hold(60)
    execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
    wait_until(lambda: server.execution(execution_id)["counters"]["pages"] > 10, "pages are recorded")
    return execution_id


def lose(change: Callable[[str], Any], loss: Sequence[str], table: str) -> None:
    for statement in loss:
        change(statement.format(table=table))


@pytest.mark.parametrize("loss", LOSSES)
def test_one_process_takes_up_what_was_lost(tmp_path: Path, upstream: Gated, loss: str) -> None:
    """Nothing would ever have gone on with it; the files are those of a calm run."""
    calm = run_calmly(tmp_path / "calm", upstream, USERS)
    with Server(tmp_path / "data") as server:
        execution_id = begin(server, upstream)
        server.kill()
        with sqlite3.connect(server.folder / "engine.db") as connection:
            lose(connection.execute, LOSSES[loss], "workflow_status")
        with sqlite3.connect(server.folder / "swath.db") as connection:
            connection.execute(LOOK)
        found = findings(server.folder)
        assert found["execution"]["told"].startswith(f"{execution_id}: ")
        assert "the durable engine knows nothing" in found["execution"]["told"]
        assert "1 of them are stuck" in found["executions"]["told"]
        upstream.let_go()
        server.start()
        execution = server.wait(execution_id)
        assert (execution["status"], server.download(execution)) == ("succeeded", calm)
        assert findings(server.folder) == {}


def test_one_process_takes_up_what_follows_an_end(tmp_path: Path, upstream: Gated) -> None:
    """A later revision, and what a webhook is to be told: neither would ever have come about."""
    with Scripted() as receiver, Server(tmp_path / "data") as server:
        receiver.on("/hook", Play())
        server.post("/webhooks", {"url": f"{receiver.url}/hook"})
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        server.wait(execution_id)
        server.post(f"/workflows/executions/{execution_id}/combine", {"output_aggregation_format": "jsonl"})
        combined = wait_until(lambda: find_revision(server, execution_id), "it is combined")
        wait_until(lambda: len(receiver.asked) == 1, "the webhook is told")
        server.stop()
        with sqlite3.connect(server.folder / "engine.db") as connection:
            connection.execute("UPDATE workflow_status SET status = 'ERROR' WHERE name != 'run_shard'")
        with sqlite3.connect(server.folder / "swath.db") as connection:
            for statement in (*UNDONE, LOOK):
                connection.execute(statement)
        found = findings(server.folder)
        assert found.keys() == {"combination", "delivery"}
        assert found["combination"]["told"].startswith(
            f"{execution_id}: revision 1 of its files is under way"
        )
        assert found["delivery"]["told"].startswith(f"{execution_id}: 1 of its deliveries are under way")
        server.start()
        again = wait_until(lambda: find_revision(server, execution_id), "it is combined")
        wait_until(lambda: len(receiver.asked) == 2, "the webhook is told")
        assert again == combined
        assert receiver.asked[0].header("webhook-id") == receiver.asked[1].header("webhook-id")
        wait_until(lambda: findings(server.folder) == {}, "all is well")


def find_revision(server: Server, execution_id: str) -> dict[str, bytes] | None:
    """Return the files of the first revision after an execution's end, once they are there."""
    (combination,) = server.get(f"/workflows/executions/{execution_id}/combinations")["objects"]
    return server.download(server.execution(execution_id)) if combination["completed_at"] else None


@pytest.mark.parametrize("loss", ["gone", "ended in vain"])
def test_workers_take_up_what_was_lost(tmp_path: Path, upstream: Gated, database_url: str, loss: str) -> None:
    """Whichever looks first; a doctor without a worker has named it before."""
    calm = run_calmly(tmp_path / "calm", upstream, USERS)
    given = {"SWATH_DATABASE_URL": database_url, "SWATH_WORKER_LEASE": str(LEASE)}
    given |= {"SWATH_SECRET_KEY": "the key of the tests", "SWATH_TOKEN": TOKEN}
    with Fleet(tmp_path / "fleet", database_url, lease=LEASE) as fleet:
        server = fleet.server
        execution_id = begin(server, upstream)
        assert "execution" not in findings(server.folder, **given)
        for worker in fleet.workers:
            worker.kill()
        with psycopg.connect(database_url) as connection:
            lose(connection.execute, LOSSES[loss], "swath_engine.workflow_status")
            connection.execute(LOOK)
        assert findings(server.folder, **given)["execution"]["told"].startswith(f"{execution_id}: ")
        upstream.let_go()
        for worker in fleet.workers:
            worker.start()
        execution = server.wait(execution_id)
        assert (execution["status"], server.download(execution)) == ("succeeded", calm)
