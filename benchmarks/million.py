"""What an execution of a million requests leaves behind and has taken, on either database."""

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from tests.postgres import Postgres

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.processes import cpu
from benchmarks.report import table
from benchmarks.served import serve, work
from benchmarks.whole_way import ROWS, upstream

COUNT = 1_000_000
#: Tables of which each has something for every item, shard or checkpoint; the others are told together.
TABLES = ("items", "shards", "frames", "paces")
KINDS = ("inputs", "segments", "parts", "results")


def measure(choice: Choice) -> str:
    count = choice.amount(COUNT)
    seen = {"SQLite": _on_sqlite(count), "PostgreSQL": _on_postgresql(count)}
    names = list(dict.fromkeys(name for figures in seen.values() for name in figures))
    rows = [[name, *(_write(figures.get(name)) for figures in seen.values())] for name in names]
    return f"""## A million: what {count:,} requests take and leave

`swath serve` with SQLite; `swath serve --no-worker` and one `swath worker` with PostgreSQL; {ROWS} rows a
request, 64 at a time, one CSV. *Kept* is at the end, all of the durable engine's rows included.

{table(("", *seen), rows)}
"""


def _write(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _on_sqlite(count: int) -> dict[str, float]:
    folder = fresh_folder("million")
    with upstream() as url, serve(folder) as served:
        workflow, before = served.define(url, count), cpu(served.pid)
        shown, seconds = served.execute(workflow, count * ROWS)
        spent = cpu(served.pid) - before
    sizes = {name: float((folder / f"{name}.db").stat().st_size) for name in ("swath", "engine")}
    return {
        "seconds from trigger to file": seconds,
        "CPU s of Swath": spent,
        "KB kept in our tables": sizes["swath"] / 1e3,
        "KB kept in the durable engine's": sizes["engine"] / 1e3,
        **_objects(folder, shown),
    }


def _on_postgresql(count: int) -> dict[str, float]:
    folder = fresh_folder("million")
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres("max_wal_size=4GB"))
        database, url = postgres.create(), stack.enter_context(upstream())
        shared = {"SWATH_DATABASE_URL": database, "SWATH_SECRET_KEY": "k", "SWATH_TOKEN": secrets.token_hex()}
        served = stack.enter_context(serve(folder, "--no-worker", **shared))
        worker = stack.enter_context(work(folder, **shared))
        workflow = served.define(url, count)
        before = [cpu(worker), cpu(postgres.pid), *_log(database)]
        shown, seconds = served.execute(workflow, count * ROWS)
        after = [cpu(worker), cpu(postgres.pid), *_log(database)]
        kept = _sizes(database)
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return {
        "seconds from trigger to file": seconds,
        "CPU s of Swath": spent[0],
        "CPU s of the database": spent[1],
        "transactions": spent[3],
        "KB of the database's log": spent[2] / 1e3,
        **kept,
        **_objects(folder, shown),
    }


def _log(database: str) -> tuple[float, float]:
    """Return the bytes of the server's log so far, and the transactions of a database."""
    query = """
        SELECT pg_current_wal_lsn() - '0/0', xact_commit + xact_rollback
        FROM pg_stat_database WHERE datname = current_database()
    """
    with psycopg.connect(database) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def _sizes(database: str) -> dict[str, float]:
    """Return the KB of our tables with their indexes, and of the durable engine's."""
    query = "SELECT schemaname, relname, pg_total_relation_size(relid) / 1e3 FROM pg_stat_user_tables"
    with psycopg.connect(database) as connection:
        found = connection.execute(query).fetchall()
    ours = {name: float(size) for schema, name, size in found if schema != "swath_engine"}
    kept = {f"KB kept in {name}": ours.pop(name) for name in TABLES}
    engine = sum(float(size) for schema, _, size in found if schema == "swath_engine")
    return {
        **kept,
        "KB kept in our other tables": sum(ours.values()),
        "KB kept in the durable engine's": engine,
    }


def _objects(folder: Path, shown: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {"KB of answers": shown["counters"]["bytes"] / 1e3}
    for kind in KINDS:
        sizes = [path.stat().st_size for path in (folder / "objects" / kind).rglob("*") if path.is_file()]
        found[f"{kind}: objects"] = len(sizes)
        found[f"{kind}: KB"] = sum(sizes) / 1e3
    return found
