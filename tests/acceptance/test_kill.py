"""An execution survives the death of its process."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from calm import run_calmly
from gated import Gated
from server import PATIENCE, Server, define_posts, wait_until

USERS = [str(1000 + n) for n in range(60)]
#: Requests that may be under way.
IN_FLIGHT = 16


def test_killed_and_started_again_it_gives_the_same_bytes(tmp_path: Path, upstream: Gated) -> None:
    """`kill -9` in the middle, start again: the files are those of an undisturbed run, byte for byte,
    and the upstream sees again only what no checkpoint had recorded."""
    expected = run_calmly(tmp_path / "calm", upstream, USERS)
    plain = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
    upstream.reset()

    server = Server(tmp_path / "disturbed")
    kills = 0
    lost = 0
    with server:
        upstream.hold(50)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        for pages in (40, 80):
            wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= pages, f"{pages} pages")  # noqa: B023
            recorded = server.execution(execution_id)["counters"]["pages"]
            server.kill()
            kills += 1
            lost += len(upstream.seen()) - recorded + IN_FLIGHT  # what has yet to come to the upstream
            upstream.hold(80)  # those who waited when it died may take some
            server.start()
        upstream.let_go()
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == expected
        again = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
        assert set(again) == set(plain)
        repeats = sum(again.values()) - sum(plain.values())
        assert kills == 2
        assert 0 < repeats <= lost
        assert execution["counters"]["pages"] == sum(plain.values())


def test_ctrl_c_drains_and_the_next_start_goes_on(tmp_path: Path, upstream: Gated) -> None:
    """A stopped server records what it has; nothing that was recorded is asked for again."""
    expected = run_calmly(tmp_path / "calm", upstream, USERS)
    upstream.reset()
    with Server(tmp_path / "stopped") as server:
        upstream.hold(50)
        execution_id = server.trigger(define_posts(server, upstream.url, USERS)["workflow"])
        wait_until(lambda: server.execution(execution_id)["counters"]["pages"] >= 30, "30 pages")
        assert server.stop() == 0
        upstream.let_go()
        server.start()
        execution = server.wait(execution_id)
        assert execution["status"] == "succeeded"
        assert server.download(execution) == expected
        answered = Counter(entry.path + "?" + entry.query for entry in upstream.seen())
        assert sum(answered.values()) - len(answered) <= IN_FLIGHT


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """The embedded mode is one process; the refusal says what to do."""
    with Server(tmp_path / "data") as server:
        second = subprocess.run(
            [sys.executable, "-m", "swath", "serve", "--port", "0", "--data-dir", str(server.folder)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert second.returncode != 0
        assert "in use by process" in second.stderr
        assert "--data-dir" in second.stderr
        assert "Traceback" not in second.stderr
        assert server.get("/workflows") == {"objects": []}
