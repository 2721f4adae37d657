"""What each kind of process costs while there is nothing to do, itself and in the database that all share."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
from tests.postgres import Postgres

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.processes import cpu, sizes
from benchmarks.report import table
from benchmarks.served import serve, work

#: Seconds that are looked at, after so many that a process is given to begin.
SECONDS, BEFORE = 20.0, 4.0
#: pg_stat_statements keeps what the server was asked.
SETTING = "shared_preload_libraries=pg_stat_statements"


def measure(choice: Choice) -> str:
    seconds = SECONDS * choice.scale
    with Postgres(SETTING) as postgres:
        rows = [
            _row("swath serve, SQLite", serve, None, seconds),
            _row("swath serve --no-worker, PostgreSQL", _desk, postgres, seconds),
            _row("swath worker, PostgreSQL", work, postgres, seconds),
        ]
    head = ("a second of", "CPU ms", "the database's CPU ms", "transactions", "statements", "MiB")
    return f"""## Idle: what a second costs in which nothing happens

Over {seconds:.0f} s, without executions or clients; what the database does is counted by itself
(`pg_stat_statements`, `pg_stat_database`), beginnings and ends of transactions as statements, too.

{table(head, rows)}
"""


def _desk(folder: Path, **shared: str) -> AbstractContextManager[object]:
    return serve(folder, "--no-worker", **shared)


def _row(
    name: str, start: Callable[..., AbstractContextManager[object]], postgres: Postgres | None, seconds: float
) -> list[str]:
    shared = {}
    if postgres:
        shared = {"SWATH_DATABASE_URL": postgres.create(), "SWATH_SECRET_KEY": "k", "SWATH_TOKEN": "t" * 20}
    with start(fresh_folder("idle"), **shared) as started:
        pid = started if isinstance(started, int) else started.pid
        time.sleep(BEFORE)
        before, counts = [cpu(pid), cpu(postgres.pid) if postgres else 0.0], [0, 0]
        with _counting(shared.get("SWATH_DATABASE_URL"), counts):
            time.sleep(seconds)
        after = [cpu(pid), cpu(postgres.pid) if postgres else 0.0]
        size = sum(sizes(pid))
    spent = [(late - early) / seconds * 1e3 for early, late in zip(before, after, strict=True)]
    counted = [f"{count / seconds:.1f}" for count in counts] if postgres else ["", ""]
    return [name, f"{spent[0]:.1f}", f"{spent[1]:.1f}" if postgres else "", *counted, f"{size:.0f}"]


@contextmanager
def _counting(database: str | None, counts: list[int]) -> Iterator[None]:
    """Count the transactions and statements of a database until the block ends; of none, nothing."""
    if database is None:
        yield
        return
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute("SELECT pg_stat_statements_reset()")
        before = _transactions(connection)
        yield
        time.sleep(1.0)  # statistics of transactions are told with some delay
        counts[:] = _transactions(connection) - before, _statements(connection)


def _transactions(connection: psycopg.Connection) -> int:
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _statements(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT sum(calls) FROM pg_stat_statements").fetchone()
    assert row is not None
    return int(row[0])
