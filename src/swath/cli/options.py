"""Options that several commands have, and how their values are read."""

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from swath.cli.failures import Wrong

Json = Any

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", metavar="NAME=VALUE", help="An execution parameter; a list as JSON: a=[1,2]."
    ),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=VALUE",
        help="A secret's value; @FILE reads lines of NAME=VALUE. Else SWATH_SECRET_NAME of the environment.",
    ),
]
WorkflowName = Annotated[str | None, typer.Option("--workflow", "-w", help="Which workflow of the formula.")]
ProxyWish = Annotated[
    str | None, typer.Option(metavar="WISH", help="A URL, or TYPE[:LOCATION], such as dedicated:nyc.")
]
MaxRequests = Annotated[int | None, typer.Option(min=1, help="Send at most so many requests.")]
#: What a shell offers for these options.
FORMATS = ("csv", "json", "jsonl", "parquet", "xlsx")
COMPRESSIONS = ("none", "gzip", "zstd")


def offer(*values: str) -> Callable[[str], list[str]]:
    """Return what completes an option's value among these."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


Format = Annotated[
    str,
    typer.Option("--format", "-f", help="csv, json, jsonl, parquet or xlsx.", autocompletion=offer(*FORMATS)),
]
Compression = Annotated[
    str | None,
    typer.Option(
        help="Compress the files: gzip or zstd; none is the default.", autocompletion=offer(*COMPRESSIONS)
    ),
]
Archive = Annotated[bool, typer.Option("--archive", help="Make one more file, a ZIP archive of all.")]
Which = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOW",
        help="What to fetch again: failed (default), partial, limited; may be repeated.",
        autocompletion=offer("failed", "partial", "limited"),
    ),
]
Errors = Annotated[
    list[str] | None,
    typer.Option("--error", metavar="CODE", help="Only what failed with this error code; may be repeated."),
]
#: What a retry can choose by.
ENDS = ("failed", "partial", "limited")

PREFIX = "SWATH_SECRET_"


def read_pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """Return NAME=VALUE options by name."""
    pairs = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise Wrong(f"{option} {each!r}: write NAME=VALUE.")
        pairs[name] = value
    return pairs


def read_params(given: Iterable[str] | None) -> dict[str, Json]:
    """Return execution parameters: what begins like a list, an object or a text of JSON is read as such."""
    return {name: _read_value(name, text) for name, text in read_pairs("--param", given).items()}


def _read_value(name: str, text: str) -> Json:
    if text in ("true", "false", "null"):
        return json.loads(text)
    if text[:1] not in ("[", "{", '"'):
        return text  # numbers, too: 007 and 1.10 are what they are
    try:
        return json.loads(text)
    except ValueError as error:
        raise Wrong(f"--param {name}: looks like JSON, but is not: {error}.") from None


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """Secrets as they were given: one by one, and in files, which may hold those of several formulas."""

    named: Mapping[str, str] = field(default_factory=dict, repr=False)
    filed: Mapping[str, str] = field(default_factory=dict, repr=False)

    def of(self, names: Collection[str]) -> dict[str, str]:
        """Return what was named, and of the files what has one of these names."""
        return {**{name: value for name, value in self.filed.items() if name in names}, **self.named}


def read_secrets(given: Iterable[str] | None) -> GivenSecrets:
    """Return the secrets that were given as options. Raises Wrong."""
    options = list(given or ())
    lines = [line for each in options if each[:1] == "@" for line in read_text(Path(each[1:])).split("\n")]
    filed = read_pairs("--secret", [line.removesuffix("\r") for line in lines if line.strip()])
    return GivenSecrets(
        read_pairs("--secret", [each for each in options if each[:1] != "@"]),
        {name: _unquoted(value) for name, value in filed.items()},
    )


def write_secret(name: str, value: str) -> str:
    """Return a secret as a line of a file; one that a line does not hold as it is in quotes, as JSON."""
    is_plain = value == value.strip() and value.isprintable() and value[:1] != '"'
    return f"{name}={value if is_plain else json.dumps(value)}\n"


def _unquoted(text: str) -> str:
    try:
        value = json.loads(text) if text[:1] == '"' else text
    except ValueError:
        return text
    return str(value)


def find_secrets(
    missing: Iterable[str], environment: Mapping[str, str] = os.environ, *, ask: bool = False
) -> dict[str, str]:
    """Return values for missing secrets: from the environment or, at a terminal, from who sits there."""
    found = {}
    for name in missing:
        variable = name.rpartition(".")[2]
        value = environment.get(PREFIX + variable.upper().replace("-", "_"))
        if value is None and ask and sys.stdin.isatty():
            value = typer.prompt(
                f"Value of the secret {name}", hide_input=True, default="", show_default=False
            )
        if value:
            found[name] = value
    return found


def read_proxy(wish: str | None) -> dict[str, str] | None:
    """Return the proxy of an execution: `{"type", "location"}`, or of a URL `{"type": "custom", "url"}`."""
    if wish is None:
        return None
    kind, _, location = wish.partition(":")
    if kind in ("shared", "dedicated"):
        return {"type": kind, **({"location": location} if location else {})}
    return {"type": "custom", "url": wish}


def read_which(given: Iterable[str] | None) -> tuple[str, ...]:
    """Return which items are to be fetched again. Raises Wrong for what is no such way to end."""
    for each in given or ():
        if each not in ENDS:
            raise Wrong(f"--which {each}: must be one of {', '.join(ENDS)}.")
    return tuple(given or ())


def pick_items(failures: Iterable[Mapping[str, Json]], codes: Iterable[str]) -> list[int]:
    """Return the items that failed with one of these error codes. Raises Wrong where none did."""
    found, wanted = list(failures), set(codes)
    items = [int(each["item"]) for each in found if each["error_code"] in wanted]
    if not items:
        known = ", ".join(sorted({each["error_code"] for each in found})) or "none"
        raise Wrong(f"--error: no item failed so; the error codes are: {known}.")
    return items


def read_text(path: Path) -> str:
    """Return a file's text; `-` is standard input."""
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Wrong(f"{path}: is no text in UTF-8.") from None
