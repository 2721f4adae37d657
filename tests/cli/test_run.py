"""`swath run`: a formula without a server, to files or a pipe, paused and gone on with."""

import json
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Swath, environment, play
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.cli.failures import Wrong
from swath.cli.jobs import Job

HERE = "--allow-private=127.0.0.1"
ROWS = "posts.id,posts.by,input.user\n0,ada,ada\n1,ada,ada\n0,bob,bob\n1,bob,bob\n"


def test_a_formula_becomes_a_file(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """With the list that lies beside it, the secret of the environment, and nothing left in the folder."""
    ran = swath("run", "posts.yaml", HERE)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "succeeded: 2 of 2 items, 2 pages, 2 requests" in ran.stderr
    assert (folder / "results" / "my-awesome-workflow" / "posts.csv").read_text() == ROWS
    assert upstream.asked[0].header("Authorization") == "Bearer a-secret-of-many-letters"
    assert sorted(path.name for path in folder.iterdir()) == ["people.csv", "posts.yaml", "results"]


def test_rows_go_into_a_pipe(swath: Swath) -> None:
    """Only rows on standard output; other lists, parameters and formats by options."""
    ran = swath("run", "posts.yaml", HERE, "--input=user=cyd", "--out=-", "--quiet", "--format=jsonl")
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert rows == [
        {"input": {"user": "cyd"}, "response": {"id": 0, "by": "cyd"}},
        {"input": {"user": "cyd"}, "response": {"id": 1, "by": "cyd"}},
    ]


def test_exit_codes_tell_how_it_ended(swath: Swath, folder: Path) -> None:
    """3 where a part failed, 1 where all did; JSON for programs says which files there are."""
    (folder / "some.txt").write_text("ada\nnobody\n")
    ran = swath("run", "posts.yaml", HERE, "--input=user=@some.txt", "--json", "--out=out")
    assert ran.returncode == 3, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["status"], told["files"]) == ("partially_failed", ["out/posts.csv"])


def test_a_run_that_brings_nothing_fails(swath: Swath) -> None:
    """And says why, of the first few items."""
    ran = swath("run", "posts.yaml", "--out=out")
    assert ran.returncode == 1
    assert "user=ada: blocked_address: " in ran.stderr


def test_wrong_usage_is_told_with_file_and_line(swath: Swath, folder: Path) -> None:
    """Before anything is opened or sent: exit code 2 and what to do."""
    text = (folder / "posts.yaml").read_text()
    (folder / "bad.yaml").write_text(text.replace("mappings:", "mapings:"))
    ran = swath("run", "bad.yaml")
    assert ran.returncode == 2
    assert ran.stderr == (
        "swath: bad.yaml:10: workflows.My Awesome Workflow.mapings: There is no field 'mapings' here; "
        "did you mean 'mappings'?\n"
    )
    assert not (folder / ".swath").exists()


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"path": "missing.yaml"}, "missing.yaml: No such file or directory."),
        ({"workflow": "Mine"}, "there is no workflow 'Mine'; there are: 'My Awesome Workflow'."),
        ({"params": ["x"]}, "write NAME=VALUE"),
        ({"inputs": ["user=@people.csv:name"]}, "has no column 'name'. There are: login, age."),
        ({"file_format": "xml"}, "must be one of csv, json, jsonl, parquet, xlsx."),
        ({"secrets": []}, "The secret token has no value: give --secret token=VALUE."),
    ],
)
def test_a_job_that_cannot_be_run_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any], told: str
) -> None:
    """Each option by its own name."""
    monkeypatch.chdir(folder)
    usual: dict[str, Any] = dict.fromkeys(("workflow", "params", "inputs", "max_requests", "proxy"))
    usual |= {"path": "posts.yaml", "secrets": ["token=x"], "file_format": "csv", "ask": False}
    given = usual | wish
    with pytest.raises(Wrong) as caught:
        Job.read(Path(given.pop("path")), **given)
    assert told in str(caught.value)


def test_ctrl_c_pauses_and_the_same_command_goes_on(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """What was fetched is not asked for again, and the file is the one of an undisturbed run."""
    held: Future[None] = Future()

    def hold_bob(asked: Asked) -> Play:
        if "/bob/" not in asked.path:
            return play(asked)
        return Play(status=503, until=held)

    upstream.on("/users/*", hold_bob)
    command = [sys.executable, "-m", "swath", "run", "posts.yaml", HERE, "--out=out"]
    begun = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(SWATH_SECRET_TOKEN="a-secret-of-many-letters"),
        stderr=subprocess.PIPE,
        text=True,
    )
    upstream.wait(2, patience=60.0)
    begun.send_signal(signal.SIGINT)
    held.set_result(None)
    _, told = begun.communicate(timeout=60)
    assert begun.returncode == 130, told
    assert "Go on with the same command:" in told
    assert not (folder / "out").exists()
    upstream.on("/users/*", play)
    ran = swath("run", "posts.yaml", HERE, "--out=out")
    assert ran.returncode == 0, ran.stderr
    assert "Going on:" in ran.stderr
    assert (folder / "out" / "posts.csv").read_text() == ROWS


def test_what_failed_is_fetched_again(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """`--retry` asks for nothing else, and the file holds all."""
    upstream.on("/users/bob/posts", Play.json({"message": "later"}, status=401))
    ran = swath("run", "posts.yaml", HERE, "--out=out")
    assert ran.returncode == 3, ran.stderr
    assert "the same command with --retry" in ran.stderr
    upstream.on("/users/bob/posts", play)
    before = len(upstream.asked)
    ran = swath("run", "posts.yaml", HERE, "--out=out", "--retry")
    assert ran.returncode == 0, ran.stderr
    assert [asked.path for asked in upstream.asked[before:]] == ["/users/bob/posts"]
    assert (folder / "out" / "posts.csv").read_text() == ROWS
