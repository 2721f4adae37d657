"""Measure the whole way from URL to file, alternating between the competitors, and write RESULTS.md."""

import argparse
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import CACHE, python, versions
from benchmarks.measure import Cost, run

HERE = Path(__file__).parent

#: Name, what it is installed from (empty: Swath's own environment), and the script.
WAYS = (
    ("swath", "", "swath_way"),
    ("bare pyreqwest", "", "bare"),
    ("aiohttp + pandas", "aiohttp pandas orjson uvloop", "aiohttp_pandas"),
    ("Scrapy", "scrapy", "scrapy_feed"),
    ("dlt", "dlt[parquet]", "dlt_rest"),
)


#: A run of so few responses shows what starting and stopping cost.
START = 20


@dataclass(frozen=True, slots=True)
class Measured:
    whole: Cost
    start: Cost

    @property
    def more(self) -> float:
        """CPU seconds of what came on top of the start."""
        return self.whole.cpu - self.start.cpu


@contextmanager
def upstream() -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "swath.demo.upstream",
        "--no-limit",
        "--no-hiccups",
        "--until-stdin-closes",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def measure(url: str, count: int, rounds: int, chosen: list[str]) -> dict[str, list[Measured]]:
    costs: dict[str, list[Measured]] = {}
    ways = [way for way in WAYS if not chosen or way[2] in chosen]
    interpreters = {script: python(script.split("_")[0], packages) for _, packages, script in ways}
    for _ in range(rounds):
        for name, _, script in ways:
            start, whole = (
                run_way(interpreters[script], script, url, some) for some in (START, START + count)
            )
            costs.setdefault(name, []).append(Measured(whole, start))
            each = (whole.cpu - start.cpu) / count * 1000
            print(f"{name:20} start {start.cpu:5.2f} s CPU, then {each:7.3f} ms a response", flush=True)
    return costs


def run_way(interpreter: str, script: str, url: str, count: int) -> Cost:
    folder = CACHE / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    program = str(HERE / "ways" / f"{script}.py")
    return run([interpreter, program, url, str(count), str(folder)], CACHE / f"{script}.out")


def table(costs: dict[str, list[Measured]], count: int) -> str:
    lines = [
        "| | CPU ms per response | per response, as Swath | start CPU s | whole CPU s | wall s | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    mine = costs.get("swath")
    for name, runs in costs.items():
        ratio = (
            statistics.median(a.more / b.more for a, b in zip(runs, mine, strict=True))
            if mine
            else float("nan")
        )
        each = statistics.median(run.more for run in runs) / count * 1000
        start = statistics.median(run.start.cpu for run in runs)
        cpu, wall, peak = (
            statistics.median(getattr(run.whole, key) for run in runs) for key in ("cpu", "wall", "peak")
        )
        lines.append(
            f"| {name} | {each:.3f} | {ratio:.2f}× | {start:.2f} | {cpu:.2f} | {wall:.1f} | {peak:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("ways", nargs="*", help="scripts to run; none: all")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    before = os.getloadavg()
    with upstream() as url:
        costs = measure(url, chosen.count, chosen.rounds, chosen.ways)
    notes = (HERE / "NOTES.md").read_text()
    (HERE / "RESULTS.md").write_text(write_head(chosen, before) + write_whole_way(chosen, costs) + notes)


def write_head(chosen: argparse.Namespace, before: tuple[float, float, float]) -> str:
    command = f"python -m benchmarks {shlex.join(sys.argv[1:])}".strip()
    return (
        f"# What it costs\n\nMade by `{command}` on {time.strftime('%Y-%m-%d %H:%M')}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {before[0]:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after.\n{'; '.join(list_versions(chosen.ways))}.\n"
    )


def list_versions(chosen: list[str]) -> list[str]:
    used = []
    for _, packages, script in WAYS:
        if not chosen or script in chosen:
            names = [package.split("[")[0] for package in packages.split()] or ["pyreqwest"]
            used.append(versions(python(script.split("_")[0], packages), names))
    return list(dict.fromkeys(used))


def write_whole_way(chosen: argparse.Namespace, costs: dict[str, list[Measured]]) -> str:
    return (
        f"\n## The whole way: URL to file\n\n{chosen.count} responses of 20 nested rows (about 4.4 KB), "
        f"{chosen.rounds} alternating rounds, medians. CPU is user and system time of the process and its\n"
        f"children, the upstream excluded. *Start* is a run of {START} responses; the first column\n"
        "is what the others cost on top of it. Peak is that of the largest process, not of the sum.\n\n"
        f"{table(costs, chosen.count)}\n"
    )


if __name__ == "__main__":
    main()
