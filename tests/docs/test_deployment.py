"""The worked example of deployment.md, with its own settings and commands: two servers, workers, S3."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
from tests.acceptance.server import PATIENCE, define_posts, wait_until
from tests.docs.examples import ROOT, find_examples
from tests.s3 import BUCKET, S3

from swath.demo.upstream import Behaviour, Upstream

PAGE = ROOT / "docs" / "deployment.md"


def read_settings() -> dict[str, str]:
    """Return what stands in `/etc/swath.env`."""
    example, _ = _ini()
    return dict(line.split("=", 1) for line in example.splitlines())


def read_commands() -> dict[str, list[str]]:
    """Return the commands of the services, by what they do."""
    _, services = _ini()
    lines = [line.removeprefix("ExecStart=") for line in services.splitlines() if "ExecStart=" in line]
    commands = [shlex.split(line)[1:] for line in lines]
    return {command[0]: command for command in commands}


def _ini() -> tuple[str, str]:
    settings, services = [each.text for each in find_examples("ini") if each.page == PAGE]
    return settings, services


@contextmanager
def run(command: list[str], environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a service until it says that it is there; give what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "swath", *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


Shown = dict[str, Any]


class Caller:
    """A client of a server. Where `define_posts` wants a server, this is enough of one."""

    def __init__(self, line: str, token: str) -> None:
        self.base = f"{next(word for word in line.split() if word.startswith('http://'))}/cloud/api/v1"
        self.headers = {"Token": token}

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(
            method, f"{self.base}{path}", json=body, headers=self.headers, timeout=PATIENCE
        )

    def post(self, path: str, body: object = None) -> dict[str, str]:
        answer = self.ask("POST", path, body or {})
        assert answer.ok, answer.text
        return dict(answer.json()["object"])


def test_the_three_machines_work_and_take_a_new_version(tmp_path: Path, database_url: str) -> None:
    """An execution goes on while workers and servers are stopped and started in the order that is told."""
    upstream = Upstream(Behaviour(delay=0.1, hiccup_every=0, limit=None))
    with ExitStack() as stack:
        upstream.start()
        stack.callback(upstream.stop)
        storage = stack.enter_context(S3())
        settings = _localize(read_settings(), tmp_path, database_url, storage)
        commands = read_commands()
        serve = [*commands["serve"][:-1], "0"]  # the port is chosen: two servers share a machine here
        servers = [stack.enter_context(run(serve, settings)) for _ in range(2)]
        workers = [stack.enter_context(run(commands["worker"], settings)) for _ in range(2)]
        one, other = (Caller(line, settings["SWATH_TOKEN"]) for _, line in servers)
        execution = one.post(f"/workflows/{_define(one, upstream)}/executions")["id"]
        _wait(other, execution, lambda shown: shown["counters"]["pages"] >= 5)
        for worker, _ in workers:
            _stop(worker)
        _stop(servers[0][0])
        stack.enter_context(run(serve, settings))
        stack.enter_context(run(commands["worker"], settings))
        shown = _wait(other, execution, lambda shown: shown["completed_at"])
        assert shown["status"] == "succeeded"
        assert shown["results"][0]["url"].startswith(settings["SWATH_PUBLIC_URL"])
        under_way = len(workers) * 16
        assert upstream.total <= shown["counters"]["pages"] + under_way


def _localize(settings: dict[str, str], folder: Path, database: str, storage: S3) -> dict[str, str]:
    """Put what there is here in the place of what the example names; no name is added but where S3 is."""
    here = {
        **{name: value for name, value in storage.environment.items() if name in settings},
        "SWATH_DATABASE_URL": database,
        "SWATH_STORAGE_URL": settings["SWATH_STORAGE_URL"].replace("our-bucket", BUCKET),
        "SWATH_DATA_DIR": str(folder),
    }
    assert here.keys() <= settings.keys()
    elsewhere = {
        "AWS_ENDPOINT_URL": storage.environment["AWS_ENDPOINT_URL"],
        "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8",
    }
    return {**settings, **here, **elsewhere}


def _define(caller: Caller, upstream: Upstream) -> str:
    users = [str(1000 + n) for n in range(20)]
    return define_posts(caller, upstream.url, users)["workflow"]  # type: ignore[arg-type]


def _wait(caller: Caller, execution: str, happened: Callable[[Shown], Any]) -> Shown:
    def look() -> object:
        shown = caller.ask("GET", f"/workflows/executions/{execution}").json()["object"]
        return shown if happened(shown) else None

    return dict(wait_until(look, "the execution has come that far"))


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop as a service manager does, which takes another end for a failure."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
