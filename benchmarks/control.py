"""How soon an execution is held, let go and ended, at the moments at which that is hardest."""

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from tests.acceptance.server import Server, wait_until
from tests.postgres import Postgres
from tests.upstreams.scripted import Asked, Play, Scripted

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.report import table
from benchmarks.served import work

#: Items of most executions, requests under way, and seconds that the upstream takes for each.
COUNT, CONCURRENCY, DELAY = 20_000, 64, 0.05
#: Items of a list that is being copied.
MANY = 1_000_000
#: Seconds in which no request comes once an execution is held.
QUIET = 0.5

#: By moment: the seconds of each round until the execution was held, or had ended.
Found = dict[str, list[float]]


def measure(choice: Choice) -> str:
    places = {"one process": _alone, "API and two workers": _fleet}
    found: dict[str, Found] = {}
    for name, place in places.items():
        with place() as server, Scripted() as upstream, Scripted() as busy:
            stage = Stage(server, upstream, busy, choice)
            found[name] = {moment: [] for moment in MOMENTS}
            for _ in range(choice.rounds):
                for moment, play in MOMENTS.items():
                    found[name][moment].append(play(stage))
    rows = [[moment, *(_write(found[name][moment]) for name in places)] for moment in MOMENTS]
    return f"## Pause and cancel\n\n{INTRODUCTION}\n\n{table(['s until', *places], rows)}"


INTRODUCTION = (
    "From sending the call until the upstream saw the last request (`held`), or until `completed_at` is set "
    "(`ended`), asked every 10 ms. Median of the rounds, and the slowest. The goal is 2 s."
)


def _write(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({max(seconds):.2f})"


@contextmanager
def _alone() -> Iterator[Server]:
    with Server(fresh_folder("control"), SWATH_MAX_RUNNING_PER_USER="1") as server:
        yield server


@contextmanager
def _fleet() -> Iterator[Server]:
    with Postgres() as postgres:
        more = {
            "SWATH_DATABASE_URL": postgres.create(),
            "SWATH_SECRET_KEY": secrets.token_hex(),
            "SWATH_TOKEN": secrets.token_hex(),
            "SWATH_MAX_RUNNING_PER_USER": "1",
        }
        folder = fresh_folder("control")
        with Server(folder, "--no-worker", **more) as server, work(folder, **more), work(folder, **more):
            yield server


class Stage:
    """A server, an upstream, and what is done with them."""

    def __init__(self, server: Server, upstream: Scripted, busy: Scripted, choice: Choice) -> None:
        self.server, self.upstream, self.busy = server, upstream, busy
        self.users = [str(number) for number in range(choice.amount(COUNT))]
        self.many = [str(number) for number in range(choice.amount(MANY))]
        upstream.on("/quick/*", lambda _: Play.json({"results": [{"id": 1}]}, delay=DELAY))
        busy.on("*", Play(status=429, headers=[("Retry-After", "3600")]))
        upstream.on("/token", self._keep_waiting)
        self._never: Future[None] = Future()

    def _keep_waiting(self, _: Asked) -> Play:
        return Play.json({"access_token": "t"}, until=self._never)

    def begin(self, path: str, users: list[str] | None = None, **workflow: Any) -> str:
        host = self.busy.url if path == "waits" else self.upstream.url
        endpoint = {"name": "e", "url": f"{host}/{path}/{{{{user}}}}"}
        variables = {"variables": {"user": {}, "token": {"default": ""}}}
        made = self.server.post("/endpoints", endpoint | variables)
        body = {"name": "w", "endpoint_id": made["id"], "concurrency": CONCURRENCY, **workflow}
        given = {} if "mappings" in workflow else {"user": users or self.users}
        return self.server.trigger(self.server.post("/workflows", body)["id"], execution_parameters=given)

    def count(self) -> int:
        return len(self.upstream.asked) + len(self.busy.asked)

    def hold(self, execution_id: str) -> float:
        """Pause; return the seconds until the upstream saw the last request."""
        begun = time.monotonic()
        self.server.post(f"/workflows/executions/{execution_id}/pause")
        last = -1
        while last != self.count():
            last = self.count()
            time.sleep(QUIET)
        times = [asked.time for each in (self.upstream, self.busy) for asked in each.asked[-1:]]
        return max(0.0, *(at - begun for at in times))

    def end(self, execution_id: str) -> float:
        """Cancel; return the seconds until it had ended."""
        begun = time.monotonic()
        self.server.post(f"/workflows/executions/{execution_id}/cancel")
        while not self.server.execution(execution_id)["completed_at"]:
            time.sleep(0.01)
        return time.monotonic() - begun


def _running(stage: Stage) -> str:
    before = stage.count()
    execution_id = stage.begin("quick")
    wait_until(lambda: stage.count() > before + 2 * CONCURRENCY, "requests are sent")
    return execution_id


def _hold_running(stage: Stage) -> float:
    execution_id = _running(stage)
    seconds = stage.hold(execution_id)
    stage.end(execution_id)
    return seconds


def _end_paused(stage: Stage) -> float:
    execution_id = _running(stage)
    stage.hold(execution_id)
    return stage.end(execution_id)


def _hold_at_once(stage: Stage) -> float:
    execution_id = stage.begin("quick")
    seconds = stage.hold(execution_id)
    stage.end(execution_id)
    return seconds


def _waiting(stage: Stage) -> str:
    """Its target was refused before, perhaps: then it waits without asking even once."""
    execution_id = stage.begin("waits", stage.users[:500], retry={"item_deadline": 100_000})
    wait_until(lambda: stage.server.execution(execution_id)["status"] == "running", "it waits")
    if not stage.busy.asked:
        stage.busy.wait(1)
    return execution_id


def _outside(stage: Stage) -> float:
    inside = _running(stage)
    seconds = stage.end(stage.begin("quick"))
    stage.end(inside)
    return seconds


def _copying(stage: Stage) -> float:
    made = stage.server.post("/collections", {"name": "many", "items": stage.many})
    mapping = {"target_variable_name": "user", "source_collection_id": made["id"]}
    return stage.end(stage.begin("quick", mappings=[mapping]))


def _fetching_a_token(stage: Stage) -> float:
    before = len(stage.upstream.asked_at("/token"))
    auth = {"variable": "token", "url": f"{stage.upstream.url}/token"}
    execution_id = stage.begin("quick", stage.users[:500], auth=auth)
    wait_until(lambda: len(stage.upstream.asked_at("/token")) > before, "a token is asked for")
    return stage.end(execution_id)


MOMENTS: dict[str, Callable[[Stage], float]] = {
    "held, while 64 requests are under way": _hold_running,
    "held, at once after the trigger": _hold_at_once,
    "held, in an hour of Retry-After": lambda stage: _then_end(stage, _waiting(stage)),
    "ended, while 64 requests are under way": lambda stage: stage.end(_running(stage)),
    "ended, while it is paused": _end_paused,
    "ended, in an hour of Retry-After": lambda stage: stage.end(_waiting(stage)),
    "ended, before it was let in": _outside,
    "ended, while a million inputs are copied": _copying,
    "ended, while a token is fetched": _fetching_a_token,
}


def _then_end(stage: Stage, execution_id: str) -> float:
    seconds = stage.hold(execution_id)
    stage.end(execution_id)
    return seconds
