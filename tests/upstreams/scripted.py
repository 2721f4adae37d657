"""An upstream that does what a test tells it, byte by byte, over a real socket.

    with Scripted() as upstream:
        upstream.on("/items", [Play(status=503), Play.json({"items": []})])     # the last one repeats
        upstream.on("/slow", lambda asked: Play.json({"page": asked.query.get("page")}, delay=0.2))
        ...
        assert [asked.target for asked in upstream.asked] == ["/items", "/items"]

It runs in a thread, so that blocking and asynchronous tests alike can use it. A request for which there is no
script, and a handler that raises, fail the test at the end of the block.
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from swath.demo.background import Background

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came. `time` is of the monotonic clock, `connection` counts the connections."""

    number: int
    time: float
    connection: int
    client: str
    method: str
    target: str
    headers: Pairs
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, kw_only=True)
class Play:
    """What the upstream does with one request. By default: a whole answer, and the connection stays open."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    #: Seconds before the first byte.
    delay: float = 0.0
    #: Nothing is sent before this is done; the test calls `set_result(None)`.
    until: "Future[None] | None" = None
    #: Sent as they are instead of status, headers and body.
    raw: bytes | None = None
    #: The body in pieces, `pause` seconds apart; may be endless. Framed by chunks if there is no `length`.
    pieces: Iterator[bytes] | None = None
    pause: float = 0.0
    #: What Content-Length says instead of the truth; negative: the header is left out.
    length: int | None = None
    #: Of the whole answer only so many bytes are sent, then the connection ends.
    truncate: int | None = None
    #: How the connection ends after the answer: not at all, in order, or with a reset.
    close: bool = False
    reset: bool = False
    #: Never answer at all; the connection stays open.
    silent: bool = False

    @classmethod
    def json(cls, value: Any, **more: Any) -> Self:
        """An answer whose body is JSON. `headers` are sent beside the Content-Type."""
        headers = (("Content-Type", "application/json"), *more.pop("headers", ()))
        return cls(body=json.dumps(value).encode(), headers=headers, **more)

    @classmethod
    def html(cls, text: str = "<html><body>Access denied</body></html>", **more: Any) -> Self:
        headers = (("Content-Type", "text/html; charset=utf-8"), *more.pop("headers", ()))
        return cls(body=text.encode(), headers=headers, **more)


Handler = Callable[[Asked], "Play | Awaitable[Play]"]


class Scripted:
    """The server. `on` says what is played at a path; `asked` is what came, in order of arrival."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.errors: list[Exception] = []
        #: Open connections, and the most there were at once; requests being answered, and the most at once.
        self.connections = self.most_connections = 0
        self.answering = self.most_answering = 0
        self._host, self._port, self._tls = host, port, tls
        self._scripts: dict[str, Handler] = {}
        self._arrival = threading.Condition()
        self._talks: dict[asyncio.Task[None], StreamWriter] = {}
        self._opened = 0
        self._server: asyncio.Server | None = None
        self._background = Background(self)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    def on(self, path: str, script: Play | Sequence[Play] | Handler) -> None:
        """Play this at `path`; a path that ends with `*` stands for all that begin so, `*` for all."""
        self._scripts[path] = script if callable(script) else _in_turn(script)

    def asked_at(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def wait(self, count: int, path: str | None = None, patience: float = 180.0) -> None:
        """Block until so many requests have arrived (at `path`); asynchronous tests call it in a thread."""

        def enough() -> bool:
            return len(self.asked if path is None else self.asked_at(path)) >= count

        with self._arrival:
            if not self._arrival.wait_for(enough, patience):
                raise AssertionError(
                    f"{len(self.asked)} requests came, not {count} (at {path or 'any path'})"
                )

    def start(self) -> Self:
        self._background.start()
        return self

    def stop(self) -> None:
        """Stop; raises the first error of a handler, or that of a request without a script."""
        self._background.stop()
        if self.errors:
            raise self.errors.pop(0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.errors.clear()  # the test's own failure tells more
        self.stop()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._welcome, self._host, self._port, ssl=self._tls)
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
        if self._tls is not None:
            # A handshake that its client gave up ends a moment later, and nobody tells when: the loop that
            # is closed before has it raise where no test expects it.
            await asyncio.sleep(0.1)

    def _welcome(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talks[task] = writer
        task.add_done_callback(self._talks.pop)

    async def _talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._opened, number = self._opened + 1, self._opened + 1
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)
        try:
            while (asked := await self._read(reader, writer, number)) is not None:
                if not await self._answer(asked, writer):
                    break
        except (OSError, EOFError):
            pass  # the client has left
        finally:
            self.connections -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: StreamReader, writer: StreamWriter, connection: int) -> Asked | None:
        try:
            text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = text[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        split = (line.partition(":") for line in lines)
        headers = tuple((name, value.strip()) for name, _, value in split)
        body = await _read_body({name.lower(): value for name, value in headers}, reader)
        asked = Asked(
            number=len(self.asked) + 1,
            time=time.monotonic(),
            connection=connection,
            client=writer.get_extra_info("peername")[0],
            method=method,
            target=target,
            headers=headers,
            body=body,
        )
        self.answering += 1
        self.most_answering = max(self.most_answering, self.answering)
        with self._arrival:
            self.asked.append(asked)
            self._arrival.notify_all()
        return asked

    async def _answer(self, asked: Asked, writer: StreamWriter) -> bool:
        """Play what the script says; whether the connection goes on."""
        try:
            play = await self._direct(asked)
            return await _perform(play, asked, writer)
        finally:
            self.answering -= 1

    async def _direct(self, asked: Asked) -> Play:
        try:
            play = self._find(asked.path)(asked)
            return play if isinstance(play, Play) else await play
        except Exception as error:
            self.errors.append(error)
            return Play(status=500, body=repr(error).encode(), close=True)

    def _find(self, path: str) -> Handler:
        if path in self._scripts:
            return self._scripts[path]
        fitting = [key for key in self._scripts if key.endswith("*") and path.startswith(key[:-1])]
        if not fitting:
            raise LookupError(f"there is no script for {path}")
        return self._scripts[max(fitting, key=len)]


def _in_turn(script: Play | Sequence[Play]) -> Handler:
    plays = [script] if isinstance(script, Play) else list(script)

    def play(_asked: Asked) -> Play:
        return plays.pop(0) if len(plays) > 1 else plays[0]

    return play


async def _read_body(headers: dict[str, str], reader: StreamReader) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body, size = b"", -1
    while size:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        body += (await reader.readexactly(size + 2))[:-2]
    return body


async def _perform(play: Play, asked: Asked, writer: StreamWriter) -> bool:
    if play.until is not None:
        await asyncio.shield(asyncio.wrap_future(play.until))
    if play.silent:
        await asyncio.Event().wait()
    if play.delay:
        await asyncio.sleep(play.delay)
    await _send(play, asked, writer)
    if play.reset:
        # Without lingering the system sends RST instead of FIN.
        lingering = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
    return not (play.close or play.reset or play.truncate is not None)


async def _send(play: Play, asked: Asked, writer: StreamWriter) -> None:
    if play.raw is not None:
        whole = play.raw
    elif play.pieces is not None:
        return await _send_pieces(play, writer)
    elif play.reset and not play.body and play.truncate is None:
        return None  # a reset before any answer
    else:
        whole = _head(play, len(play.body)) + (b"" if asked.method == "HEAD" else play.body)
    writer.write(whole if play.truncate is None else whole[: play.truncate])
    return await writer.drain()


async def _send_pieces(play: Play, writer: StreamWriter) -> None:
    writer.write(_head(play, None))
    chunked = play.length is None
    for piece in play.pieces or ():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
        await asyncio.sleep(play.pause)
    if chunked:
        writer.write(b"0\r\n\r\n")


def _head(play: Play, length: int | None) -> bytes:
    headers = list(play.headers)
    said = length if play.length is None else play.length
    if said is None:
        headers.append(("Transfer-Encoding", "chunked"))
    elif said >= 0 and play.status not in (204, 304):
        headers.append(("Content-Length", str(said)))
    if play.close:
        headers.append(("Connection", "close"))
    try:
        reason = HTTPStatus(play.status).phrase
    except ValueError:
        reason = "Unheard Of"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {play.status} {reason}\r\n{lines}\r\n".encode("latin-1")
