"""How DBOS is set up, on a file for one process or on PostgreSQL for one among others."""

import contextlib
import sqlite3
from pathlib import Path

from dbos import DBOSConfig, DBOSPortableJSONSerializer

from swath.store.database import sqlite_module
from swath.store.postgres import ABANDONED_AFTER, OPTIONS

#: Work that was begun under one version is only gone on with under the same; ours never changes by itself.
APPLICATION_VERSION = "1"
#: Where its tables are in a database that is shared.
SCHEMA = "swath_engine"
#: Its connections to PostgreSQL.
CONNECTIONS = 8


def configure(path: Path) -> DBOSConfig:
    """Return how the durable engine works on a file, for the one process there is."""
    own = DBOSConfig(
        system_database_url=f"sqlite:///{path}",
        db_engine_kwargs={"module": sqlite_module()},
        executor_id="embedded",
    )
    return own | _ALWAYS


def configure_shared(url: str, name: str) -> DBOSConfig:
    """Return how it works on a PostgreSQL database, for a process with a name of its own.

    Where that is cut off, its connections end as ours do.
    """
    own = DBOSConfig(
        system_database_url=url,
        # A connection that the server has closed is noticed when it is used, and the work tried again: to ask
        # before each use would double the transactions of a process that only looks for work.
        db_engine_kwargs={"connect_args": dict(OPTIONS), "pool_pre_ping": False},
        sys_db_idle_transaction_timeout_sec=ABANDONED_AFTER,
        dbos_system_schema=SCHEMA,
        sys_db_pool_size=CONNECTIONS,
        executor_id=name,
    )
    return own | _ALWAYS


_ALWAYS = DBOSConfig(
    name="swath",
    application_version=APPLICATION_VERSION,
    serializer=DBOSPortableJSONSerializer(),
    log_level="ERROR",
    enable_otlp=False,
)


def switch_on_wal(path: Path) -> None:
    """Let readers of the engine's database go on while it writes; the file remembers it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
