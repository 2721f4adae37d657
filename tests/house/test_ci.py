"""What `.ci/run` makes of failures, by its own script in a folder with a few tests of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: As the one that the script calls in earnest.
MAKEFILE = """
test:
\t@{lint}
\t@.venv/bin/python -m pytest -q || {{ echo $$? > .pytest_cache/status; exit 1; }}
"""
SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
#: The first run of a test that is unsure fails, for it finds no mark of an earlier one.
UNSURE = """
def test_unsure(tmp_path):
    mark = pathlib.Path("been")
    first = not mark.exists()
    mark.touch()
    assert not first
"""
#: So does the third.
OFTEN = """
def test_often():
    mark = pathlib.Path("times")
    times = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("x" * (times + 1))
    assert times == 1
"""
WRONG = "".join(f"\ndef test_wrong_{number}(): assert {number} is None\n" for number in range(4))
#: After it no other test runs.
BROKEN = "\ndef test_broken(): raise KeyboardInterrupt\n"
RIGHT = "\ndef test_right(): pass\n"


@pytest.mark.parametrize(
    ("tests", "lint", "passes", "said"),
    [
        (RIGHT, "true", True, "1 passed"),
        (RIGHT + UNSURE, "true", True, "UNSURE, trial 2"),
        (RIGHT + OFTEN, "true", False, "UNSURE, trial 2"),
        (RIGHT + WRONG, "true", False, "4 tests failed."),
        (RIGHT + UNSURE, "false", False, "Error 1"),
        (RIGHT + UNSURE + BROKEN, "true", False, "Error 1"),
    ],
    ids=["all pass", "one unsure", "one fails now and then", "four fail", "style", "not to its end"],
)
def test_a_few_failures_are_tried_on_their_own(
    tmp_path: Path, tests: str, lint: str, passes: bool, said: str
) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text(SCRIPT.read_text())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "Makefile").write_text(MAKEFILE.format(lint=lint))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_few.py").write_text(f"import pathlib\n{tests}")
    ran = subprocess.run(
        ["bash", ".ci/run"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (ran.returncode == 0) == passes, ran.stdout + ran.stderr
    assert said in ran.stdout + ran.stderr
    assert ("UNSURE" in ran.stdout) == said.startswith("UNSURE")
