"""Killed at the worst of moments, it goes on as if nothing had been: each moment is waited for."""

import contextlib
import os
import signal
from pathlib import Path

from calm import run_calmly
from server import Server, define_posts, wait_until
from storm import list_children
from tests.upstreams.scripted import Play, Scripted

from swath.demo.upstream import Upstream

USERS = [str(1000 + n) for n in range(40)]


def freeze_children(server: Server) -> list[int]:
    """Stop the processes that extract and write files, as soon as there are any; return their ids."""
    children = list(wait_until(lambda: list_children(server), "there are children"))
    for child in children:
        send(child, signal.SIGSTOP)
    return children


def send(child: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(child, number)


def test_killed_amid_the_combination(tmp_path: Path) -> None:
    """What it had on the disk until then keeps it neither from starting nor from the same bytes."""
    many = [{"id": number, "text": "x" * 50} for number in range(50_000)]  # it lasts long enough to be met
    with Scripted() as upstream, Server(tmp_path / "killed") as server:
        upstream.on("/users/*", Play.json({"results": many}))
        calm = run_calmly(tmp_path / "calm", upstream, USERS[:4])
        execution_id = server.trigger(define_posts(server, upstream.url, USERS[:4])["workflow"])
        scratch = server.folder / "scratch"
        wait_until(lambda: any(scratch.glob("*.result")) or has_ended(server, execution_id), "files are made")
        children = freeze_children(server)
        server.kill()
        for child in children:
            send(child, signal.SIGKILL)
        server.start()
        assert server.download(server.wait(execution_id)) == calm
        wait_until(lambda: not list(scratch.iterdir()), "nothing is left of what was being written")


def has_ended(server: Server, execution_id: str) -> bool:
    return server.execution(execution_id)["completed_at"] is not None


def test_a_child_that_is_killed_is_replaced(tmp_path: Path, upstream: Upstream) -> None:
    """A lack of memory takes one of the processes that write files: its work is done again by another."""
    calm = run_calmly(tmp_path / "calm", upstream, USERS)
    with Server(tmp_path / "killed") as server:
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        for child in freeze_children(server):
            send(child, signal.SIGKILL)
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == calm
