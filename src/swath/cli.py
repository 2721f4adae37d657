"""The command line."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn
import uvloop

from swath.api.app import build_app
from swath.api.auth import BASE
from swath.bootstrap import check, open_house, spare_collector
from swath.demo.story import tell
from swath.errors import SetupError
from swath.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)

#: Seconds that open answers get to end when the server stops.
GRACE = 5


@app.callback()
def about() -> None:
    """Lists in, very many similar API requests through proxies, one flat table out."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8400,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of all data.")] = None,
    worker: Annotated[bool, typer.Option(help="Work on executions, too; else `swath worker` does.")] = True,
) -> None:
    """Serve the API and work on executions, in one process."""
    settings = Settings.from_environment(data_dir=data_dir)
    if not worker:
        _need_database(settings, "swath serve --no-worker")
    check(settings)
    api = build_app(settings, partial(open_house, work=worker))
    # The page is imported here: no other command, and no process of a worker, is to carry it.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(settings.data_dir / "page"))
    from swath.ui.app import attach  # noqa: PLC0415

    attach(api, below=BASE)
    config = uvicorn.Config(
        api, host=host, port=port, log_level="warning", timeout_graceful_shutdown=GRACE, server_header=False
    )
    server = Announcing(config, settings)
    spare_collector()
    server.run()
    if not server.started:
        raise typer.Exit(1)


@app.command()
def worker(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for what is under way.")] = None,
) -> None:
    """Work on executions beside others, on this machine or another; SIGTERM lets it end cleanly."""
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


@app.command()
def demo(
    page: Annotated[Path | None, typer.Option(help="The documentation page whose program to run.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Folder for the demonstration's data.")] = Path("demo-data"),
) -> None:
    """Run the documented example program against a server, an upstream and proxies of our own."""
    raise typer.Exit(tell(page, data_dir))


def run() -> None:
    """Run the command line; what an operator can mend is said in a sentence, without a traceback."""
    try:
        app()
    except SetupError as error:
        print(f"swath: {error}", file=sys.stderr)
        sys.exit(2)
