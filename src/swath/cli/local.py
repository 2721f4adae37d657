"""The command that runs a formula on this machine, without a server."""

from pathlib import Path
from typing import Annotated

import typer

from swath.cli.options import (
    Archive,
    AsJson,
    Compression,
    Errors,
    Format,
    MaxRequests,
    Params,
    ProxyWish,
    Secrets,
    Which,
    WorkflowName,
    read_which,
)

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "-i", metavar="VARIABLE=@FILE[:COLUMN]", help="A variable's list, or VARIABLE=a,b."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder of the files; - writes the first to standard output."),
]


def run(
    file: Annotated[Path, typer.Argument(help="The formula, YAML or JSON; - is standard input.")],
    workflow: WorkflowName = None,
    param: Params = None,
    input: Inputs = None,
    secret: Secrets = None,
    max_requests: MaxRequests = None,
    format: Format = "csv",
    compression: Compression = None,
    archive: Archive = False,
    out: Out = None,
    proxy: ProxyWish = None,
    allow_private: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A private host or network it may ask.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of what is under way; else below .swath.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever was under way.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Fetch again only what failed last time.")] = False,
    which: Which = None,
    error: Errors = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what goes wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a formula without a server. Ctrl-C pauses it; the same command goes on.

    Exit codes: 0 succeeded, 1 failed, 2 wrong usage, 3 partially failed, 130 paused.
    """
    from swath.cli.jobs import Job, Place  # noqa: PLC0415 - the reader of formulas takes its time to load

    job = Job.read(
        file,
        workflow=workflow,
        params=param,
        inputs=input,
        secrets=secret,
        max_requests=max_requests,
        file_format=format,
        compression=compression,
        archive=archive,
        proxy=proxy,
        ask=not (quiet or as_json),
    )
    place = Place(
        out=out,
        data_dir=data_dir,
        allowed=tuple(allow_private or ()),
        fresh=fresh,
        retry=retry or bool(which) or bool(error),
        which=read_which(which),
        errors=tuple(error or ()),
        quiet=quiet or as_json,
        as_json=as_json,
    )
    from swath.cli import running  # noqa: PLC0415 - the engine even more; mistakes are told without it

    raise typer.Exit(running.run(job, place))
