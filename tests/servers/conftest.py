"""A Swath server, and the servers of others, each started once and only when a test wants it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.server import Server
from tests.servers.process import Process
from tests.servers.readings import everything, fill

#: Lines of the differential's table: case, rows, and requests of dlt and of Swath.
Compared = list[tuple[str, int, int, int]]
COMPARED = pytest.StashKey[Compared]()

MODULES = Path(__file__).parent / "node_modules"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table that docs/differential.md has, where the differential ran."""
    if lines := config.stash.get(COMPARED, []):
        for cells in (("case", "rows", "requests of dlt", "of Swath"), ("---", "--:", "--:", "--:"), *lines):
            terminalreporter.write_line(f"| {' | '.join(map(str, cells))} |")


@pytest.fixture(scope="session")
def compared(request: pytest.FixtureRequest) -> Compared:
    return request.config.stash.setdefault(COMPARED, [])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running Swath."""
    with Server(tmp_path_factory.mktemp("swath")) as running:
        yield running


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("database") / "data.db"
    fill(file)
    return file


@pytest.fixture(scope="session")
def datasette(database: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--port", "{port}"]
    with Process(database.parent, command) as running:
        yield running.url


@pytest.fixture(scope="session")
def django(database: Path) -> Iterator[str]:
    with Process(database.parent, serve("django_site"), READINGS=str(database)) as running:
        yield running.url


@pytest.fixture(scope="session")
def strawberry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Process(tmp_path_factory.mktemp("strawberry"), serve("graphql_site")) as running:
        yield running.url


@pytest.fixture(scope="session")
def json_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """json-server 0.17, whose lists are bare arrays."""
    yield from serve_json(tmp_path_factory.mktemp("json"), "json-server/lib/cli/bin.js", "--read-only")


@pytest.fixture(scope="session")
def json_server_1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """json-server 1, whose pages say which one is the next."""
    yield from serve_json(tmp_path_factory.mktemp("json"), "json-server-1/lib/bin.js")


def serve(site: str) -> list[str]:
    return [sys.executable, "-m", "uvicorn", f"tests.servers.sites.{site}:application", "--port", "{port}"]


def serve_json(folder: Path, program: str, *options: str) -> Iterator[str]:
    assert (MODULES / program).is_file(), "json-server is not there: `make test` installs it"
    data = folder / "db.json"
    data.write_text(json.dumps({"readings": everything()}))
    listen = ["--host", "127.0.0.1", "--port", "{port}"]
    with Process(folder, ["node", str(MODULES / program), *listen, *options, str(data)]) as running:
        yield running.url
