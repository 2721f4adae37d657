"""The whole way from URL to file: the same responses by Swath and by what people use now."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.choice import Choice
from benchmarks.environments import python, versions
from benchmarks.measure import CACHE, Cost, Measured, alternate, fresh_folder, middle, ratio, run
from benchmarks.report import table

SCRIPTS = Path(__file__).parent / "ways" / "whole"
#: Responses of the start alone, and of a whole run on top of them.
START, COUNT = 20, 3000
#: Rows in each.
ROWS = 20

#: By script: the name, and what it is installed from (empty: Swath's own environment).
WAYS = {
    "swath_way": ("Swath", ""),
    "bare": ("bare pyreqwest", ""),
    "aiohttp_pandas": ("aiohttp + pandas", "aiohttp pandas orjson uvloop"),
    "scrapy_feed": ("Scrapy", "scrapy"),
    "dlt_client": ("dlt, REST client", "dlt[parquet]"),
    "dlt_rest_api": ("dlt, rest_api source", "dlt[parquet]"),
    "crawlee_way": ("Crawlee", "crawlee"),
    "singer": ("Singer SDK", "singer-sdk"),
    "airbyte": ("Airbyte CDK", "airbyte-cdk"),
}


def measure(choice: Choice) -> str:
    count = choice.amount(COUNT)
    scripts = [script for script in WAYS if choice.wants(script)]
    interpreters = {script: python(script.split("_")[0], WAYS[script][1]) for script in scripts}
    with upstream() as url:

        def once(script: str) -> Measured:
            start, whole = (_run(interpreters[script], script, url, some) for some in (START, START + count))
            return Measured(whole, start)

        costs = alternate(scripts, choice.rounds, once, lambda run: f"{run.more / count * 1e3:.3f} ms each")
    return _write(costs, count, choice, _list_versions(interpreters))


@contextmanager
def upstream() -> Iterator[str]:
    """The sample upstream, which neither limits nor stumbles; gives its URL."""
    options = ["--no-limit", "--no-hiccups", "--until-stdin-closes"]
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
    names = {script: [each.split("[")[0] for each in WAYS[script][1].split()] for script in interpreters}
    told = [versions(python, names[script] or ["pyreqwest"]) for script, python in interpreters.items()]
    return list(dict.fromkeys(told))


def _write(costs: dict[str, list[Measured]], count: int, choice: Choice, used: list[str]) -> str:
    rows = [
        (
            WAYS[script][0],
            f"{middle(runs, lambda run: run.more) / count * 1e3:.3f}",
            ratio(runs, costs.get("swath_way")),
            f"{middle(runs, lambda run: run.start.cpu):.2f}",
            f"{middle(runs, lambda run: run.whole.cpu):.2f}",
            f"{middle(runs, lambda run: run.whole.wall):.1f}",
            f"{middle(runs, lambda run: run.whole.peak):.0f}",
        )
        for script, runs in costs.items()
    ]
    head = ("", "CPU ms per response", "as Swath", "start CPU s", "whole CPU s", "wall s", "peak MiB")
    return f"""## The whole way: URL to file

{count} responses of {ROWS} nested rows (about 4.4 KB), {choice.rounds} alternating rounds, medians.
CPU is user and system time of the process and its children, the upstream excluded. *Start* is a run of
{START} responses; the first two columns are what comes on top of it. Peak is that of the largest process, not
of the sum.

{table(head, rows)}

{"; ".join(used)}.
"""
