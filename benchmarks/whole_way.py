"""The whole way from URL to file: the same responses by Swath and by what people use now."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.choice import Choice
from benchmarks.environments import python, versions
from benchmarks.measure import CACHE, Cost, Measured, alternate, fresh_folder, middle, ratio, run
from benchmarks.report import table

SCRIPTS = Path(__file__).parent / "ways" / "whole"
#: Responses of the start alone, and of a whole run on top of them.
START, COUNT = 20, 8000
#: Rows in each.
ROWS = 20


@dataclass(frozen=True, slots=True)
class Way:
    """A script's name, what it is installed from (empty: Swath's own environment), its part of the count."""

    name: str
    packages: str = ""
    share: float = 1.0


#: Those that take long are given fewer responses: what one costs does not depend on their number.
WAYS = {
    "swath_way": Way("Swath"),
    "bare": Way("bare pyreqwest"),
    "floor": Way("by hand, nothing durable"),
    "aiohttp_pandas": Way("aiohttp + pandas", "aiohttp pandas orjson uvloop"),
    "scrapy_feed": Way("Scrapy", "scrapy", 0.15),
    "dlt_client": Way("dlt, REST client", "dlt[parquet]", 0.25),
    "dlt_rest_api": Way("dlt, rest_api source", "dlt[parquet]", 0.25),
    "crawlee_way": Way("Crawlee", "crawlee", 0.25),
    "singer": Way("Singer SDK", "singer-sdk", 0.25),
    "airbyte": Way("Airbyte CDK", "airbyte-cdk", 0.25),
}


def measure(choice: Choice) -> str:
    scripts = [script for script in WAYS if choice.wants(script)]
    interpreters = {script: python(script.split("_")[0], WAYS[script].packages) for script in scripts}
    with upstream() as url:

        def once(script: str) -> Measured:
            count = choice.amount(round(COUNT * WAYS[script].share))
            start, whole = (_run(interpreters[script], script, url, some) for some in (START, START + count))
            return Measured(whole, start, count)

        costs = alternate(scripts, choice.rounds, once, lambda run: f"{run.each * 1e3:.3f} ms each")
    return _write(costs, choice, _list_versions(interpreters))


@contextmanager
def upstream(*more: str) -> Iterator[str]:
    """The sample upstream, which neither limits nor stumbles, with further options; gives its URL."""
    options = ["--no-limit", "--no-hiccups", "--until-stdin-closes", *more]
    command = [sys.executable, "-m", "swath.demo.upstream", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _run(interpreter: str, script: str, url: str, count: int) -> Cost:
    folder = fresh_folder("work")
    command = [interpreter, str(SCRIPTS / f"{script}.py"), url, str(count), str(folder)]
    cost = run(command, CACHE / "log")
    written = _count_rows(folder)
    if written not in (None, count * ROWS):
        raise RuntimeError(f"{script} wrote {written} rows of {count * ROWS}")
    return cost


def _count_rows(folder: Path) -> int | None:
    """Count what was written; None, where that is not plain text (and Swath's way counts by itself)."""
    if (table := folder / "rows.csv").exists():
        with table.open(newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1
    if (messages := folder / "messages.jsonl").exists():
        with messages.open() as lines:
            return sum('"RECORD"' in line[:40] for line in lines)
    return None


def _list_versions(interpreters: dict[str, str]) -> list[str]:
    names = {
        script: [each.split("[")[0] for each in WAYS[script].packages.split()] for script in interpreters
    }
    told = [versions(python, names[script] or ["pyreqwest"]) for script, python in interpreters.items()]
    return list(dict.fromkeys(told))


def _write(costs: dict[str, list[Measured]], choice: Choice, used: list[str]) -> str:
    rows = [
        (
            WAYS[script].name,
            f"{middle(runs, lambda run: run.each) * 1e3:.3f}",
            ratio(runs, costs.get("swath_way")),
            f"{middle(runs, lambda run: run.start.cpu):.2f}",
            f"{runs[0].count}",
            f"{middle(runs, lambda run: run.whole.wall):.1f}",
            f"{middle(runs, lambda run: run.whole.peak):.0f}",
        )
        for script, runs in costs.items()
    ]
    head = ("", "CPU ms per response", "as Swath", "start CPU s", "responses", "wall s", "peak MiB")
    return f"""## The whole way: URL to file

Responses of {ROWS} nested rows (about 5.7 KB), {choice.rounds} alternating rounds, medians. CPU is user and
system time of the process and its children, the upstream excluded. *Start* is a run of {START} responses; the
first two columns are what comes on top of it. Who takes long is given fewer responses. Peak is that of the
largest process, not of the sum.

{table(head, rows)}

{"; ".join(used)}.
"""
