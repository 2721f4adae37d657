"""Our tables in PostgreSQL, worked on by many processes at once.

Writes are serializable: PostgreSQL lets none through that read what another has changed since, and such a
one is told again. So the stories need no locks of their own, and are as exact as on one writer's SQLite.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from hashlib import sha256
from typing import Any, Concatenate

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from swath.errors import SetupError, Unavailable
from swath.store.nul import bear_nul
from swath.store.transactions import Database, P, T
from swath.store.vigil import Vigil

#: SQLSTATEs of a transaction that came to nothing because of others, and may be told again.
OVERTAKEN = ("40001", "40P01")
#: SQLSTATE of a transaction that the server has ended because its client asked nothing more.
ABANDONED = "25P03"
#: Connections that one process keeps, and how many more it opens under load.
KEPT, MORE = 8, 8
#: Seconds to wait for a connection, for the server to accept it, and between looks at a held lock.
PATIENCE, CONNECT_WITHIN, LOOK_EVERY = 20, 5, 0.1
#: Seconds by which two stories that met are kept apart: they grow with each meeting.
FIRST_WAIT, LONGEST_WAIT = 0.004, 0.25
#: Where processes tell each other what has changed.
CHANNEL = "swath"
#: Seconds after which the server ends a transaction that is open and asks nothing: its client is cut off, and
#: what it has locked would stop all others.
ABANDONED_AFTER = 10
#: Makes a transaction that locks nothing an exception to that.
PATIENT = "SET LOCAL idle_in_transaction_session_timeout = 0"
#: Seconds of silence until either end asks the other for a sign of life, and between such questions; how many
#: remain unanswered; and seconds after which what was sent counts as lost.
IDLE, INTERVAL, COUNT, LOST_AFTER = 10, 5, 3, 20
#: How soon a connection is known to be lost where the network just falls silent: here, and at the server.
OPTIONS: dict[str, Any] = {
    "connect_timeout": CONNECT_WITHIN,
    "keepalives_idle": IDLE,
    "keepalives_interval": INTERVAL,
    "keepalives_count": COUNT,
    "tcp_user_timeout": LOST_AFTER * 1000,
}
#: Said once a connection is there and not as it is made, for poolers refuse that.
SERVER_SETTINGS = "; ".join(
    f"SET {name} = '{value}'"
    for name, value in {
        "idle_in_transaction_session_timeout": f"{ABANDONED_AFTER}s",
        "tcp_keepalives_idle": IDLE,
        "tcp_keepalives_interval": INTERVAL,
        "tcp_keepalives_count": COUNT,
        "tcp_user_timeout": f"{LOST_AFTER}s",
    }.items()
)


class PostgresDatabase(Database):
    """A database on a server; its connections are opened when first needed."""

    shared = True

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = read_url(url)
        self._vigil = Vigil(self._answers)
        pool = {"pool_size": KEPT, "max_overflow": MORE, "pool_timeout": PATIENCE, "pool_recycle": 1800}
        engine = self._engine = self._connect(**pool)
        self._writer = engine.execution_options(isolation_level="SERIALIZABLE")
        self._alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._locks_engine = self._connect(poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._plain = create_engine(self.url, poolclass=NullPool, connect_args=dict(OPTIONS))
        event.listen(self._plain, "connect", _prepare)
        self._writing: set[asyncio.Task[Any]] = set()

    def _connect(self, **options: Any) -> AsyncEngine:
        engine = create_async_engine(self.url, connect_args=dict(OPTIONS), use_native_hstore=False, **options)
        event.listen(engine.sync_engine, "connect", _prepare)
        self._vigil.watch(engine)
        return engine

    async def _answers(self) -> bool:
        """Tell whether the server answers; also by a refusal."""
        try:
            await (await self._open()).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:
            return True
        return True

    async def _open(self) -> psycopg.AsyncConnection:
        """Open a connection of its own."""
        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await psycopg.AsyncConnection.connect(address, autocommit=True, **OPTIONS)

    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async def tell() -> T:
            with _naming_outages():
                async with self._reader.connect() as connection:
                    return await connection.run_sync(story, *args, **kwargs)

        try:
            return await tell()
        except Unavailable:  # perhaps only a connection that the server has closed since
            return await tell()

    async def write(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async def tell() -> T:
            async with self._writer.begin() as connection:
                return await connection.run_sync(story, *args, **kwargs)

        work = asyncio.ensure_future(_retell(tell))
        self._writing.add(work)
        work.add_done_callback(self._writing.discard)
        return await asyncio.shield(work)

    async def act(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async def tell() -> T:
            async with self._alone.connect() as connection:
                return await connection.run_sync(story, *args, **kwargs)

        return await _retell(tell)

    def write_now(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            with self._plain.begin() as connection:
                return story(connection, *args, **kwargs)
        except OperationalError as error:
            if _is_outage(error):
                raise SetupError(
                    f"The database cannot be reached: {str(error.orig).splitlines()[0]}."
                ) from None
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with ExitStack() as stack:
            with _naming_outages():
                connection = stack.enter_context(self._plain.execution_options(**options).connect())
                connection.exec_driver_sql(PATIENT)  # a client may take what is read as slowly as it likes
            try:
                yield connection
            except DBAPIError as error:
                if _is_outage(error):
                    raise _unavailable() from error
                raise

    @asynccontextmanager
    async def _locked_elsewhere(self, thing: str, wait: bool) -> AsyncIterator[bool]:
        """Hold an advisory lock of the server for as long as a connection of its own lives."""
        key = int.from_bytes(sha256(thing.encode()).digest()[:8], "big", signed=True)
        attempt = select(func.pg_try_advisory_lock(key))
        async with AsyncExitStack() as stack:
            with _naming_outages():
                connection = await stack.enter_async_context(self._locks_engine.connect())
                while not (held := bool(await connection.scalar(attempt))) and wait:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_EVERY)  # no event is told to this process
            yield held

    async def announce(self, text: str) -> None:
        await self.act(lambda connection: connection.execute(select(func.pg_notify(CHANNEL, text))))

    async def announcements(self) -> AsyncIterator[str]:
        with _naming_outages():
            async with await self._open() as connection:
                await connection.execute(f"{SERVER_SETTINGS}; LISTEN {CHANNEL}")
                async for notice in connection.notifies():
                    yield notice.payload

    async def close(self) -> None:
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._engine.dispose()
        self._plain.dispose()


def read_url(url: str) -> URL:
    """Return what to connect to. Raises SetupError for anything but PostgreSQL."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise SetupError("SWATH_DATABASE_URL: this is no address of a database.") from None
    if found.get_backend_name() not in ("postgresql", "postgres"):
        raise SetupError(
            "SWATH_DATABASE_URL must begin with postgresql://; leave it empty to keep the data in SQLite."
        )
    return found.set(drivername="postgresql+psycopg")


def _prepare(connection: Any, record: Any) -> None:
    bear_nul(record.driver_connection)
    connection.cursor().execute(SERVER_SETTINGS)
    connection.commit()


async def _retell(tell: Callable[[], Awaitable[T]]) -> T:
    """Tell a story again for as long as others come between."""
    wait = FIRST_WAIT
    while True:
        try:
            with _naming_outages():
                return await tell()
        except DBAPIError as error:
            if sqlstate(error) not in OVERTAKEN:
                raise
        await asyncio.sleep(random.uniform(0, wait))
        wait = min(2 * wait, LONGEST_WAIT)


@contextmanager
def _naming_outages() -> Iterator[None]:
    """Raise Unavailable for what will work again when the server does."""
    try:
        yield
    except (DBAPIError, PoolExhausted) as error:
        if _is_outage(error):
            raise _unavailable() from error
        raise
    except (OSError, psycopg.OperationalError) as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("database", "It does not answer; try again in a moment.")


def _is_outage(error: DBAPIError | PoolExhausted) -> bool:
    if isinstance(error, PoolExhausted) or error.connection_invalidated:
        return True
    state = sqlstate(error)
    if state == ABANDONED:
        return True
    # 08: connections; 53: disk, memory, connections used up; 57P: the server stops or starts.
    return isinstance(error.orig, psycopg.OperationalError) and (
        not state or state[:2] in ("08", "53") or state[:3] == "57P"
    )


def sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
