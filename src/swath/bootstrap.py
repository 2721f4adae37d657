"""Wires the parts together: the one place that knows which part needs which."""

import asyncio
import fcntl
import gc
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import structlog

from swath.engine.combine import Combiner
from swath.engine.courier import Courier
from swath.engine.desk import Desk
from swath.engine.durable import Engine
from swath.engine.fetcher import CERTIFICATE, Fetcher
from swath.engine.frozen import Opened
from swath.engine.guard import Guard
from swath.engine.heap import keep_small
from swath.engine.pacing import Pacer
from swath.engine.tasks import end
from swath.engine.times import Clock
from swath.engine.worker import Worker
from swath.errors import SetupError
from swath.operations.chains import follow
from swath.operations.context import Context
from swath.operations.retention import keep_tidy
from swath.operations.timetable import keep_time
from swath.operations.users import ensure_admin
from swath.operations.webhooks import tell
from swath.settings import Settings
from swath.store import executions
from swath.store.database import answers, open_database
from swath.store.objects import Objects
from swath.store.postgres import PostgresDatabase
from swath.store.vault import open_vault

#: Seconds after which a file in a scratch folder that processes share is nobody's any more.
LEFT_ALONE = 2 * 86_400.0


def spare_collector() -> None:
    """Have rings of garbage looked for more seldom, and never among what is loaded: answers hold none."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@asynccontextmanager
async def open_house(
    settings: Settings, clock: Clock | None = None, *, work: bool = True
) -> AsyncIterator[Context]:
    """Open everything a server needs, go on with unfinished executions, and drain at the end.

    `clock` is what requests are paced and retried by. Where others do the `work`, this process takes none.
    """
    clock = clock or Clock()
    _configure_logs()
    keep_small()
    with hold(settings):
        vault = open_vault(settings)
        database = open_database(settings.database_url or settings.data_dir / "swath.db")
        try:
            if not database.shared:
                await database.write(executions.write_off_attempts)
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
                combiner=Combiner(database, objects, opened, settings.data_dir / "scratch", follow(vault)),
                courier=Courier(database, fetcher, vault, clock, tell(settings.public_url)),
            )
            engine = Engine(worker) if work else Desk(worker)
            context = Context(
                settings=settings,
                database=database,
                vault=vault,
                objects=objects,
                engine=engine,
                clock=clock,
            )
            if made := await ensure_admin(context):
                print(f"The administrator's token, shown this once: {made}", file=sys.stderr)
            await engine.launch()
            kept = [keep_time, keep_tidy] if work else [keep_time]
            duties = [asyncio.create_task(keep(context)) for keep in kept]
            try:
                yield context
            finally:
                for duty in duties:
                    await end(duty)
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


def check(settings: Settings) -> None:
    """Raise SetupError, in a sentence, for what would keep a process from starting."""
    with hold(settings):
        if settings.database_url:
            open_vault(settings)
            PostgresDatabase(settings.database_url).write_now(answers)


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
    """Hold the data folder, made where it is missing. Raises SetupError where it cannot be had.

    Where the data are in PostgreSQL the folder holds only what can be lost, and processes may share it.
    """
    try:
        _prepare_folder(settings.data_dir)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(
            f"The data folder {settings.data_dir} cannot be used: {reason}. Choose another with --data-dir."
        ) from None
    scratch = settings.data_dir / "scratch"
    if settings.database_url:
        _clear_scratch(scratch, time.time() - LEFT_ALONE)
        yield
    else:
        with _only_process(settings.data_dir):
            _clear_scratch(scratch, time.time())
            yield


def _prepare_folder(folder: Path) -> None:
    """Make the data folder, readable by its owner only: it holds answers, the token and sealed secrets.

    One that is made here is out of sight of git: people keep formulas in the folder around it.
    """
    is_new = not folder.exists()
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if is_new:
        (folder / ".gitignore").write_text("*\n")


def _clear_scratch(scratch: Path, before: float) -> None:
    """Remove what a killed process left, untouched since `before`; nothing refers to it."""
    for left in scratch.iterdir():
        with suppress(FileNotFoundError):  # others may clear it, too
            if left.stat().st_mtime < before:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


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
