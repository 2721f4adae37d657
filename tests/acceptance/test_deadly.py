"""An item whose answer kills whoever asks for it: it is found and named, and all others are saved."""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from server import Server, define_posts, wait_until
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.engine.trial import ENOUGH
from swath.store.shards import FRUITLESS_CLAIMS

PAGES = 4
USERS = [str(100 + n) for n in range(40)]


class Deadly:
    """Pages of posts; at some of them it kills the process that asks, as a lack of memory would."""

    def __init__(self, upstream: Scripted, server: Server) -> None:
        self.deadly: set[tuple[str, int]] = set()
        self.deaths = 0
        self._server = server
        self._pids: set[int] = set()
        upstream.on("*", self._answer)

    def _answer(self, asked: Asked) -> Play:
        user, page = asked.path.split("/")[2], int(asked.query.get("cursor") or 1)
        if (user, page) in self.deadly:
            self._kill()
            return Play(silent=True)
        more = {"next": str(page + 1)} if page < PAGES else {}
        return Play.json({"results": [{"user": user, "page": page}], **more})

    def _kill(self) -> None:
        process = self._server.process
        if process is not None and process.pid not in self._pids:
            self._pids.add(process.pid)
            self.deaths += 1
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def posts() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


def supervise(server: Server, execution_id: str) -> dict[str, Any]:
    """Start the server again whenever it has died, as a service manager does, until the execution ends."""

    def ended() -> Any:
        assert server.process is not None
        if server.process.poll() is not None:
            server.kill()
            server.begin()
        if not is_up(server):
            return None
        try:
            found = server.execution(execution_id)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):  # it died meanwhile
            return None
        return found if found["completed_at"] else None

    return dict(wait_until(ended, "the execution has ended", 480))


def is_up(server: Server) -> bool:
    """Wait until the server is up; tell whether it did not die before."""
    with contextlib.suppress(AssertionError):
        server.ready()
    return bool(server.url)


def fetched(server: Server, execution: dict[str, Any]) -> set[tuple[str, int]]:
    (url,) = (result["url"] for result in execution["results"] if result["collection"] == "results")
    rows = requests.get(url, timeout=60).json()
    return {(row["user"], row["page"]) for row in (row["response"] for row in rows)}


def test_a_deadly_item_is_named_and_all_others_saved(server: Server, posts: Scripted) -> None:
    """Amid its pages it kills whoever asks: it alone fails, with the pages that it had; a retry fetches it
    when it kills no more."""
    deadly = Deadly(posts, server)
    deadly.deadly = {("105", 3)}
    workflow = define_posts(server, posts.url, USERS)["workflow"]
    execution_id = server.trigger(workflow, output_aggregation_format="json")
    execution = supervise(server, execution_id)
    assert execution["status"] == "partially_failed"
    assert execution["counters"]["stop_reasons"] == {"complete": 39, "failed": 1}
    (line,) = server.get(f"/workflows/executions/{execution_id}/failures")["objects"]
    assert (line["item"], line["error_code"], line["retryable"]) == (5, "worker_failed", True)
    assert line["inputs"] == {"user_id": "105"}
    everything = {(user, page) for user in USERS for page in range(1, PAGES + 1)}
    assert fetched(server, execution) == everything - {("105", 3), ("105", 4)}
    assert deadly.deaths <= FRUITLESS_CLAIMS + 1 + ENOUGH

    deadly.deadly = set()
    again = server.post(f"/workflows/executions/{execution_id}/retry")
    assert fetched(server, server.wait(again["id"])) == everything
