"""Cancel, pause and resume at any moment; what was fetched is there, and counters are exact."""

import sqlite3
from contextlib import closing

from gated import Gated
from server import Server, define_posts, wait_until

from swath.demo.upstream import Behaviour

USERS = [str(3000 + n) for n in range(80)]
#: Answers until a test has done what it does amid an execution, of more than 300.
SOME = 60


def attempts(server: Server, execution_id: str) -> int:
    return int(server.execution(execution_id)["counters"]["attempts"])


def test_a_cancelled_execution_keeps_what_it_has(server: Server, upstream: Gated) -> None:
    """Cancelled in the middle it ends as `cancelled`, with files of exactly the pages that were recorded."""
    upstream.hold(SOME)
    execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
    wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= 20, "20 pages")
    server.post(f"/workflows/executions/{execution_id}/cancel")
    execution = server.wait(execution_id)
    assert execution["status"] == "cancelled"
    counters = execution["counters"]
    assert sum(counters["statuses"].values()) <= counters["attempts"]
    wait_until(lambda: counters["attempts"] == len(upstream.seen()), "all that was sent has come")
    manifest = server.get(f"/workflows/executions/{execution_id}/manifest")["object"]
    assert sum(manifest["stop_reasons"].values()) == len(USERS)
    assert manifest["stop_reasons"]["cancelled"] > 0
    root = next(result for result in execution["results"] if result["collection"] == "response")
    assert root["rows"] <= counters["pages"]
    assert server.download(execution)


def test_paused_it_sends_nothing_and_resumed_it_gives_the_same_files(server: Server, upstream: Gated) -> None:
    """A pause holds at once and for as long as wanted; the files are those of an execution never held."""
    workflow = define_posts(server, upstream.url, USERS)["workflow"]
    calm = server.download(server.wait(server.trigger(workflow)))
    upstream.reset()
    upstream.hold(SOME)
    execution_id = server.trigger(workflow)
    wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= 20, "20 pages")
    assert server.post(f"/workflows/executions/{execution_id}/pause")["status"] == "paused"
    wait_until(lambda: attempts(server, execution_id) == len(upstream.seen()), "what was sent is recorded")
    seen = len(upstream.seen())
    upstream.let_go()
    held = server.trigger(workflow, maximum_requests_count=20)  # another one runs while this one is held
    server.wait(held)
    assert len(upstream.seen()) == seen + 20
    assert server.execution(execution_id)["completed_at"] is None
    server.post(f"/workflows/executions/{execution_id}/resume")
    execution = server.wait(execution_id)
    assert execution["status"] == "succeeded"
    assert server.download(execution) == calm
    kinds = [event["kind"] for event in server.get(f"/workflows/executions/{execution_id}/events")["objects"]]
    assert kinds == ["paused", "resumed"]


def test_what_cannot_be_is_said(server: Server, upstream: Gated) -> None:
    """Only what runs can be paused, only what is paused resumed; an ended one is cancelled in vain."""
    execution = server.wait(server.trigger(define_posts(server, upstream.url, USERS[:2])["workflow"]))
    for verb in ("pause", "resume"):
        answer = server.ask("POST", f"/workflows/executions/{execution['id']}/{verb}")
        assert answer.status_code == 409
        assert "succeeded" in answer.json()["errors"][0]["status"]
    assert server.post(f"/workflows/executions/{execution['id']}/cancel") == execution


def test_a_deleted_workflow_cancels_what_runs_and_keeps_what_ended(server: Server, upstream: Gated) -> None:
    """Finished executions and their files stay readable; running ones are cancelled."""
    workflow = define_posts(server, upstream.url, USERS)["workflow"]
    ended = server.wait(server.trigger(workflow))
    upstream.hold(SOME)
    running = server.trigger(workflow)
    answer = server.ask("DELETE", f"/workflows/{workflow}")
    assert answer.json() == {"object": {"id": workflow}}
    assert server.wait(running)["status"] == "cancelled"
    assert server.execution(ended["id"]) == ended
    assert server.download(ended)
    assert server.ask("GET", f"/workflows/{workflow}").status_code == 404


def test_what_is_changed_while_it_runs_is_in_force(server: Server, upstream: Gated) -> None:
    """Held to a few at a time, and ended by a limit that it did not have; each change is an event."""
    upstream.hold(SOME)
    workflow = define_posts(server, upstream.url, [*USERS, *(str(4000 + n) for n in range(300))])["workflow"]
    execution_id = server.trigger(workflow)
    place = f"/workflows/executions/{execution_id}"
    wait_until(lambda: attempts(server, execution_id) >= 20, "20 attempts")
    limit = len(upstream.seen()) + 150
    changes = {"concurrency": 4, "rate_limits": [{"requests": 50}], "maximum_requests_count": limit}
    answer = server.ask("PATCH", place, json=changes)
    assert answer.status_code == 200, answer.text
    upstream.behaviour = Behaviour(delay=1.0, hiccup_every=0, limit=None)
    upstream.let_go()  # slowly: the limit must be in force before it is reached
    wait_until(lambda: is_settled(server, execution_id), "all is let go")
    upstream.behaviour = Behaviour(hiccup_every=0, limit=None)
    execution = server.wait(execution_id)
    assert (execution["truncated"], execution["status"]) == (True, "succeeded")
    assert limit == execution["counters"]["attempts"] == len(upstream.seen())
    events = [event["data"] for event in server.get(f"{place}/events")["objects"]]
    assert {event["field"] for event in events} == changes.keys()
    assert server.ask("PATCH", place, json={"concurrency": 2}).status_code == 409
    assert server.ask("PATCH", place, json={"concurrency": "x"}).status_code == 400


def is_settled(server: Server, execution_id: str) -> bool:
    """Tell whether the limit that was set is heeded."""
    query = "SELECT unsettled IS NULL FROM executions WHERE id = ?"
    with closing(sqlite3.connect(f"file:{server.folder / 'swath.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query, (execution_id,)).fetchone() == (1,)
