"""What `swath serve` and `swath worker` do."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
import uvloop

from swath.api.app import build_app
from swath.api.auth import BASE
from swath.bootstrap import check, open_house, spare_collector
from swath.errors import SetupError
from swath.settings import Settings

#: What the page's framework imports where it is there, for clients of its own: 12 MB that no server needs.
CLIENTS_OF_THE_PAGE = ("aiohttp", "requests")
#: Seconds that open answers get to end when the server stops.
GRACE = 5
#: Seconds that a connection stays open on which nothing is asked: longer than clients keep it, or they would
#: ask now and then on one that ends at that moment.
IDLE = 75


def serve(host: str, port: int, data_dir: Path | None, worker: bool) -> bool:
    """Serve until told to stop; return whether it came so far. Raises SetupError."""
    settings = Settings.from_environment(data_dir=data_dir)
    if not worker:
        _need_database(settings, "swath serve --no-worker")
    check(settings)
    api = build_app(settings, partial(open_house, work=worker))
    # The page is imported here: no other command, and no process of a worker, is to carry it.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(settings.data_dir / "page"))
    with hidden(*CLIENTS_OF_THE_PAGE):
        from swath.ui.app import attach  # noqa: PLC0415

    attach(api, below=BASE)
    config = uvicorn.Config(
        api,
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=IDLE,
        server_header=False,
    )
    server = Announcing(config, settings)
    spare_collector()
    server.run()
    return server.started


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let some modules seem not to be installed, unless they are loaded already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def work(data_dir: Path | None) -> None:
    """Work on executions until told to stop. Raises SetupError."""
    settings = Settings.from_environment(data_dir=data_dir)
    _need_database(settings, "swath worker")
    check(settings)
    spare_collector()
    uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings) as context:
        print(f"Swath works as {context.engine.name} (scratch in {settings.data_dir})", flush=True)
        await stop.wait()


def _need_database(settings: Settings, command: str) -> None:
    if not settings.database_url:
        raise SetupError(
            f"{command} is for many processes, which SQLite does not allow: "
            "set SWATH_DATABASE_URL to a PostgreSQL database that all of them use."
        )


class Announcing(uvicorn.Server):
    """A server that says where it is once it can be reached."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a stop that was asked for is no failure, so the signal is not raised again."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            print(f"Swath serves http://{host}:{port} (data in {self._settings.data_dir})", flush=True)
            if not self._settings.token:
                print(f"The token is in {self._settings.data_dir / 'token'}", flush=True)
