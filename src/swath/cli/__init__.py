"""The command line: a module per group of commands. What a command needs is loaded when it runs.

Exit codes: 0 succeeded, 1 failed, 2 wrong usage, 3 partially failed.
"""

import sys

import typer

from swath.cli import (
    doctor,
    executions,
    formulas,
    imports,
    local,
    proxies,
    schedules,
    server,
    tokens,
    webhooks,
)
from swath.cli.failures import explain

app = typer.Typer(
    name="swath",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def about() -> None:
    """Lists in, very many similar API requests through proxies, one flat table out."""


for command in (
    local.run,
    server.serve,
    server.worker,
    server.demo,
    formulas.apply,
    formulas.preview,
    executions.trigger,
    executions.status,
    executions.cancel,
    executions.pause,
    executions.resume,
    executions.change,
    executions.retry,
    executions.download,
):
    app.command()(command)
app.command()(doctor.doctor)
app.command("import")(imports.import_source)
app.add_typer(proxies.app, name="proxies")
app.add_typer(tokens.app, name="tokens")
app.add_typer(schedules.app, name="schedules")
app.add_typer(webhooks.app, name="webhooks")


def run() -> None:
    """Run the command line; what a person can mend is said in sentences, without a traceback."""
    try:
        app()
    except Exception as error:
        lines, code = explain(error)
        for line in lines:
            print(f"swath: {line}", file=sys.stderr)
        sys.exit(code)


__all__ = ["app", "run"]
