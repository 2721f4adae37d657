"""Wires the parts together: the one place that knows which part needs which."""

import fcntl
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from swath.engine.combine import Combiner
from swath.engine.courier import Courier
from swath.engine.durable import Engine
from swath.engine.fetcher import CERTIFICATE, Fetcher
from swath.engine.frozen import Opened
from swath.engine.guard import Guard
from swath.engine.pacing import Pacer
from swath.engine.times import Clock
from swath.engine.worker import Worker
from swath.errors import SetupError
from swath.operations.context import Context
from swath.operations.users import ensure_admin
from swath.operations.webhooks import tell
from swath.settings import Settings
from swath.store import executions
from swath.store.database import open_database
from swath.store.objects import Objects
from swath.store.vault import open_vault


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Context]:
    """Open everything a server needs, go on with unfinished executions, and drain at the end.

    `clock` is what requests are paced and retried by.
    """
    clock = clock or Clock()
    _configure_logs()
    with hold(settings):
        _clear_scratch(settings.data_dir / "scratch")
        database = open_database(settings.data_dir / "swath.db")
        try:
            await database.write(executions.write_off_attempts)
            vault = open_vault(settings)
            opened = Opened(vault)
            objects = Objects(settings.storage_url or str(settings.data_dir / "objects"))
            fetcher = Fetcher(Guard(settings.allowed_private_hosts), roots=_read_roots(settings.ca_file))
            worker = Worker(
                settings=settings,
                database=database,
                objects=objects,
                opened=opened,
                fetcher=fetcher,
                pacer=Pacer(clock=clock.steady, sleep=clock.sleep),
                clock=clock,
                combiner=Combiner(database, objects, opened, settings.data_dir / "scratch"),
                courier=Courier(database, fetcher, vault, clock, tell(settings.public_url.rstrip("/"))),
            )
            engine = Engine(worker, settings.data_dir)
            context = Context(
                settings=settings, database=database, vault=vault, objects=objects, engine=engine
            )
            if made := await ensure_admin(context):
                print(f"The administrator's token, shown this once: {made}", file=sys.stderr)
            await engine.launch()
            try:
                yield context
            finally:
                await engine.drain()
        finally:
            await database.close()


def _read_roots(path: str) -> bytes | None:
    """Return the certificates of the settings. Raises SetupError where there are none."""
    if not path:
        return None
    try:
        roots = Path(path).read_bytes()
    except OSError as error:
        raise SetupError(f"SWATH_CA_FILE: {path} cannot be read: {error.strerror}.") from None
    if not CERTIFICATE.search(roots):
        raise SetupError(f"SWATH_CA_FILE: {path} holds no certificate in PEM.")
    return roots


def _configure_logs() -> None:
    """Log to standard error, tracebacks without the values of variables: those may be secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Hold the data folder, made where it is missing. Raises SetupError where it cannot be had."""
    if settings.database_url:
        raise SetupError("SWATH_DATABASE_URL: this version keeps its data in SQLite only; unset it.")
    try:
        _prepare_folder(settings.data_dir)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(
            f"The data folder {settings.data_dir} cannot be used: {reason}. Choose another with --data-dir."
        ) from None
    with _only_process(settings.data_dir):
        yield


def _prepare_folder(folder: Path) -> None:
    """Make the data folder, readable by its owner only: it holds answers and sealed secrets."""
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def _clear_scratch(scratch: Path) -> None:
    """Remove what a killed process left; nothing refers to it. Only while the folder is held."""
    for left in scratch.iterdir():
        left.unlink(missing_ok=True)


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Hold the data folder. Raises SetupError where another process holds it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SetupError(
                f"The data folder {folder} is in use by process {lock.read().strip() or 'unknown'}. "
                "Stop that one, or choose another folder with --data-dir."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
