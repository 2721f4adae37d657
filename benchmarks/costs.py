"""What each thing costs that an execution consists of: by runs that differ in one of them."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec
import numpy as np
import psycopg
from tests.postgres import Postgres

from benchmarks.choice import Choice
from benchmarks.measure import CACHE, fresh_folder
from benchmarks.processes import cpu
from benchmarks.report import table
from benchmarks.ways.costs.once import Asked
from benchmarks.whole_way import upstream

SCRIPT = "benchmarks.ways.costs.once"
#: What costs are told of, each with what of a run counts it.
UNITS = {
    "first work of a process": "worked",
    "second of a process": "seconds",
    "execution": "executions",
    "item": "items",
    "page": "pages",
    "row": "rows",
    "shard": "shards",
    "checkpoint": "checkpoints",
}
#: Items of a run, and how many make a shard.
ITEMS, SHARD = 3_000, 375
#: Seconds that the slow upstream takes for an answer: as many checkpoints as seconds pass.
SLOW = 0.3
#: Seconds of the runs that do nothing, and how much more they weigh than the others.
IDLE = (1.0, 16.0)
CERTAIN = 100.0
DATABASES = ("SQLite", "PostgreSQL")
Took = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of the table: which measure, by what it is multiplied, and how it is written."""

    title: str
    measure: str
    times: float = 1.0
    digits: int = 2


FIGURES = {
    "SQLite": (
        Figure("CPU ms", "cpu", 1e3, 3),
        Figure("transactions", "transactions", digits=3),
        Figure("statements", "statements", digits=3),
        Figure("rows written", "rows written", digits=3),
        Figure("bytes kept", "kept", digits=0),
        Figure("bytes written", "log", digits=0),
    ),
    "PostgreSQL": (
        Figure("CPU ms", "cpu", 1e3, 3),
        Figure("the database's CPU ms", "database cpu", 1e3, 3),
        Figure("transactions", "transactions", digits=3),
        Figure("statements", "statements", digits=3),
        Figure("rows written", "rows written", digits=3),
        Figure("bytes kept", "kept", digits=0),
        Figure("bytes of the log", "log", digits=0),
    ),
}
OBJECTS = (
    Figure("segments", "segments objects", digits=3),
    Figure("row parts", "parts objects", digits=3),
    Figure("results", "results objects", digits=3),
)
#: What a byte of an answer becomes.
KINDS = ("segments", "parts", "results")


def measure(choice: Choice) -> str:
    took: dict[str, list[Took]] = {database: [] for database in DATABASES}
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        urls = [stack.enter_context(upstream(*delay)) for delay in ((), ("--delay", str(SLOW)))]
        for _ in range(choice.rounds):
            for asked in _plan(*urls, choice):
                for database, runs in took.items():
                    runs.append(_run(asked, postgres if database == "PostgreSQL" else None))
                    print(database, {unit: round(runs[-1][name]) for unit, name in UNITS.items()}, flush=True)
        varied = _run(
            Asked(url=urls[0], folder="", items=choice.amount(ITEMS), shard=SHARD, varied=True), None
        )
    return _write(took, varied, choice)


def _plan(quick: str, slow: str, choice: Choice) -> list[Asked]:
    """Return runs of which each has more of one thing than the first."""
    items, few = choice.amount(ITEMS), choice.amount(10)

    def run(url: str = quick, **more: int) -> Asked:
        return Asked(url=url, folder="", **{"items": items, "shard": SHARD, **more})

    return [
        run(),
        run(items=2 * items, shard=2 * SHARD),
        run(pages=3),
        run(rows=5),
        run(shard=SHARD // 15),
        run(slow),
        run(executions=few, items=1, shard=1),
        run(executions=3 * few, items=1, shard=1),
        *(Asked(url=quick, folder="", executions=0, items=0, shard=0, seconds=idle) for idle in IDLE),
    ]


def _run(asked: Asked, postgres: Postgres | None) -> Took:
    folder = fresh_folder("costs")
    told = msgspec.structs.replace(asked, folder=str(folder), database=postgres.create() if postgres else "")
    before = _look(told.database, postgres)
    found = _ask(told)
    after = _look(told.database, postgres)
    if postgres:
        grown = {name: after[name] - before[name] for name in ("database cpu", "log")}
        grown["kept"] = after["kept"]
        postgres.drop(told.database)
    else:
        kept = sum((folder / name).stat().st_size for name in ("swath.db", "engine.db"))
        objects = sum(found.get(f"{kind} bytes", 0) for kind in KINDS)
        grown = {"kept": kept, "log": found["written"] - objects}
    pages = asked.executions * asked.items * asked.pages
    counted = {"executions": asked.executions, "items": asked.executions * asked.items, "pages": pages}
    nothing = dict.fromkeys(["shards", "checkpoints"], 0.0)
    worked = float(asked.executions > 0)
    return {**nothing, **found, **grown, **counted, "rows": pages * asked.rows, "worked": worked}


def _ask(asked: Asked) -> dict[str, float]:
    command = [sys.executable, "-m", SCRIPT, msgspec.json.encode(asked).decode()]
    with (CACHE / "log").open("wb") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, check=False)
    if done.returncode:
        raise RuntimeError(f"{asked} failed: {(CACHE / 'log').read_text(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=dict[str, float])


def _look(database: str, postgres: Postgres | None) -> dict[str, float]:
    """Return what the server has spent so far, written to its log, and keeps of a database."""
    if postgres is None:
        return {}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        query = "SELECT pg_current_wal_lsn() - '0/0', pg_database_size(current_database())"
        row = connection.execute(query).fetchone()
    assert row is not None
    return {"database cpu": cpu(postgres.pid), "log": float(row[0]), "kept": float(row[1])}


def fit(runs: Sequence[Took], name: str) -> list[float]:
    """Return what one of each unit adds to a measure: the least squares over all runs."""
    counts = np.array([[1.0, *(run[unit] for unit in UNITS.values())] for run in runs])
    found = np.array([run.get(name, 0.0) for run in runs])
    size = np.abs(counts).max(axis=0)  # or a row would count for nothing beside an execution
    # Nearly every second has a checkpoint: what a second costs by itself, only idle runs tell.
    weight = np.array([1.0 if run["worked"] else CERTAIN for run in runs])
    each = np.linalg.lstsq(counts / size * weight[:, None], found * weight, rcond=None)[0] / size
    return [float(one) for one in each[1:]]


def _write(took: Mapping[str, Sequence[Took]], varied: Took, choice: Choice) -> str:
    tables = "\n\n".join(f"{name}:\n\n{_table(runs, FIGURES[name])}" for name, runs in took.items())
    everything = [run for runs in took.values() for run in runs]
    alike = took["SQLite"][0]
    bytes_ = [
        (name, *(f"{run[f'{kind} bytes'] / run['bytes']:.3f}" for kind in KINDS))
        for name, run in (("rows that differ in little", alike), ("rows that differ in all", varied))
    ]
    return f"""## Costs: what an execution consists of

{choice.rounds} rounds of {len(_plan("", "", choice))} runs on either database, one process that does all,
64 requests at a time. Each run has more of one thing than the others; what one of it adds is the least
squares over all runs, so that a page comes on top of its item, and its rows on top of it. A row has 15
columns and 280 bytes. *First work* is that worker processes are started; *a second* what the process does by
itself, above all looking for work. *Transactions* and *statements* are those of our tables and of the durable
engine's together.

{tables}

Objects, on either:

{_table(everything, OBJECTS)}

Bytes of objects for each byte of an answer:

{table(("answers", *KINDS), bytes_)}
"""


def _table(runs: Sequence[Took], figures: Sequence[Figure]) -> str:
    columns = [fit(runs, figure.measure) for figure in figures]
    rows = [
        [
            unit,
            *(
                _number(column[place] * figure.times, figure.digits)
                for column, figure in zip(columns, figures, strict=True)
            ),
        ]
        for place, unit in enumerate(UNITS)
    ]
    return table(["one more", *(figure.title for figure in figures)], rows)


def _number(value: float, digits: int) -> str:
    """Write a number; what is less than the last place is nothing, also below zero."""
    text = f"{value:,.{digits}f}"
    return "0" if not text.strip("-0.,") else text
