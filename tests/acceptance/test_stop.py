"""A server that is told to stop amid its work, again and again."""

import signal
from pathlib import Path

import pytest
from server import Server, define_posts, find_trouble, wait_until

from swath.demo.upstream import Behaviour, Upstream

USERS = [str(1000 + n) for n in range(200)]
#: Pages of all executions after which it is told to stop, each time.
MOMENTS = (20, 400, 150, 700, 60)
EXECUTIONS = 6


def test_a_stop_is_no_trouble_to_those_who_read_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the durable engine is amid at any moment comes to its end, or to rest, before it goes."""
    upstream = Upstream(Behaviour(hiccup_every=0, limit=None, delay=0.02))
    upstream.start()
    with Server(tmp_path / "data") as server:
        workflow = define_posts(server, upstream.url, USERS)["workflow"]
        begun: list[str] = []
        for moment in MOMENTS:
            begun += [server.trigger(workflow) for _ in range(EXECUTIONS)]
            wait_for_pages(server, begun, moment)
            capfd.readouterr()
            assert server.stop(signal.SIGTERM) == 0
            assert find_trouble(capfd.readouterr().err) == []
            server.start()
        for each in begun:
            server.post(f"/workflows/executions/{each}/cancel")
    upstream.stop()


def wait_for_pages(server: Server, executions: list[str], more: int) -> None:
    """Wait until some executions together have so many more pages than now."""

    def count() -> int:
        return sum(server.execution(each)["counters"]["pages"] for each in executions)

    before = count()
    wait_until(lambda: count() >= before + more, "they are amid their work")
