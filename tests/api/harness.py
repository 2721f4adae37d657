"""A real server on a real socket, and how users ask it."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn

from swath.api.app import OpenHouse, build_app
from swath.engine.outages import Outages
from swath.operations.context import Context
from swath.operations.users import ensure_admin
from swath.settings import Settings
from swath.store.database import open_database
from swath.store.objects import Objects
from swath.store.vault import open_vault

ADMIN_TOKEN = "the-administrator"


class IdleEngine:
    """An engine that never works: executions stay queued. It notes what it was told."""

    def __init__(self) -> None:
        self.woken = 0
        self.signals: list[str] = []
        self.outages = Outages()

    def wake(self) -> None:
        self.woken += 1

    async def forget(self, execution_id: str) -> None:
        """It has kept nothing."""

    def signal(self, execution_id: str) -> None:
        self.signals.append(execution_id)


@asynccontextmanager
async def open_rooms(settings: Settings) -> AsyncIterator[Context]:
    """Open everything but the engine, over the data folder of the settings."""
    (settings.data_dir / "scratch").mkdir(parents=True, exist_ok=True)
    database = open_database(settings.data_dir / "swath.db")
    try:
        context = Context(
            settings=settings,
            database=database,
            vault=open_vault(settings),
            objects=Objects(str(settings.data_dir / "objects")),
            engine=IdleEngine(),
        )
        await ensure_admin(context)
        yield context
    finally:
        await database.close()


@dataclass
class Server:
    """A running server. `context` is what it works with; use it only while no request is under way."""

    url: str
    app: Any

    @property
    def context(self) -> Context:
        context: Context = self.app.state.context
        return context


@contextmanager
def run_server(settings: Settings, open_house: OpenHouse = open_rooms) -> Iterator[Server]:
    """Serve on a free port until the block ends."""
    app = build_app(settings, open_house)
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def announce(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        started.set()

    server.startup = announce  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(180)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Server(f"http://127.0.0.1:{port}", app)
    finally:
        server.should_exit = True
        thread.join()


class Client:
    """One user's way to the API. Paths are below the base path; answers are `requests.Response`s."""

    def __init__(self, server: Server, token: str | None) -> None:
        self.base = f"{server.url}/cloud/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        # Each request on a connection of its own: one that idles may be ended just as it is used again.
        self._session.headers["Connection"] = "close"
        if token is not None:
            self._session.headers["Token"] = token

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._session.request(method, self.base + path, timeout=180, **more)

    def get(self, path: str, **more: Any) -> Any:
        return good(self.ask("GET", path, **more))

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return good(self.ask("POST", path, json=body, **more))

    def patch(self, path: str, body: Any) -> Any:
        return good(self.ask("PATCH", path, json=body))

    def delete(self, path: str) -> Any:
        return good(self.ask("DELETE", path))

    def close(self) -> None:
        self._session.close()


def good(answer: requests.Response) -> Any:
    """Return what a successful answer holds, without its envelope."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["object"] if "object" in body else body["objects"]


def errors(answer: requests.Response, status: int) -> dict[str, str]:
    """Return the messages of a refusal by field, having checked its envelope."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["errors"]
    assert all(len(error) == 1 for error in body["errors"])
    return {field: message for error in body["errors"] for field, message in error.items()}
