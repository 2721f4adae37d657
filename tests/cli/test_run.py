"""`swath run`: a formula without a server, to files or a pipe, paused and gone on with."""

import json
import re
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
    (failure,) = told["failures"]
    assert (failure["inputs"], failure["error_code"]) == ({"user": "nobody"}, "not_found")


def test_a_quiet_run_tells_what_went_wrong_and_nothing_else(swath: Swath) -> None:
    """Who is told of nothing but the exit code does not know which item to look at."""
    ran = swath("run", "posts.yaml", HERE, "--input=user=ada,nobody", "--quiet", "--out=-")
    assert (ran.returncode, len(ran.stdout.splitlines())) == (3, 3)
    told = ran.stderr.splitlines()
    assert re.fullmatch("partially failed: 2 of 2 items, 1 pages, 2 requests, .* 2 rows", told[0])
    assert told[1:3] == ["ended otherwise: 1 failed", "went wrong: 1 x 404"]
    assert told[3].startswith("  user=nobody: not_found: ")
    assert len(told) == 4
    ran = swath("run", "posts.yaml", HERE, "--input=user=nobody", "--quiet", "--fresh")
    assert (ran.returncode, "user=nobody: not_found: " in ran.stderr) == (1, True)


def test_a_run_that_its_limit_ends_says_so(swath: Swath) -> None:
    """It has succeeded, with a part of what there is: nobody should take it for all."""
    ran = swath("run", "posts.yaml", HERE, "--max-requests=1")
    assert ran.returncode == 0, ran.stderr
    assert "It ended early, by its limit of requests." in ran.stderr


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
    upstream.wait(2)
    begun.send_signal(signal.SIGINT)
    held.set_result(None)
    _, told = begun.communicate(timeout=180)
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


CHAIN = """
endpoints:
  People: {url: "URL/people"}
  Posts: {url: "URL/users/{{user}}/posts"}
workflows:
  Posts of people:
    endpoint: Posts
    mappings: [{target_variable_name: user, from_result: {workflow: People, column: login}}]
  People: {endpoint: People}
"""


@pytest.fixture
def chain(folder: Path, upstream: Scripted) -> Path:
    """A formula of two workflows, one of which takes the other's rows."""
    upstream.on("/people", Play.json({"people": [{"login": "ada"}, {"login": "bob"}]}))
    (folder / "chain.yaml").write_text(CHAIN.replace("URL", upstream.url))
    return folder


def test_a_chain_runs_to_its_end_and_tells_of_each(swath: Swath, chain: Path) -> None:
    """The first begins by itself, the second follows; each has a folder, and JSON holds both."""
    ran = swath("run", "chain.yaml", HERE, "--compression=gzip", "--archive")
    assert ran.returncode == 0, ran.stderr
    told = ran.stderr.splitlines()
    assert told.index("People") < told.index("Posts of people")
    assert "  results/posts-of-people/Posts_of_people.zip  all of these files" in told
    assert sorted(path.name for path in (chain / "results" / "posts-of-people").iterdir()) == [
        "Posts_of_people.zip",
        "posts.csv.gz",
    ]
    ran = swath("run", "chain.yaml", HERE, "--json", "--out=out", "--fresh")
    shown = json.loads(ran.stdout)
    assert (shown["workflow"], shown["files"]) == ("People", ["out/people/people.csv"])
    assert [(each["workflow"], each["files"]) for each in shown["started"]] == [
        ("Posts of people", ["out/posts-of-people/posts.csv"])
    ]
    ran = swath("run", "chain.yaml", HERE, "--quiet", "--out=-", "--workflow=Posts of people")
    assert ran.stdout == ROWS
    ran = swath("run", "chain.yaml", HERE, "--compression=bzip2")
    assert (ran.returncode, "must be one of none, gzip, zstd" in ran.stderr) == (2, True)


def test_of_a_chain_what_failed_is_fetched_again_where_it_failed(
    swath: Swath, chain: Path, upstream: Scripted
) -> None:
    """Of the first execution with failures, by kind where that is asked for; all others stay as they are."""
    upstream.on("/users/bob/posts", Play.json({"message": "later"}, status=401))
    ran = swath("run", "chain.yaml", HERE, "--out=out")
    assert ran.returncode == 3, ran.stderr
    ran = swath("run", "chain.yaml", HERE, "--out=out", "--error=timeout")
    assert ran.returncode == 2
    assert "no item failed so; the error codes are: unauthorized" in ran.stderr
    upstream.on("/users/bob/posts", play)
    before = len(upstream.asked)
    ran = swath("run", "chain.yaml", HERE, "--out=out", "--error=unauthorized")
    assert ran.returncode == 0, ran.stderr
    assert [asked.path for asked in upstream.asked[before:]] == ["/users/bob/posts"]
    assert (chain / "out" / "posts-of-people" / "posts.csv").read_text() == ROWS


def test_a_chain_is_paused_and_gone_on_with(chain: Path, swath: Swath, upstream: Scripted) -> None:
    """Amid the second workflow, too: the first is not asked for again."""
    held: Future[None] = Future()
    upstream.on("/users/*", lambda asked: Play(status=503, until=held))
    command = [sys.executable, "-m", "swath", "run", "chain.yaml", HERE, "--out=out"]
    begun = subprocess.Popen(command, cwd=chain, env=environment(), stderr=subprocess.PIPE, text=True)
    upstream.wait(2)
    begun.send_signal(signal.SIGINT)
    held.set_result(None)
    _, told = begun.communicate(timeout=180)
    assert begun.returncode == 130, told
    upstream.on("/users/*", play)
    ran = swath("run", "chain.yaml", HERE, "--out=out")
    assert ran.returncode == 0, ran.stderr
    assert len(upstream.asked_at("/people")) == 1
    assert (chain / "out" / "posts-of-people" / "posts.csv").read_text() == ROWS


def test_a_paginator_that_is_told_can_be_pasted(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """Whatever signs stand in its path."""
    formula = folder / "pages.yaml"
    formula.write_text(f"endpoints: {{E: {{url: {upstream.url}/list}}}}\nworkflows:\n  W:\n    endpoint: E\n")
    links = [{"rel": "next", "href": "/list?offset=1"}]
    following = Play.json({"features": [{"id": 1}], "links": links})
    last = Play.json({"features": [{"id": 2}]})
    upstream.on("/list", lambda asked: last if asked.query else following)
    (told,) = [line for line in swath("run", "pages.yaml", HERE).stderr.splitlines() if "paginator:" in line]
    formula.write_text(f"{formula.read_text()}{told}\n")
    ran = swath("run", "pages.yaml", HERE)
    assert ran.returncode == 0, ran.stderr
    assert (folder / "results" / "w" / "features.csv").read_text() == "features.id\n1\n2\n"


def test_pages_that_were_not_asked_for_are_told_of(swath: Swath, folder: Path, upstream: Scripted) -> None:
    """With the paginator to write; with that in the formula all rows are there, and nothing is told."""
    formula = folder / "pages.yaml"
    formula.write_text(f"endpoints: {{E: {{url: {upstream.url}/list}}}}\nworkflows: {{W: {{endpoint: E}}}}\n")
    last = Play.json({"rows": [{"id": 2}]})
    following = Play.json({"rows": [{"id": 1}]}, headers=[("Next-Page", f"{upstream.url}/list?_token=a")])
    upstream.on("/list", lambda asked: last if asked.query else following)
    ran = swath("run", "pages.yaml", HERE)
    assert "    paginator: {type: next_url, header: next-page, record_path: rows}\n" in ran.stderr
    formula.write_text(
        formula.read_text().replace(
            "{endpoint: E}", "{endpoint: E, paginator: {type: next_url, header: Next-Page}}"
        )
    )
    ran = swath("run", "pages.yaml", HERE)
    assert "further pages" not in ran.stderr
    assert (folder / "results" / "w" / "rows.csv").read_text() == "rows.id\n1\n2\n"


def test_a_run_that_failed_leaves_no_empty_file(swath: Swath, folder: Path) -> None:
    """Beside the files of a later one it would look like a result."""
    assert swath("run", "posts.yaml", "--out=out").returncode == 1
    assert not (folder / "out").exists()
