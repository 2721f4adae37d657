"""Our tables in one SQLite file: reads inline, writes one after another.

Reads cost less than a change of thread, so they run on the event loop; writes run on one writer thread and
begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would otherwise lose its update
in silence or fail when another one came between.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Concatenate

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from swath.errors import Unavailable
from swath.store.transactions import Database, P, T

#: The durable engine needs what SQLite can do since this version.
OLDEST_SQLITE = (3, 42, 0)
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    "wal_autocheckpoint=2000",
)
#: Half the time of adding a million items is reading and writing index pages anew: the writer keeps 16 MB.
WRITERS_CACHE = "cache_size=-16000"
#: What the disk, and not the statement, is at fault for.
LOCKED = "database is locked"
AILMENTS = ("disk is full", "disk I/O error", LOCKED, "unable to open database file")


def sqlite_module() -> ModuleType:
    """Return the standard library's sqlite3, or the bundled newer one where that is too old."""
    if sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return sqlite3
    import pysqlite3  # noqa: PLC0415 - an optional dependency: only old systems need it

    return pysqlite3  # type: ignore[no-any-return]


class SqliteDatabase(Database):
    """One file, one process."""

    shared = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._writer = _connect(path, "BEGIN IMMEDIATE", StaticPool, *PRAGMAS, WRITERS_CACHE)
        self._reader = _connect(path, "BEGIN", StaticPool, *PRAGMAS)
        self._streams = _connect(path, "BEGIN", NullPool, *PRAGMAS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swath-writer")

    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with _naming_ailments(), self._reader.connect() as connection:
            return story(connection, *args, **kwargs)

    async def write(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self.write_now(story, *args, **kwargs)
        )
        return await asyncio.shield(work)

    def write_now(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with _naming_ailments(), self._writer.begin() as connection:
            return story(connection, *args, **kwargs)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        with self._streams.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _locked_elsewhere(self, thing: str, wait: bool) -> AsyncIterator[bool]:
        yield True

    async def close(self) -> None:
        self._thread.shutdown(wait=True)
        for engine in (self._writer, self._reader, self._streams):
            engine.dispose()


@contextmanager
def _naming_ailments() -> Iterator[None]:
    """Raise Unavailable for what will work again when the disk does."""
    try:
        yield
    except OperationalError as error:
        if any(ailment in str(error.orig) for ailment in AILMENTS):
            raise Unavailable("database", f"It cannot be used: {error.orig}.") from error
        raise


def bear_ailments(path: Path, note: Callable[[], object]) -> None:
    """Have another's engine on the file at `path` take an ailing disk for a lock, which it waits for.

    `note` is called by whichever thread meets it.
    """

    @event.listens_for(Engine, "handle_error", retval=True)
    def soften(context: ExceptionContext) -> BaseException | None:
        told = str(context.original_exception)
        theirs = context.engine is not None and context.engine.url.database == str(path)
        if not theirs or not any(ailment in told for ailment in AILMENTS):
            return None
        note()
        lock = sqlite_module().OperationalError(f"{LOCKED}: {told}")
        return OperationalError(context.statement, None, lock)


def try_disk(path: Path) -> None:
    """Write to the file at `path`, changing nothing. Raises Unavailable where that cannot be done."""
    module = sqlite_module()
    try:
        with closing(module.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 1")
    except module.OperationalError as error:
        raise Unavailable("database", f"It cannot be used: {error}.") from error


def _connect(path: Path, begin: str, pool: type[Any], *pragmas: str) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        module=sqlite_module(),
        poolclass=pool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
