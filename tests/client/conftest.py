"""A running server, an upstream, and clients of both kinds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.acceptance.server import Server
from tests.upstreams.scripted import Asked, Play, Scripted

from swath.client import AsyncClient, Client


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("served") / "data"
    with Server(folder) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        running.on("/users/*", play)
        yield running


def play(asked: Asked) -> Play:
    name = asked.path.split("/")[2]
    if name == "nobody":
        return Play(status=404)
    return Play.json({"posts": [{"id": number, "by": name, "liked": number / 2} for number in range(3)]})


FORMULA = """
endpoints:
  Posts: {url: "URL/users/{{user}}/posts"}
workflows:
  My Awesome Workflow:
    endpoint: Posts
    mappings: [{target_variable_name: user, source_collection: People}]
collections:
  People: [ada, bob]
"""
NAME = "My Awesome Workflow"


@pytest.fixture
def formula(upstream: Scripted) -> str:
    return FORMULA.replace("URL", upstream.url)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, server.token) as opened:
        yield opened


@pytest.fixture
async def aclient(server: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, server.token) as opened:
        yield opened
