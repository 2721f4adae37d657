"""`swath doctor`: is all well with the data?"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from swath.settings import Settings


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of all data.")] = None,
    deep: Annotated[bool, typer.Option(help="Read every segment, and all of the database.")] = False,
) -> None:
    """Check disk, database, storage and segments, and say what is wrong and what to do. Exits with 1 then."""
    if not asyncio.run(_examine(Settings.from_environment(data_dir=data_dir), deep)):
        raise typer.Exit(1)


async def _examine(settings: Settings, deep: bool) -> bool:
    from swath.operations.doctor import examine  # noqa: PLC0415 - help and completion need no database

    well = True
    async for finding in examine(settings, deep=deep):
        well = well and finding.well
        print(f"{'ok  ' if finding.well else 'BAD '} {finding.subject}: {finding.told}")
        if finding.advice:
            print(f"     {finding.advice}")
    return well
