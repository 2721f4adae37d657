"""A Swath server as its users run it: a process of its own, with a data folder, that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

#: Seconds after which something that should have happened counts as not happening.
PATIENCE = 180.0
#: What a process writes of errors: its own, those of the durable engine, and whatever nobody caught.
TROUBLE = re.compile(r"Traceback|Error\b|Exception|exception|\[(error|critical)|\(dbos:|cannot ")


def find_trouble(log: str) -> list[str]:
    """Return the lines of a log that tell of an error; not that a busy machine took its time."""
    return [line for line in log.splitlines() if TROUBLE.search(line)]


def wait_until(happened: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Ask again and again until the answer is true; the answer is returned."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if answer := happened():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"After {patience} s still not so: {what}")


class Server:
    """`swath serve` as a subprocess."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self._options = options
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment = {
            **inherited,
            "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8",
            "SWATH_DATA_DIR": str(folder),
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self._session = requests.Session()
        # Each request on a connection of its own: one that idles may be ended just as it is used again.
        self._session.headers["Connection"] = "close"

    def start(self, port: str = "0") -> Self:
        self.begin(port)
        return self.ready()

    def begin(self, port: str = "0") -> None:
        """Start it, without waiting until it is up."""
        self.url = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "swath", "serve", "--port", port, *self._options],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def ready(self) -> Self:
        """Wait until it is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        if not self.url:
            line = self.process.stdout.readline()
            assert "http://" in line, f"The server did not start: {line!r}"
            self.url = next(word for word in line.split() if word.startswith("http://"))
            self._session.headers["Token"] = self.token
        return self

    @property
    def token(self) -> str:
        return self._environment.get("SWATH_TOKEN") or (self.folder / "token").read_text().strip()

    @property
    def base(self) -> str:
        return f"{self.url}/cloud/api/v1"

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does, or another signal; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self._reap()

    def _reap(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        return code

    def peak_memory(self) -> int:
        """Return the peak resident memory of the server's process, in bytes."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.kill()
        self._session.close()

    # --- the API

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(method, f"{self.base}{path}", timeout=PATIENCE, **options)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.ask("POST", path, json=body or {})
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()["object"]

    def trigger(self, workflow_id: str, **body: Any) -> str:
        return str(self.post(f"/workflows/{workflow_id}/executions", body)["id"])

    def execution(self, execution_id: str) -> dict[str, Any]:
        return dict(self.get(f"/workflows/executions/{execution_id}")["object"])

    def wait(self, execution_id: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until the execution has ended; return it."""

        def ended() -> Any:
            found = self.execution(execution_id)
            return found if found["completed_at"] else None

        return dict(wait_until(ended, f"execution {execution_id} has ended", patience))

    def download(self, execution: dict[str, Any]) -> dict[str, bytes]:
        """Return the bytes of each result by name, fetched without a token."""
        return {
            result["name"]: requests.get(result["url"], timeout=PATIENCE).content
            for result in execution["results"]
        }


def define_posts(server: Server, upstream: str, users: list[str], **workflow: Any) -> dict[str, str]:
    """Define the posts of users as a workflow with cursor pages; return the ids by kind."""
    collection = server.post("/collections", {"name": "User IDs", "items": users})
    endpoint = server.post(
        "/endpoints",
        {
            "name": "Posts",
            "url": f"{upstream}/users/{{{{user_id}}}}/posts",
            "query": {"cursor": "{{cursor}}"},
            "variables": {"user_id": {}, "cursor": {"default": ""}},
        },
    )
    body = {
        "name": "My Awesome Workflow",
        "endpoint_id": endpoint["id"],
        "mappings": [{"target_variable_name": "user_id", "source_collection_id": collection["id"]}],
        "paginator": {"type": "cursor", "cursor_path": "$.next", "variable": "cursor"},
        **workflow,
    }
    return {
        "collection": collection["id"],
        "endpoint": endpoint["id"],
        "workflow": server.post("/workflows", body)["id"],
    }
