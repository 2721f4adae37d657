"""Where SQL runs: reads inline, writes one after another, each in a transaction of its own.

On SQLite reads cost less than a change of thread, so they run on the event loop; writes run on one
writer thread and begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would
otherwise lose its update in silence or fail when another one came between.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Row, Table, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool, StaticPool

__all__ = ["Connection", "Database", "Row", "migrate", "open_database", "sqlite_module", "upsert"]

P = ParamSpec("P")
T = TypeVar("T")

#: The durable engine needs what SQLite can do since this version.
OLDEST_SQLITE = (3, 42, 0)
MIGRATIONS = Path(__file__).parent / "migrations"
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    # Half the time of adding a million items is reading and writing index pages anew: keep 16 MB of them.
    "cache_size=-16000",
    "wal_autocheckpoint=2000",
)


def sqlite_module() -> ModuleType:
    """Return the standard library's sqlite3, or the bundled newer one where that is too old."""
    if sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return sqlite3
    import pysqlite3  # noqa: PLC0415 - an optional dependency: only old systems need it

    return pysqlite3  # type: ignore[no-any-return]


class Database:
    """Our tables in one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _connect(path, "BEGIN IMMEDIATE", StaticPool)
        self._reader = _connect(path, "BEGIN", StaticPool)
        self._streams = _connect(path, "BEGIN", NullPool)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swath-writer")

    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` on the loop, in a read transaction: it must be quick and change nothing."""
        with self._reader.connect() as connection:
            return story(connection, *args, **kwargs)

    async def write(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` on the writer thread in one transaction, committed when it returns.

        The transaction goes on to its end when the caller is cancelled; the caller learns it then.
        """
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self.write_now(story, *args, **kwargs)
        )
        return await asyncio.shield(work)

    def write_now(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` in one transaction on this thread; only while nothing else writes (start, tests)."""
        with self._writer.begin() as connection:
            return story(connection, *args, **kwargs)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection of its own whose reads all see the same moment, however long it is held."""
        with self._streams.connect() as connection:
            yield connection

    @contextmanager
    def stream(self) -> Iterator["Stream"]:
        """Give a snapshot that is read on a thread of its own, for as long as a slow client takes."""
        held = self.snapshot()
        stream = Stream(held.__enter__())
        try:
            yield stream
        finally:
            stream.end(lambda: held.__exit__(None, None, None))

    def close(self) -> None:
        """Wait for the last write, then let go of the file."""
        self._thread.shutdown(wait=True)
        for engine in (self._writer, self._reader, self._streams):
            engine.dispose()


class Stream:
    """A connection whose reads all see the same moment, and leave the loop free.

    Reads and the end go through one thread, one after another: when a client leaves in the middle of a read,
    nobody waits for that read any more, and the connection must not be closed under it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swath-stream")

    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: story(self._connection, *args, **kwargs)
        )

    def end(self, close: Callable[[], object]) -> None:
        """Close behind the last read, without waiting for it."""
        self._thread.submit(close)
        self._thread.shutdown(wait=False)


def open_database(path: Path) -> Database:
    """Open the database of the data folder, migrated to the newest schema."""
    database = Database(path)
    migrate(database)
    return database


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema forward to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def upgrade(connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    database.write_now(upgrade)


def answers(connection: Connection) -> bool:
    """Ask the database for nothing but an answer."""
    return connection.execute(select(1)).scalar() == 1


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> Any:
    """Return an insert of the connected database's kind that can go on with `on_conflict_do_update`."""
    kinds: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    return kinds[connection.dialect.name](table).values(dict(values))


def _connect(path: Path, begin: str, pool: type[Any]) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        module=sqlite_module(),
        poolclass=pool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
