"""The command that makes a formula of what another tool wrote."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, unquote, urljoin

import typer

from swath.cli.failures import Wrong
from swath.cli.options import offer, read_text, write_secret
from swath.cli.screen import say

if TYPE_CHECKING:
    from swath.importers import Folder

Kind = Annotated[
    str,
    typer.Argument(
        help="curl, har, postman, openapi or airbyte.",
        autocompletion=offer("curl", "har", "postman", "openapi", "airbyte"),
    ),
]
Source = Annotated[str, typer.Argument(help="A file or a URL; - is standard input.")]
Out = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the formula.")]
SecretsFile = Annotated[
    Path | None, typer.Option("--secrets", help="Where to write the secrets found, for --secret @FILE.")
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Keep endpoints called so, else with this text in name or address; may be repeated.",
    ),
]
BaseUrl = Annotated[
    str,
    typer.Option(metavar="URL", help="Where the API is, if an OpenAPI document does not say it."),
]


def import_source(
    kind: Kind,
    source: Source,
    output: Out = None,
    secrets: SecretsFile = None,
    only: Only = None,
    base_url: BaseUrl = "",
) -> None:
    """Make a formula of what another tool wrote: a curl command, a HAR, a Postman collection, ..."""
    from swath.flow.formula import read_plain, write_text  # noqa: PLC0415 - the reader takes its time to load
    from swath.importers import KINDS, choose, read  # noqa: PLC0415

    if kind not in KINDS:
        raise Wrong(f"There is no import of {kind!r}; there are: {', '.join(KINDS)}.")
    text, found_at, folder = _obtain(kind, source)
    imported = read(kind, text, base_url, found_at, folder)
    if only:
        imported = choose(imported, only)
    text = write_text(read_plain(imported.formula))
    if output is None:
        print(text, end="")
    else:
        output.write_text(text)
        say(f"Wrote {output}.")
    for note in imported.notes:
        say(f"note: {note}")
    if imported.secrets and secrets is not None:
        _write_secrets(secrets, imported.secrets)
        say(f"Wrote the secrets to {secrets}; use them with --secret @{secrets}, and keep it out of git.")
    elif imported.secrets:
        names = ", ".join(imported.secrets)
        say(f"Secrets were left out: {names}. Keep them with --secrets FILE, or give --secret NAME=VALUE.")


def _obtain(kind: str, source: str) -> tuple[str, str, "Folder | None"]:
    """Return the text of a source, the address that it came from, if any, and its folder. Raises Wrong.

    The address of a request is no place to find one.
    """
    from swath.importers import Folder  # noqa: PLC0415 - see import_source

    if not source.startswith(("http://", "https://")):
        path = Path(source)
        text = read_text(path)
        return text, "", None if source == "-" else Folder(path.name, partial(_read_beside, path.parent))
    if kind == "curl":
        return source, "", None
    text, found_at = _fetch(source)
    address = found_at.partition("#")[0].partition("?")[0]
    return text, found_at, Folder(unquote(address.rpartition("/")[2]), partial(_fetch_beside, address))


def _read_beside(folder: Path, name: str) -> str | None:
    """Return the text of a file in a folder or below it, None where there is none."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):  # by a link
        return None
    try:
        return read_text(path)
    except Wrong:
        return None


def _fetch_beside(address: str, name: str) -> str | None:
    """Return the text of a document in the folder of an address or below it, None where there is none."""
    try:
        return _fetch(urljoin(address, quote(name)))[0]
    except Wrong:
        return None


def _fetch(url: str) -> tuple[str, str]:
    """Return the text at a URL, and its address after redirects. Raises Wrong."""
    import httpx  # noqa: PLC0415 - only who names a URL needs it

    from swath.client.place import is_near  # noqa: PLC0415

    try:
        answer = httpx.get(url, follow_redirects=True, timeout=60, trust_env=not is_near(url))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Wrong(f"{url}: cannot be fetched: {error or type(error).__name__}.") from None
    if answer.status_code != 200:
        raise Wrong(f"{url}: answered {answer.status_code}. Save it, and name the file.")
    if answer.headers.get("content-type", "").startswith("text/html"):
        raise Wrong(f"{url}: answered a web page. Give the address of the document itself.")
    return answer.text, str(answer.url)


def _write_secrets(place: Path, secrets: Mapping[str, str]) -> None:
    """Write a file that only its owner can read."""
    place.unlink(missing_ok=True)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(write_secret(name, value) for name, value in secrets.items())
