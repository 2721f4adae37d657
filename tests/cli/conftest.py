"""The command as a person calls it: a process of its own, in a folder of its own."""

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.server import Server
from tests.upstreams.scripted import Asked, Play, Scripted

Ran = subprocess.CompletedProcess[str]
Swath = Callable[..., Ran]

FORMULA = """\
# Posts of people.
endpoints:
  Posts:
    url: "URL/users/{{user}}/posts"
    headers: {Authorization: "Bearer {{token}}"}
    variables: {token: {secret: true}}
workflows:
  My Awesome Workflow:
    endpoint: Posts
    mappings: [{target_variable_name: user, source_collection: People}]
collections:
  People: {file: people.csv, column: login}
"""
NAME = "My Awesome Workflow"


def play(asked: Asked) -> Play:
    name = asked.path.split("/")[2]
    if name == "nobody":
        return Play.json({"message": "no such user"}, status=404)
    posts = [{"id": number, "by": name} for number in range(2)]
    return Play.json({"posts": posts} | ({"next": asked.target} if name == "echo" else {}))


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        running.on("/users/*", play)
        yield running


@pytest.fixture
def folder(tmp_path: Path, upstream: Scripted) -> Path:
    """A folder with a formula and the list that it names."""
    (tmp_path / "posts.yaml").write_text(FORMULA.replace("URL", upstream.url))
    (tmp_path / "people.csv").write_text("login,age\nada,36\nbob,7\n")
    return tmp_path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("served") / "data") as running:
        yield running


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWATH_")}
    return {**inherited, "COLUMNS": "200", **more}


@pytest.fixture
def swath(folder: Path) -> Swath:
    """Call the command in the folder, with the secret in the environment."""

    def call(*arguments: str, stdin: str = "", **more: str) -> Ran:
        return subprocess.run(
            [sys.executable, "-m", "swath", *arguments],
            cwd=folder,
            env=environment(**{"SWATH_SECRET_TOKEN": "a-secret-of-many-letters", **more}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return call


def see(folder: Path, *arguments: str, width: int = 80, **more: str) -> list[str]:
    """Call the command at a terminal of so many columns; return the lines that stand on it."""
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb", closefd=True) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "swath", *arguments],
            cwd=folder,
            env=environment(COLUMNS=str(width), TERM="xterm", **more),
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=subprocess.PIPE,
        )
        os.close(its)
        shown = b""
        with contextlib.suppress(OSError):  # that is how a terminal ends whose last program has gone
            while part := screen.read1(1 << 16):
                shown += part
        _, said = process.communicate(timeout=180)
    assert process.returncode == 0, said.decode()
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode()).splitlines()


@pytest.fixture
def remote(swath: Swath, server: Server) -> Swath:
    """The same, for the running server."""

    def call(*arguments: str, **more: str) -> Ran:
        return swath(*arguments, **{"SWATH_URL": server.url, "SWATH_TOKEN": server.token, **more})

    return call
