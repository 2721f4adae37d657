"""Local forward proxies for the demonstration and the tests: HTTP with CONNECT, and SOCKS5.

Each goes out from a loopback address of its own where the system has one, as a real exit does, and an HTTP
proxy adds a `Via` header to plain requests: so the upstream's log proves which way a request came.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from swath.demo.background import Background, serve
from swath.demo.relay import SPEAKERS, Way, hang_up


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A proxy to run, and how it is to be registered."""

    name: str
    type: Literal["shared", "dedicated"]
    location: str
    scheme: Literal["http", "socks5"] = "http"
    #: `user:password` that clients must show.
    credentials: str | None = field(default=None, repr=False)


#: What `swath demo` runs.
DEMO = (
    Plan(name="nyc-1", type="shared", location="nyc"),
    Plan(name="nyc-2", type="shared", location="nyc"),
    Plan(name="nyc-3", type="dedicated", location="nyc", credentials="demo:nyc-3"),
    Plan(name="nyc-4", type="dedicated", location="nyc", credentials="demo:nyc-4"),
    Plan(name="ams-1", type="shared", location="ams", scheme="socks5"),
)


class ForwardProxy:
    """One proxy: `start` and `stop` it in a thread, or `open` and `close` it on the running loop.

    `way.mood` makes it faulty, and `way.passed` tells what went through it; both may be used while it runs.
    A stopped proxy starts again on the same port.
    """

    def __init__(self, plan: Plan, *, address: str | None = None, port: int = 0) -> None:
        self.plan = plan
        self.way = Way(name=plan.name, credentials=plan.credentials, address=address)
        self._port = port
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._background = Background(self)

    @property
    def url(self) -> str:
        user = f"{self.plan.credentials}@" if self.plan.credentials else ""
        return f"{self.plan.scheme}://{user}127.0.0.1:{self._port}"

    def registration(self) -> dict[str, Any]:
        """The body of `POST /proxies`, with the proxy's name and the address that the target sees."""
        told = {"type": self.plan.type, "location": self.plan.location, "url": self.url}
        return {**told, "name": self.plan.name, "address": self.way.address}

    def start(self) -> str:
        self._background.start()
        return self.url

    def stop(self) -> None:
        self._background.stop()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task, writer in self._talks.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks[task] = writer
        task.add_done_callback(self._talks.pop)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await SPEAKERS[self.plan.scheme](self.way, reader, writer)
        except (OSError, EOFError, ValueError):
            writer.transport.abort()
        finally:
            await hang_up(writer)


class Proxies:
    """Several proxies in one process. `start` returns what to register."""

    def __init__(self, plans: Sequence[Plan] = DEMO) -> None:
        self.all = tuple(ForwardProxy(plan, address=f"127.0.0.{10 + n}") for n, plan in enumerate(plans))
        self._background = Background(self)

    def __getitem__(self, name: str) -> ForwardProxy:
        return next(proxy for proxy in self.all if proxy.plan.name == name)

    def registrations(self) -> list[dict[str, Any]]:
        return [proxy.registration() for proxy in self.all]

    def start(self) -> list[dict[str, Any]]:
        self._background.start()
        return self.registrations()

    def stop(self) -> None:
        self._background.stop()

    async def open(self) -> None:
        for proxy in self.all:
            await proxy.open()

    async def close(self) -> None:
        for proxy in self.all:
            await proxy.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run local proxies; prints what to register as one JSON line."
    )
    parser.add_argument("--until-stdin-closes", action="store_true")
    given = parser.parse_args()
    proxies = Proxies()
    serve(proxies, lambda: json.dumps(proxies.registrations()), until_stdin_closes=given.until_stdin_closes)


if __name__ == "__main__":
    main()
