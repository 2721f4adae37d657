"""A running server, and users who have nothing yet."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.api.harness import ADMIN_TOKEN, Client, Server, run_server

from swath.settings import Settings


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("data")
    with run_server(Settings(data_dir=folder, token=ADMIN_TOKEN)) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Iterator[Client]:
    client = Client(server, ADMIN_TOKEN)
    yield client
    client.close()


_names = count(1)


@pytest.fixture
def newcomer(server: Server, admin: Client) -> Iterator[Callable[[], Client]]:
    """Make a client of a user who owns nothing."""
    clients: list[Client] = []

    def make() -> Client:
        token = admin.post("/tokens", {"name": "test", "user": f"user-{next(_names)}"})["token"]
        clients.append(Client(server, token))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def alice(newcomer: Callable[[], Client]) -> Client:
    return newcomer()


@pytest.fixture
def bob(newcomer: Callable[[], Client]) -> Client:
    return newcomer()
