"""What processes must do together: two servers without a worker and three workers, over one database."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
import requests
from fleet import Fleet
from server import PATIENCE, Server, wait_until
from tests.postgres import Postgres
from tests.upstreams.scripted import Asked, Play, Scripted

#: Seconds after which a worker counts as dead: long enough for those who are only kept from running.
LEASE = 20
#: Executions that run at a time, over all users and of each.
OF_ALL, PER_USER = 3, 2
#: Requests that are sent at the same moment.
AT_ONCE = 8
#: A time at which something was due, in milliseconds: long ago.
DUE = 1_000
#: What sweeps as a worker does.
SWEEP = Path(__file__).parent / "sweep.py"


@pytest.fixture(scope="module")
def shared_url(postgres: Postgres) -> Iterator[str]:
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, shared_url: str) -> Iterator[Fleet]:
    """The tests of the module share it; whoever kills a worker starts it again."""
    limits = {"SWATH_MAX_RUNNING": str(OF_ALL), "SWATH_MAX_RUNNING_PER_USER": str(PER_USER)}
    folder = tmp_path_factory.mktemp("side-by-side")
    with Fleet(folder, shared_url, workers=3, servers=2, lease=LEASE, **limits) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    """Gives every user one row."""
    with Scripted() as running:
        running.on("/users/*", lambda asked: Play.json({"results": [{"id": asked.path[7:]}]}))
        yield running


def define(server: Server, upstream: Scripted, url: str = "/users/{{user}}") -> str:
    endpoint = {"name": "e", "url": upstream.url + url, "variables": {"user": {}}}
    made = server.post("/endpoints", endpoint)
    return str(server.post("/workflows", {"name": "w", "endpoint_id": made["id"]})["id"])


def list_ids(server: Server, workflow_id: str) -> list[str]:
    return [each["id"] for each in server.get(f"/workflows/{workflow_id}/executions")["objects"]]


def all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make calls at the same moment, each in a thread of its own."""
    start = Barrier(len(calls))

    def call(one: Callable[[], Any]) -> Any:
        start.wait(PATIENCE)
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


# --- one key, one execution


def test_a_key_sent_to_both_servers_at_once_makes_one_execution(fleet: Fleet, upstream: Scripted) -> None:
    """Whoever comes second, wherever, is told of the same execution; a different request is refused."""
    workflow_id = define(fleet.server, upstream)
    place = f"/workflows/{workflow_id}/executions"

    def ask(server: Server, key: str, **body: Any) -> requests.Response:
        headers = {"Token": server.token, "Idempotency-Key": key}
        body = {"execution_parameters": {"user": ["1"]}} | body
        return requests.post(server.base + place, json=body, headers=headers, timeout=PATIENCE)

    made = set()
    for key in ("first", "second", "third"):
        calls = [lambda n=n, key=key: ask(fleet.servers[n % 2], key) for n in range(AT_ONCE)]
        answers = all_at_once(calls)  # type: ignore[arg-type]
        assert [answer.status_code for answer in answers] == [200] * AT_ONCE, answers[0].text
        (execution_id,) = {answer.json()["object"]["id"] for answer in answers}
        made.add(execution_id)
    names = ["one", "other"]
    calls = [lambda n=n: ask(fleet.servers[n], "fourth", execution_name=names[n]) for n in (0, 1)]  # type: ignore[misc]
    answers = all_at_once(calls)  # type: ignore[arg-type]
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    made |= {answer.json()["object"]["id"] for answer in answers if answer.ok}
    assert sorted(list_ids(fleet.server, workflow_id)) == sorted(made)
    for execution_id in made:
        assert fleet.server.wait(execution_id)["status"] == "succeeded"
    assert len(upstream.asked) == len(made)


# --- no more run than may


class Crowd:
    """Sees of which executions requests are under way; the first ones wait until the test lets go."""

    def __init__(self, upstream: Scripted) -> None:
        #: Requests under way by execution, the most executions at a time, and the most of one owner.
        self.under_way: Counter[str] = Counter()
        self.most = self.most_of_one = 0
        self._until: Future[None] = Future()
        upstream.on("/users/*", self._play)

    async def _play(self, asked: Asked) -> Play:
        """A user's name is that of an owner, of one of his executions, and of an item of that."""
        name = asked.path.split("/")[2].rpartition("-")[0]
        self.under_way[name] += 1
        running = {name for name, count in self.under_way.items() if count}
        owners = Counter(name.partition("-")[0] for name in running)
        self.most = max(self.most, len(running))
        self.most_of_one = max(self.most_of_one, *owners.values())
        await asyncio.shield(asyncio.wrap_future(self._until))
        await asyncio.sleep(0.05)  # an upstream that takes its time
        self.under_way[name] -= 1
        return Play.json({"results": [{"id": 1}]})

    def let_go(self) -> None:
        self._until.set_result(None)


@contextmanager
def as_user(fleet: Fleet, name: str) -> Iterator[list[Server]]:
    """The servers as another user asks them."""
    token = fleet.server.post("/tokens", {"name": name, "user": name})["token"]
    theirs = []
    for server in fleet.servers:
        other = Server(server.folder)
        other.url, other._session.headers["Token"] = server.url, token
        theirs.append(other)
    yield theirs
    for other in theirs:
        other._session.close()


def test_no_more_run_than_may_over_all_processes(fleet: Fleet, upstream: Scripted, shared_url: str) -> None:
    """Two users, two servers, three workers: never more than the limits, and as many as they allow."""
    crowd = Crowd(upstream)
    with as_user(fleet, "other") as others:
        triggers, owners = [], {"mine": fleet.servers, "theirs": others}
        for owner, servers in owners.items():
            workflow_id = define(servers[0], upstream)
            for n in range(4):
                users = [f"{owner}-{n}-{item}" for item in range(12)]

                def trigger(
                    server: Server = servers[n % 2], id: str = workflow_id, users: Any = users
                ) -> Any:
                    return server, server.trigger(id, execution_parameters={"user": users})

                triggers.append(trigger)
        made = all_at_once(triggers)
        wait_until(lambda: crowd.most == OF_ALL, "as many run as may")
        assert len(running_now(shared_url)) == OF_ALL
        waiting = [
            server.execution(id)["waiting_for"]
            for server, id in made
            if server.execution(id)["status"] == "queued"
        ]
        assert all(waiting), waiting
        crowd.let_go()
        seen = []
        for server, execution_id in made:
            wait_until(
                lambda server=server, id=execution_id: (
                    seen.append(running_now(shared_url))  # type: ignore[misc,func-returns-value]
                    or server.execution(id)["completed_at"]
                ),
                "it has ended",
            )
            assert server.execution(execution_id)["status"] == "succeeded"
    assert (crowd.most, crowd.most_of_one) == (OF_ALL, PER_USER)
    assert max(len(running) for running in seen) <= OF_ALL
    assert max(max(Counter(running).values(), default=0) for running in seen) <= PER_USER


def running_now(url: str) -> list[str]:
    """Return the owners of the executions that have a place, as the database has it at one moment."""
    query = """SELECT owner_id FROM executions
        WHERE status = 'running' OR status = 'queued' AND admitted_at IS NOT NULL"""
    with psycopg.connect(url) as connection:
        return [owner for (owner,) in connection.execute(query)]


# --- what is due is done once


def test_a_schedule_runs_once_though_five_processes_look(
    fleet: Fleet, upstream: Scripted, shared_url: str
) -> None:
    """Each time it is due there is one execution more, not one for each process that saw it."""
    workflow_id = define(fleet.server, upstream)
    asked = {"execution_parameters": {"user": ["1"]}}
    body = {"name": "s", "workflow_id": workflow_id, "cron": "0 0 1 1 *", "execution": asked}
    made = [fleet.server.post("/schedules", body)["id"] for _ in range(6)]

    def outcomes() -> list[tuple[bool, str]]:
        query = "SELECT next_run_at > %s, last_outcome FROM schedules WHERE workflow_id = %s"
        with psycopg.connect(shared_url) as connection:
            return connection.execute(query, (DUE, workflow_id)).fetchall()

    for due in (1, 2, 3):
        with psycopg.connect(shared_url) as connection:
            connection.execute(
                "UPDATE schedules SET next_run_at = %s, last_outcome = NULL WHERE workflow_id = %s",
                (DUE, workflow_id),
            )
        wait_until(lambda: outcomes() == [(True, "triggered")] * len(made), "all have been run")
        ids = list_ids(fleet.servers[1], workflow_id)
        assert len(ids) == due * len(made)
        for execution_id in ids:
            fleet.server.wait(execution_id)
    assert len(upstream.asked) == 3 * len(made)
    for schedule_id in made:
        assert fleet.server.ask("DELETE", f"/schedules/{schedule_id}").ok


def test_a_webhook_is_told_once(fleet: Fleet, upstream: Scripted) -> None:
    """Whichever of the workers sees the delivery first, and though all of them do."""
    upstream.on("/hook/*", Play(status=204))
    hooks = [fleet.server.post("/webhooks", {"url": f"{upstream.url}/hook/{n}"})["id"] for n in range(3)]
    workflow_id = define(fleet.server, upstream)
    ids = [fleet.servers[n % 2].trigger(workflow_id, execution_parameters={"user": ["1"]}) for n in range(4)]
    wait_until(lambda: states(fleet, hooks) == ["delivered"] * 12, "all is delivered")
    told = [asked for asked in upstream.asked if asked.path.startswith("/hook/")]
    assert len({asked.header("webhook-id") for asked in told}) == len(told) == 12
    assert Counter(json.loads(asked.body)["data"]["id"] for asked in told) == dict.fromkeys(ids, 3)
    forget(fleet, hooks)


def states(fleet: Fleet, hooks: list[str]) -> list[str]:
    """Return how the deliveries of webhooks stand, as the other server tells it."""
    return [
        delivery["state"]
        for hook in hooks
        for delivery in fleet.servers[1].get(f"/webhooks/{hook}/deliveries")["objects"]
    ]


def forget(fleet: Fleet, hooks: list[str]) -> None:
    for hook in hooks:
        assert fleet.server.ask("DELETE", f"/webhooks/{hook}").ok


def test_a_webhook_is_told_again_when_its_worker_is_killed(
    fleet: Fleet, upstream: Scripted, shared_url: str
) -> None:
    """Nobody knows whether it was heard: another says the same once more, as the same delivery."""
    until: Future[None] = Future()
    upstream.on("/hook", [Play(status=204, until=until), Play(status=204)])
    hook = fleet.server.post("/webhooks", {"url": f"{upstream.url}/hook", "secret": "s"})["id"]
    fleet.server.trigger(define(fleet.server, upstream), execution_parameters={"user": ["1"]})
    upstream.wait(1, "/hook", PATIENCE)
    query = """SELECT executor_id FROM swath_engine.workflow_status
        WHERE name = 'deliver' AND status = 'PENDING'"""
    with psycopg.connect(shared_url) as connection:
        ((name,),) = connection.execute(query).fetchall()
    (worker,) = (each for each in fleet.workers if each.name == name)
    worker.kill()
    upstream.wait(2, "/hook", PATIENCE)
    wait_until(lambda: states(fleet, [hook]) == ["delivered"], "it is delivered")
    until.set_result(None)
    worker.start()
    first, second = upstream.asked_at("/hook")
    assert first.header("webhook-id") == second.header("webhook-id")
    assert first.body == second.body
    forget(fleet, [hook])


# --- what is read is not removed


def test_a_sweep_takes_nothing_from_who_downloads(fleet: Fleet, upstream: Scripted) -> None:
    """The execution is swept away by another process amid the download, which ends with every byte."""
    many = [{"id": number, "text": "x" * 1_000} for number in range(8_000)]
    upstream.on("/users/*", Play.json({"results": many}))
    execution_id = fleet.server.trigger(
        define(fleet.server, upstream), execution_parameters={"user": ["1", "2", "3"]}
    )
    execution = fleet.server.wait(execution_id)
    assert execution["status"] == "succeeded"
    whole = fleet.server.download(execution)
    result = max(execution["results"], key=lambda each: int(each["bytes"]))
    place = result["url"].removeprefix(fleet.server.url)
    with requests.get(fleet.servers[1].url + place, stream=True, timeout=PATIENCE) as answer:
        begun = answer.raw.read(1 << 16)
        subprocess.run([sys.executable, SWEEP, "400"], env=fleet.environment, check=True, timeout=PATIENCE)
        gone = fleet.server.ask("GET", f"/workflows/executions/{execution_id}")
        assert gone.status_code == 404
        assert requests.get(fleet.servers[1].url + place, timeout=PATIENCE).status_code == 404
        assert begun + answer.raw.read() == whole[result["name"]]
