"""Commands that keep a process running: serve, worker, demo."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path | None, typer.Option(help="Folder of all data.")]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8400,
    data_dir: DataDir = None,
    worker: Annotated[bool, typer.Option(help="Work on executions, too; else `swath worker` does.")] = True,
) -> None:
    """Serve the API and the web page, and work on executions, in one process."""
    from swath.cli import serving  # noqa: PLC0415 - no other command is to load a server

    if not serving.serve(host, port, data_dir, worker):
        raise typer.Exit(1)


def worker(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for what is under way.")] = None,
) -> None:
    """Work on executions beside others, on this machine or another; SIGTERM lets it end cleanly."""
    from swath.cli import serving  # noqa: PLC0415 - no other command is to load a server

    serving.work(data_dir)


def demo(
    page: Annotated[Path | None, typer.Option(help="The documentation page whose program to run.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Folder for the demonstration's data.")] = Path("demo-data"),
) -> None:
    """Run the documented example program against a server, an upstream and proxies of our own."""
    from swath.demo.story import tell  # noqa: PLC0415 - no other command is to load the demonstration

    raise typer.Exit(tell(page, data_dir))
