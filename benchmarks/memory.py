"""What memory Swath takes, over all its processes, as executions grow: it must not grow with them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.report import table
from benchmarks.whole_way import ROWS, upstream

#: Responses of the executions, one after the other, each on a fresh server.
SIZES = (10_000, 100_000, 1_000_000)
#: Seconds between two looks.
EVERY = 0.1
#: Items that are added to a collection at a time.
ITEMS = 50_000


@dataclass(slots=True)
class Peak:
    """MiB: before anything was executed, the most at any moment, and what the largest process had then."""

    idle: float = 0.0
    whole: float = 0.0
    largest: float = 0.0
    processes: int = 0
    seconds: float = 0.0


def measure(choice: Choice) -> str:
    found = [(choice.amount(size), _execute(choice.amount(size))) for size in SIZES]
    rows = [
        (
            f"{count:,}",
            f"{peak.idle:.0f}",
            f"{peak.whole:.0f}",
            f"{peak.largest:.0f}",
            str(peak.processes),
            f"{peak.seconds:.0f}",
        )
        for count, peak in found
    ]
    head = ("responses", "idle MiB", "peak MiB", "of it the largest process", "processes", "wall s")
    return f"""## Memory: executions of many sizes

`swath serve` and its worker processes while it executes so many requests of {ROWS} rows each, 64 at a time,
and combines them into one CSV. Memory is the proportional set size (`/proc/*/smaps_rollup`: what processes
share counts once), summed over all processes of the server, looked at every {EVERY} s; *idle* is before the
trigger, *peak* the most at any moment until the end.

{table(head, rows)}
"""


def _execute(count: int) -> Peak:
    with upstream() as url, _serve(fresh_folder("memory")) as (process, base, session):
        workflow = _define(base, session, url, count)
        with _watch(process.pid) as peak:
            started = time.monotonic()
            answer = session.post(f"{base}/workflows/{workflow}/executions")
            mine = answer.json()["object"]["id"]
            while not (shown := session.get(f"{base}/workflows/executions/{mine}").json()["object"])[
                "completed_at"
            ]:
                time.sleep(1)
            peak.seconds = time.monotonic() - started
    if shown["results"][0]["rows"] != count * ROWS:
        raise RuntimeError(f"{shown['results'][0]['rows']} rows of {count * ROWS}: {shown['status']}")
    print(f"{count} responses: idle {peak.idle:.0f} MiB, peak {peak.whole:.0f} MiB, {peak.seconds:.0f} s")
    return peak


@contextmanager
def _serve(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, requests.Session]]:
    environment = {**os.environ, "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8", "SWATH_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "swath", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            url = next(word for word in line.split() if word.startswith("http://"))
            session = requests.Session()
            session.headers["Token"] = (folder / "token").read_text().strip()
            yield process, f"{url}/cloud/api/v1", session
        finally:
            process.terminate()
            process.stdout.close()


def _define(base: str, session: requests.Session, url: str, count: int) -> str:
    """Define a workflow over so many items; return its id."""

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = session.post(f"{base}{path}", json=body)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()["object"]
        return made

    collection = post("/collections", {"name": "numbers", "items": ["0"]})["id"]
    for first in range(0, count, ITEMS):
        items = [str(number) for number in range(first, min(first + ITEMS, count))]
        post(f"/collections/{collection}", {"method": "add", "items": items})
    endpoint = post("/endpoints", {"name": "sample", "url": f"{url}/sample/{{{{n}}}}"})["id"]
    workflow = {
        "name": "memory",
        "endpoint_id": endpoint,
        "mappings": [{"target_variable_name": "n", "source_collection_id": collection}],
        "concurrency": 64,
        "result_collections": ["rows"],
    }
    return str(post("/workflows", workflow)["id"])


@contextmanager
def _watch(pid: int) -> Iterator[Peak]:
    """Look at the memory of a process and those below it until the block ends."""
    peak, ended = Peak(idle=sum(_sizes(pid))), threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            sizes = _sizes(pid)
            peak.processes = max(peak.processes, len(sizes))
            if sum(sizes) > peak.whole:
                peak.whole, peak.largest = sum(sizes), max(sizes)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _sizes(pid: int) -> list[float]:
    """Return the MiB of a process and of each below it."""
    sizes = []
    for each in _tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        sizes += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return sizes


def _tree(pid: int) -> list[int]:
    found = [pid]
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return found
    for child in children:
        found += _tree(int(child))
    return found
