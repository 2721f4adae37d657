"""C4: cancel, pause and resume at the moments that are hardest, in one process and over many.

Over many, the API is another process than the two workers.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from fleet import Fleet
from server import Server, wait_until
from tests.postgres import Postgres
from tests.upstreams.scripted import Asked, Play, Scripted

USERS = [str(number) for number in range(40)]
#: Answers that a held upstream gives, where it gives any.
SOME = 20
#: Executions of a user that run at a time.
ROOM = 2


@pytest.fixture(scope="module", params=["one process", "many processes"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Server]:
    """The process that is asked; the tests of the module share it."""
    folder = tmp_path_factory.mktemp("moments")
    room = {"SWATH_MAX_RUNNING_PER_USER": str(ROOM)}
    if request.param == "one process":
        with Server(folder, **room) as alone:
            yield alone
        return
    url = postgres.create()
    with Fleet(folder, url, **room) as fleet:
        yield fleet.server
    postgres.drop(url)


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


class Held:
    """An upstream of one page for each user that answers when the test lets it."""

    def __init__(self, upstream: Scripted, after: int = 0) -> None:
        self._upstream, self._after = upstream, after
        self._until: Future[None] = Future()
        upstream.on("/users/*", self._play)

    def _play(self, asked: Asked) -> Play:
        until = self._until if len(self._upstream.asked) > self._after else None
        return Play.json({"results": [{"id": asked.path.split("/")[2]}]}, until=until)

    def let_go(self) -> None:
        self._until.set_result(None)


def define(server: Server, upstream: Scripted, **workflow: Any) -> str:
    endpoint = {"name": "e", "url": upstream.url + "/users/{{user}}", "variables": {"user": {}}}
    endpoint["variables"] |= {"token": {"default": ""}}  # type: ignore[operator]
    made = server.post("/endpoints", endpoint | workflow.pop("endpoint", {}))
    return str(server.post("/workflows", {"name": "w", "endpoint_id": made["id"], **workflow})["id"])


def begin(server: Server, workflow_id: str, users: list[str] = USERS) -> str:
    return server.trigger(workflow_id, execution_parameters={"user": users})


def steer(server: Server, execution_id: str, verb: str) -> dict[str, Any]:
    return dict(server.post(f"/workflows/executions/{execution_id}/{verb}"))


def kinds(server: Server, execution_id: str) -> list[str]:
    events = server.get(f"/workflows/executions/{execution_id}/events")["objects"]
    return [event["kind"] for event in events]


def rows(execution: dict[str, Any]) -> int:
    return sum(result["rows"] for result in execution["results"] if result["collection"] == "results")


def sent(upstream: Scripted) -> int:
    """Return how often the upstream was asked, but for what is asked of others than `USERS`."""
    return sum(not asked.path.startswith("/users/other") for asked in upstream.asked)


def sent_is_recorded(server: Server, execution_id: str, upstream: Scripted) -> bool:
    """Tell whether what the upstream has seen is what is recorded: then nothing is under way."""
    return bool(server.execution(execution_id)["counters"]["attempts"] == sent(upstream))


def some_is_recorded(server: Server, execution_id: str) -> bool:
    """Tell whether all the answers that a held upstream has given are recorded."""
    return bool(server.execution(execution_id)["counters"]["pages"] == SOME)


def test_C4_paused_at_once(server: Server, upstream: Scripted) -> None:
    """Held before it has started, it sends nothing; resumed, nothing is missing."""
    held = Held(upstream)
    execution_id = begin(server, define(server, upstream))
    assert steer(server, execution_id, "pause")["status"] == "paused"
    held.let_go()
    for number in range(2):  # ones after it run and end; who has to stop has heard of it by then
        wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "what was sent is recorded")
        before = sent(upstream)
        other = server.wait(begin(server, define(server, upstream), [f"other-{number}"]))
        assert other["status"] == "succeeded"
    assert sent(upstream) == before
    assert steer(server, execution_id, "pause")["status"] == "paused"
    assert steer(server, execution_id, "resume")["status"] in ("queued", "running")
    execution = server.wait(execution_id)
    assert (execution["status"], rows(execution)) == ("succeeded", len(USERS))
    assert kinds(server, execution_id) == ["paused", "resumed"]


def test_C4_cancelled_at_once(server: Server, upstream: Scripted) -> None:
    """It ends like any that was cancelled, with a file and the reason for each item."""
    held = Held(upstream)
    execution_id = begin(server, define(server, upstream))
    steer(server, execution_id, "cancel")
    execution = server.wait(execution_id)
    held.let_go()
    assert execution["status"] == "cancelled"
    wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "all that was sent has come")
    assert server.download(execution)


def test_C4_cancelled_twice(server: Server, upstream: Scripted) -> None:
    """The second time changes nothing, also when it has ended; it cannot be resumed or paused any more."""
    held = Held(upstream, after=SOME)
    execution_id = begin(server, define(server, upstream, concurrency=8))
    wait_until(lambda: some_is_recorded(server, execution_id), "what was answered is recorded")
    assert steer(server, execution_id, "cancel")["status"] in ("stopping", "cancelled")
    steer(server, execution_id, "cancel")
    execution = server.wait(execution_id)  # though the upstream still holds what is under way
    held.let_go()
    assert steer(server, execution_id, "cancel") == execution
    assert (execution["status"], rows(execution)) == ("cancelled", SOME)
    wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "all that was sent has come")
    assert kinds(server, execution_id) == ["cancelled"]
    for verb in ("pause", "resume"):
        answer = server.ask("POST", f"/workflows/executions/{execution_id}/{verb}")
        assert (answer.status_code, "cancelled" in answer.text) == (409, True)


def test_C4_resumed_while_it_still_lets_go(server: Server, upstream: Scripted) -> None:
    """Held and let go again and again, while requests are under way: every row once, all counted."""
    held = Held(upstream, after=SOME)
    execution_id = begin(server, define(server, upstream, concurrency=8))
    wait_until(lambda: some_is_recorded(server, execution_id), "what was answered is recorded")
    for _ in range(5):
        assert steer(server, execution_id, "pause")["status"] == "paused"
        assert steer(server, execution_id, "resume")["status"] == "running"
    held.let_go()
    execution = server.wait(execution_id)
    assert (execution["status"], rows(execution)) == ("succeeded", len(USERS))
    wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "all that was sent has come")


def test_C4_cancelled_while_it_is_paused(server: Server, upstream: Scripted) -> None:
    """What it had is there."""
    held = Held(upstream, after=SOME)
    execution_id = begin(server, define(server, upstream, concurrency=8))
    wait_until(lambda: some_is_recorded(server, execution_id), "what was answered is recorded")
    steer(server, execution_id, "pause")
    steer(server, execution_id, "cancel")
    execution = server.wait(execution_id)
    held.let_go()
    assert (execution["status"], rows(execution)) == ("cancelled", SOME)


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_C4_amid_a_long_wait_that_the_upstream_asked_for(
    server: Server, upstream: Scripted, verb: str
) -> None:
    """An hour of Retry-After keeps nobody from holding or ending it."""
    upstream.on("/users/*", Play(status=429, headers=[("Retry-After", "3600")]))
    workflow = define(server, upstream, retry={"item_deadline": 100_000})
    execution_id = begin(server, workflow)
    upstream.wait(1)
    steer(server, execution_id, verb)
    wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "what was sent is recorded")
    if verb == "pause":
        assert server.execution(execution_id)["status"] == "paused"
        steer(server, execution_id, "cancel")
    execution = server.wait(execution_id)
    assert execution["status"] == "cancelled"
    assert execution["counters"]["stop_reasons"].get("cancelled", 0) <= len(USERS)


def test_C4_while_it_waits_for_its_place(server: Server, upstream: Scripted) -> None:
    """Not let in yet it can be held, let go and ended; for that it needs no place."""
    held = Held(upstream)
    workflow = define(server, upstream, concurrency=2)
    before = [begin(server, workflow) for _ in range(ROOM)]
    for each in before:
        wait_until(lambda each=each: server.execution(each)["status"] == "running", "they run")  # type: ignore[misc]
    waiting = begin(server, workflow)
    assert server.execution(waiting)["waiting_for"].startswith(f"{ROOM} of yours run")
    assert steer(server, waiting, "pause")["status"] == "paused"
    assert steer(server, waiting, "resume")["status"] == "queued"
    assert server.execution(waiting)["waiting_for"].startswith(f"{ROOM} of yours run")
    steer(server, waiting, "pause")
    steer(server, waiting, "cancel")
    assert server.wait(waiting)["status"] == "cancelled"
    held.let_go()
    for each in before:
        steer(server, each, "cancel")
        server.wait(each)


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_C4_while_a_token_is_fetched(server: Server, upstream: Scripted, verb: str) -> None:
    """A token that does not come keeps nobody from holding or ending it; resumed, it is asked for again."""
    until: Future[None] = Future()
    upstream.on("/token", lambda _: Play.json({"access_token": "t"}, until=until))  # each worker asks for one
    Held(upstream).let_go()
    auth = {"variable": "token", "url": upstream.url + "/token"}
    headers = {"headers": {"Authorization": "Bearer {{token}}"}}
    execution_id = begin(server, define(server, upstream, auth=auth, endpoint=headers))
    upstream.wait(1, "/token")
    steer(server, execution_id, verb)
    wait_until(lambda: sent_is_recorded(server, execution_id, upstream), "what was sent is recorded")
    if verb == "pause":
        upstream.on("/token", lambda _: Play.json({"access_token": "t"}))
        steer(server, execution_id, "resume")
    execution = server.wait(execution_id)
    until.set_result(None)
    paused = verb == "pause"
    assert execution["status"] == ("succeeded" if paused else "cancelled")
    assert rows(execution) == (len(USERS) if paused else 0)


def test_C4_while_its_files_are_made(server: Server, upstream: Scripted) -> None:
    """All is fetched: a cancel comes too late to cut anything, and there is nothing left to hold."""
    many = [{"id": number, "text": "x" * 50} for number in range(30_000)]
    upstream.on("/users/*", Play.json({"results": many}))
    execution_id = begin(server, define(server, upstream), USERS[:3])
    wait_until(lambda: server.execution(execution_id)["counters"]["items_ended"] == 3, "all is fetched")

    def is_too_late() -> bool:
        answer = server.ask("POST", f"/workflows/executions/{execution_id}/pause")
        steer(server, execution_id, "resume" if answer.ok else "cancel")
        return answer.status_code == 409

    wait_until(is_too_late, "nothing is left to hold")
    execution = server.wait(execution_id)
    assert (execution["status"], rows(execution)) == ("succeeded", 90_000)


def test_what_goes_on_is_not_deleted(server: Server, upstream: Scripted) -> None:
    """It says what to do first."""
    held = Held(upstream)
    execution_id = begin(server, define(server, upstream))
    upstream.wait(1)
    place = f"/workflows/executions/{execution_id}"
    for state in ("running", "paused"):
        answer = server.ask("DELETE", place)
        assert answer.status_code == 409
        told = f"This execution is {state}; cancel it and wait for its end."
        assert answer.json() == {"errors": [{"status": told}]}
        steer(server, execution_id, "pause")
    steer(server, execution_id, "cancel")
    server.wait(execution_id)
    held.let_go()
    assert server.ask("DELETE", place).ok
    assert server.ask("GET", place).status_code == 404
