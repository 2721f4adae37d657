"""What is kept beside the files: raw answers and events."""

import json

from server import Server, define_posts, wait_until

from swath.demo import network
from swath.demo.upstream import Behaviour, Upstream

USERS = [str(7000 + n) for n in range(20)]


def test_the_raw_archive_holds_every_answer_in_order(server: Server, upstream: Upstream) -> None:
    """JSON lines by item and page; what they hold is what the upstream served."""
    execution = server.wait(server.trigger(define_posts(server, upstream.url, USERS)["workflow"]))
    answer = server.ask("GET", f"/workflows/executions/{execution['id']}/responses")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["item"], line["page"]) for line in lines] == sorted(
        (line["item"], line["page"]) for line in lines
    )
    assert len(lines) == execution["counters"]["pages"]
    ids = [post["id"] for line in lines for post in json.loads(line["body"])["results"]]
    assert ids == [post["id"] for user in USERS for post in network.posts(int(user))]
    assert {line["inputs"]["user_id"] for line in lines} == set(USERS)
    assert {line["status"] for line in lines} == {200}


def test_events_are_told_as_they_happen(server: Server, upstream: Upstream) -> None:
    """A stream of server-sent events tells of a pause and a cancel, and ends with the execution."""
    upstream.behaviour = Behaviour(delay=0.5, hiccup_every=0, limit=None)
    execution_id = server.trigger(define_posts(server, upstream.url, USERS, concurrency=1)["workflow"])
    wait_until(lambda: server.execution(execution_id)["counters"]["pages"] > 0, "a page")
    place = f"/workflows/executions/{execution_id}"
    told = server.ask("GET", f"{place}/events", headers={"Accept": "text/event-stream"}, stream=True)
    for verb in ("pause", "resume", "cancel"):
        server.post(f"{place}/{verb}")
    lines = [line for line in told.iter_lines(decode_unicode=True) if line.startswith("event:")]
    assert lines == ["event: paused", "event: resumed", "event: cancelled"]
    assert server.execution(execution_id)["status"] == "cancelled"
