"""dlt's REST client, in an environment of its own, which is made when it is first needed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tests.servers.cases import BARE, Case

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"


def make_environment() -> Path:
    """Return the folder of an environment that holds what the lock says; another lock, another folder."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "swath" / f"dlt-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    done = folder / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
        done.touch()
    return folder


class Dlt:
    """A process that fetches one list after the other."""

    def __init__(self) -> None:
        folder = make_environment()
        quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "data")}
        self._process = subprocess.Popen(
            [str(folder / "bin" / "python"), str(HERE / "fetch.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **quiet},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def fetch(self, job: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
        """Return a list's rows and how many requests they took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"dlt could not fetch {job}"
        told = json.loads(answer)
        return told["rows"], told["requests"]


def describe(case: Case, base: str, item: str, paginator: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return one item of a case as dlt is asked for it: without the variables that its paginators fill."""
    url, endpoint = case.endpoint["url"], case.endpoint
    defaults = {name: each["default"] for name, each in endpoint.get("variables", {}).items()}
    values = {**defaults, case.variable: item}
    body = endpoint.get("body", {}).get("graphql")
    return {
        "url": url.replace("{base}", base).replace(mark(case.variable), quote(item, safe="")),
        "method": endpoint.get("method", "GET"),
        "params": put(endpoint.get("query", {}), values),
        "json": body and {**body, "variables": put(body["variables"], values)},
        "selector": "$" if case.collection == BARE else case.collection,
        "paginator": paginator,
    }


def put(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Put values into the places of their variables, and leave the places of others out."""
    marked = {mark(name): value for name, value in values.items()}
    return {
        name: marked.get(value, value) if isinstance(value, str) else value
        for name, value in template.items()
        if str(value) in marked or not str(value).startswith("{{")
    }


def mark(variable: str) -> str:
    return f"{{{{{variable}}}}}"
