"""`swath doctor` finds what is wrong, beside a running server and without one."""

import os
import subprocess
import sys
from pathlib import Path

from server import Server, define_posts

from swath.demo.upstream import Upstream


def examine(folder: Path, *options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "swath", "doctor", "--data-dir", str(folder), *options]
    ended = subprocess.run(
        command, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout


def test_it_says_what_is_well_and_what_is_not(server: Server, upstream: Upstream) -> None:
    """All is well while the server runs; a segment that was cut off is named, with its execution."""
    ids = define_posts(server, upstream.url, ["1", "2", "3"])
    execution = server.wait(server.trigger(ids["workflow"]))
    code, told = examine(server.folder, "--deep")
    assert (code, "BAD" in told) == (0, False), told
    (segment,) = (server.folder / "objects" / "segments" / execution["id"]).iterdir()
    segment.write_bytes(segment.read_bytes()[:20])
    code, told = examine(server.folder)
    assert code == 1
    assert f"BAD  segment: Execution {execution['id']}, shard 0" in told


def test_a_folder_without_data(tmp_path: Path) -> None:
    """It says so, and makes nothing."""
    code, told = examine(tmp_path / "nothing")
    assert code == 1
    assert "BAD  disk: There is no folder" in told
    assert not (tmp_path / "nothing").exists()
