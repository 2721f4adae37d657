"""`swath doctor`: is all well with the data?"""

import asyncio
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swath.cli.failures import FAILED
from swath.cli.options import AsJson
from swath.cli.screen import print_json
from swath.settings import Settings


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of all data.")] = None,
    deep: Annotated[
        bool, typer.Option(help="Read every segment and file, and all of the database; look for orphans.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check all that is kept and who works on it; say what is wrong and what to do, and exit with 1 then."""
    is_well = asyncio.run(_examine(Settings.from_environment(data_dir=data_dir), deep, as_json))
    sys.stdout.flush()
    # At once: threads of the storage's client may still let go of what they held for Python, and amid the
    # interpreter's end that aborts the process.
    os._exit(0 if is_well else FAILED)


async def _examine(settings: Settings, deep: bool, as_json: bool) -> bool:
    from swath.operations.doctor import examine  # noqa: PLC0415 - help and completion need no database

    found = []
    async for finding in examine(settings, deep=deep):
        found.append(finding)
        if as_json:
            continue
        print(f"{'ok  ' if finding.well else 'BAD '} {finding.subject}: {finding.told}")
        if finding.advice:
            print(f"     {finding.advice}")
    if as_json:
        print_json([asdict(finding) for finding in found])
    return all(finding.well for finding in found)
