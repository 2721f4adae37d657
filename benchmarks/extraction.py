"""Stored responses to tables: the same responses by Swath's map and reduce, pandas, DuckDB and Polars."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.choice import Choice
from benchmarks.environments import python, versions
from benchmarks.measure import CACHE, Cost, Measured, alternate, fresh_folder, middle, ratio, run
from benchmarks.report import table
from benchmarks.shapes import ROWS, SHAPES, Shape
from benchmarks.stored import SHARD

SCRIPTS = Path(__file__).parent / "ways" / "extraction"
#: Responses of the start alone.
START = 20
#: Rows of the nested table in each row.
LINES = 3

#: By script: the name, and what it is installed from (empty: Swath's own environment).
WAYS = {
    "swath_way": ("Swath", ""),
    "duckdb_way": ("DuckDB", "duckdb"),
    "polars_way": ("Polars", "polars"),
    "pandas_way": ("pandas", "pandas orjson"),
}


def measure(choice: Choice) -> str:
    scripts = [script for script in WAYS if choice.wants(script)]
    interpreters = {script: python(script.split("_")[0], WAYS[script][1]) for script in scripts}
    tables = [_measure_shape(name, shape, choice, interpreters) for name, shape in SHAPES.items()]
    used = "; ".join(
        versions(interpreters[script], WAYS[script][1].split()) for script in scripts if WAYS[script][1]
    )
    return f"""## Extraction and combination: stored responses to CSV

Responses of {ROWS} rows to one CSV per table, {choice.rounds} alternating rounds, medians.
Swath reads its sealed segments and writes by its own map and reduce steps, in {os.cpu_count()} processes.
The others read a file of one response per line, plain, and may use all cores: pandas works in as many
processes, DuckDB and Polars in as many threads. The nested shapes have two tables: of the rows, and of the
lines in them with the rows' scalars. CPU is what comes on top of a *start* of {START} responses; wall is of
the whole run.

{chr(10).join(tables)}
{used}.
"""


def _measure_shape(name: str, shape: Shape, choice: Choice, interpreters: dict[str, str]) -> str:
    count = choice.amount(shape.count)
    folder = fresh_folder("stored")
    for amount, place in ((START, "start"), (START + count, "whole")):
        # By a process of its own: a large one would give its peak to those that it starts.
        asked = [name, str(amount), str(folder / place), str(min(SHARD, amount // 2))]
        subprocess.run([sys.executable, "-m", "benchmarks.stored", *asked], check=True)
    size = (folder / "whole" / "responses.jsonl").stat().st_size / 2**20

    def once(script: str) -> Measured:
        start, whole = (
            _run(interpreters[script], script, name, folder / place, amount)
            for amount, place in ((START, "start"), (START + count, "whole"))
        )
        return Measured(whole, start, count)

    rows = count * ROWS * (1 + LINES * (len(shape.collections) - 1))
    print(f"{shape.title}: {count} responses, {size:.0f} MiB, {rows} rows")
    costs = alternate(list(interpreters), choice.rounds, once, lambda run: f"{run.more:.2f} s")
    head = (shape.title, "CPU ms per 1,000 rows", "as Swath", "start CPU s", "wall s", "peak MiB")
    lines = [
        (
            WAYS[script][0],
            f"{middle(runs, lambda run: run.more) / rows * 1e6:.2f}",
            ratio(runs, costs.get("swath_way")),
            f"{middle(runs, lambda run: run.start.cpu):.2f}",
            f"{middle(runs, lambda run: run.whole.wall):.2f}",
            f"{middle(runs, lambda run: run.whole.peak):.0f}",
        )
        for script, runs in costs.items()
    ]
    return f"{count} responses, {size:.0f} MiB, {rows} rows:\n\n{table(head, lines)}\n"


def _run(interpreter: str, script: str, shape: str, stored: Path, count: int) -> Cost:
    out = fresh_folder("work")
    program = SCRIPTS / f"{script}.py"
    cost = run([interpreter, str(program), shape, str(stored), str(out)], CACHE / "log")
    wanted = {"rows": count * ROWS, "rows.lines": count * ROWS * LINES}
    for name in SHAPES[shape].collections:
        with (out / f"{name}.csv").open(newline="") as file:
            written = sum(1 for _ in csv.reader(file)) - 1
        if written != wanted[name]:
            raise RuntimeError(f"{script} wrote {written} rows of {wanted[name]} into {name}")
    return cost
