"""A server as its users run it, asked over its API."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

#: Items that are added to a collection at a time.
ITEMS = 50_000


class Served:
    """`swath serve` while the benchmark lasts."""

    def __init__(self, pid: int, url: str, token: str) -> None:
        self.pid = pid
        self._base = f"{url}/cloud/api/v1"
        self._session = requests.Session()
        self._session.headers["Token"] = token

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._session.post(f"{self._base}{path}", json=body or {})
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()["object"]
        return made

    def show(self, execution_id: str) -> dict[str, Any]:
        answer = self._session.get(f"{self._base}/workflows/executions/{execution_id}")
        shown: dict[str, Any] = answer.json()["object"]
        return shown

    def define(self, url: str, count: int, concurrency: int = 64) -> str:
        """Define a workflow over so many items, each of which is a page of the sample; return its id."""
        collection = self.post("/collections", {"name": "numbers", "items": ["0"]})["id"]
        for first in range(0, count, ITEMS):
            items = [str(number) for number in range(first, min(first + ITEMS, count))]
            self.post(f"/collections/{collection}", {"method": "add", "items": items})
        endpoint = self.post("/endpoints", {"name": "sample", "url": f"{url}/sample/{{{{n}}}}"})["id"]
        workflow = {
            "name": "benchmark",
            "endpoint_id": endpoint,
            "mappings": [{"target_variable_name": "n", "source_collection_id": collection}],
            "concurrency": concurrency,
            "result_collections": ["rows"],
        }
        return str(self.post("/workflows", workflow)["id"])

    def execute(self, workflow_id: str, rows: int, every: float = 1.0) -> tuple[dict[str, Any], float]:
        """Execute and wait for the end; return the execution and the seconds since it was triggered.

        Raises RuntimeError where it did not come to so many rows, for its figures would mean nothing.
        """
        started = time.monotonic()
        mine = self.post(f"/workflows/{workflow_id}/executions")["id"]
        while not (shown := self.show(mine))["completed_at"]:
            time.sleep(every)
        seconds = time.monotonic() - started
        if shown["results"][0]["rows"] != rows:
            raise RuntimeError(f"{shown['results'][0]['rows']} rows of {rows}: {shown['status']}")
        return shown, seconds


@contextmanager
def serve(folder: Path, *options: str, **more: str) -> Iterator[Served]:
    """Run a server over a folder, with further options and settings."""
    with _start(folder, ["serve", "--port", "0", *options], more) as (process, line):
        url = next(word for word in line.split() if word.startswith("http://"))
        yield Served(process.pid, url, more.get("SWATH_TOKEN") or (folder / "token").read_text().strip())


@contextmanager
def work(folder: Path, **more: str) -> Iterator[int]:
    """Run a worker; give its process's number."""
    with _start(folder, ["worker"], more) as (process, _):
        yield process.pid


@contextmanager
def _start(
    folder: Path, arguments: list[str], more: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    allowed = {"SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8", "SWATH_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "swath", *arguments]
    environment = {**os.environ, **allowed, **more}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            if not (line := process.stdout.readline()):
                raise RuntimeError(f"swath {' '.join(arguments)} did not start")
            yield process, line
        finally:
            process.terminate()
            process.stdout.close()
