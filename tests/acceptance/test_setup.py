"""What keeps a server from starting is said in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swath.bootstrap import hold
from swath.settings import Settings


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SWATH_WORKER_SHARDS": "many"}, "SWATH_WORKER_SHARDS is 'many'; it must be a whole number."),
        ({"SWATH_DATABASE_URL": "postgresql://x"}, "SWATH_SECRET_KEY is not set"),
        ({"SWATH_DATA_DIR": "/dev/null/data"}, "cannot be used: Not a directory. Choose another"),
    ],
)
def test_a_wrong_setting_is_said_without_a_traceback(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    """The sentence names what is wrong and what to do; the exit code is that of wrong usage."""
    known = {**os.environ, "SWATH_DATA_DIR": str(tmp_path), **environment}
    command = [sys.executable, "-m", "swath", "serve", "--port", "0"]
    ended = subprocess.run(command, env=known, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_data_folder_is_out_of_sight_of_git(tmp_path: Path) -> None:
    """It lies where formulas are kept, and holds the token; a folder that was there before stays as it is."""
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    for folder in (new, old):
        with hold(Settings(data_dir=folder)):
            assert (folder / "scratch").is_dir()
    assert (new / ".gitignore").read_text() == "*\n"
    assert not (old / ".gitignore").exists()
