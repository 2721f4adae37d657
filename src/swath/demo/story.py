"""The demonstration: a server, a sample upstream and proxies, and the documented program run against them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import requests
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from swath.demo.network import DOCUMENTED_USERS
from swath.demo.page import fill_in, find_code

#: Our own client, for where no page is given.
PROGRAM = "swath.demo.program"
WORKFLOW = "My Awesome Workflow"
#: Seconds until the demonstration counts as failed.
PATIENCE = 90
HEAD = 6

console = Console()


def tell(page: Path | None, data_dir: Path) -> int:
    """Run the whole demonstration; return the exit code."""
    data_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=data_dir, prefix="run-"))
    with ExitStack() as stack:
        upstream = stack.enter_context(_child("swath.demo.upstream", "--until-stdin-closes"))
        proxies = json.loads(stack.enter_context(_child("swath.demo.proxies", "--until-stdin-closes")))
        base = stack.enter_context(_server(folder))
        token = (folder / "token").read_text().strip()
        console.print(f"[bold]Swath[/] at {base}, the sample upstream at {upstream}, {len(proxies)} proxies")
        client = Client(base, token)
        ids = define(client, upstream, proxies)
        console.rule("The documented program")
        _run_program(page, base, token, ids, folder)
        console.rule("The execution")
        execution = _watch(client, ids["workflow"])
        return _show(execution, base, folder)


class Client:
    """The few calls that the demonstration makes for itself."""

    def __init__(self, base: str, token: str) -> None:
        self.base = f"{base}/cloud/api/v1"
        self._session = requests.Session()
        self._session.headers["Token"] = token

    def post(self, path: str, body: Any) -> Any:
        answer = self._session.post(f"{self.base}{path}", json=body, timeout=30)
        if not answer.ok:
            raise SystemExit(f"POST {path}: {answer.status_code} {answer.text}")
        return answer.json()["object"]

    def get(self, path: str) -> Any:
        answer = self._session.get(f"{self.base}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()


def define(client: Client, upstream: str, proxies: list[dict[str, Any]]) -> dict[str, str]:
    """Register what the documented program expects to find; return the ids by kind."""
    for proxy in proxies:
        client.post("/proxies", proxy)
    collection = client.post(
        "/collections", {"name": "User IDs", "items": [str(user) for user in DOCUMENTED_USERS]}
    )
    endpoint = client.post(
        "/endpoints",
        {
            "name": "Posts of a user",
            "url": f"{upstream}/users/{{{{user_id}}}}/posts",
            "query": {"cursor": "{{cursor}}"},
            "variables": {"user_id": {"description": "Whose posts"}, "cursor": {"default": ""}},
        },
    )
    workflow = client.post(
        "/workflows",
        {
            "name": WORKFLOW,
            "endpoint_id": endpoint["id"],
            "mappings": [{"target_variable_name": "user_id", "source_collection_id": collection["id"]}],
            "paginator": {"type": "cursor", "cursor_path": "$.next", "variable": "cursor"},
            "filters": [
                {"path": "results.created_at", "op": ">=", "value": "{{min_timestamp}}"},
                {"path": "results.created_at", "op": "<", "value": "{{max_timestamp}}"},
            ],
            "include_inputs": False,
        },
    )
    return {"workflow": workflow["id"], "collection": collection["id"]}


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[str]:
    """Run one of our modules as a process; give the line that it prints when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Run `swath serve` on a free port; give its URL."""
    environment = {**os.environ, "SWATH_DATA_DIR": str(folder), "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8"}
    process = subprocess.Popen(
        [sys.executable, "-m", "swath", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit("The server did not start; its message stands above.")
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _run_program(page: Path | None, base: str, token: str, ids: dict[str, str], folder: Path) -> None:
    """Run the page's own program, or ours where there is no page, as a separate process."""
    environment = {**os.environ, "SWATH_URL": base, "SWATH_TOKEN": token}
    command = [sys.executable, "-m", PROGRAM]
    if page is not None:
        values = {
            "URL_BASE": repr(f"{base}/cloud/api/v1"),
            "API_TOKEN": repr(token),
            "WORKFLOW_ID": repr(ids["workflow"]),
            "COLLECTION_ID": repr(ids["collection"]),
            "EXECUTION_ID": "execution['object']['id']",
        }
        script = folder / "program.py"
        script.write_text(fill_in("\n\n".join(find_code(page.read_text())), values))
        console.print(f"from {page}", style="dim")
        command = [sys.executable, str(script)]
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE)


def _watch(client: Client, workflow_id: str) -> dict[str, Any]:
    """Show progress until `completed_at` is set, as the documentation polls for it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("items, {task.fields[pages]} pages, {task.fields[requests]} requests"),
        TimeElapsedColumn(),
    )
    deadline = time.monotonic() + PATIENCE
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("queued", pages=0, requests=0)
        while time.monotonic() < deadline:
            found: dict[str, Any] = client.get(f"/workflows/{workflow_id}/executions")["objects"][0]
            counters = found["counters"]
            progress.update(
                task,
                description=found["status"],
                completed=counters["items_ended"],
                total=counters["items"],
                pages=counters["pages"],
                requests=counters["requests"],
            )
            if found["completed_at"]:
                return found
            time.sleep(0.2)
    raise SystemExit(f"The execution did not end within {PATIENCE} seconds.")


def _show(execution: dict[str, Any], base: str, folder: Path) -> int:
    """Download the first result without a token, print its head and where it is."""
    if execution["status"] != "succeeded":
        console.print(f"The execution ended as {execution['status']}: {execution['error']}")
        return 1
    result = execution["results"][0]
    place = folder / result["name"]
    place.write_bytes(requests.get(result["url"], timeout=30).content)
    counters = execution["counters"]
    answers = ", ".join(f"{count} × {status}" for status, count in counters["statuses"].items())
    console.print(f"{counters['requests']} requests ({answers}), {counters['rows']} rows in all files")
    console.rule(f"{result['name']}: {result['rows']} rows, {result['columns']} columns")
    with place.open(newline="") as file:
        for _, line in zip(range(HEAD), file, strict=False):
            console.print(line.rstrip("\n"), markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    console.print(f"\nThe whole file: {place}\nDownloaded from {result['url']} without a token.")
    return 0
