"""How a forward proxy talks: the two protocols, and the copying of bytes between two connections."""

import asyncio
import base64
import socket
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

#: What a proxy does with the next request: its work, an error page of its own (over SOCKS a refusal),
#: nothing at all, or a reset.
Mood = Literal["well", "refuse", "hang", "reset"]

_CHUNK = 64 * 1024
_OWN_PAGE = b"<html><title>Proxy error</title><body>This proxy cannot reach the site.</body></html>"


@dataclass(frozen=True)
class Passed:
    """One request or tunnel that went through a proxy."""

    method: str
    target: str


@dataclass(kw_only=True)
class Way:
    """How one proxy goes on, and what has gone through it."""

    name: str
    credentials: str | None = field(default=None, repr=False)
    #: The address to leave from towards loopback targets.
    address: str | None = None
    mood: Mood = "well"
    passed: deque[Passed] = field(default_factory=lambda: deque(maxlen=100_000))

    async def behave(self, client: Writer) -> bool:
        """Act out a bad mood; False where the client must be refused."""
        if self.mood == "hang":
            await asyncio.Event().wait()
        if self.mood == "reset":
            reset_on_close(client)
            raise ConnectionResetError
        return self.mood == "well"

    async def connect(self, host: str, port: int) -> tuple[Reader, Writer]:
        """Only a loopback target can be reached from a loopback address, and not every system has many."""
        if self.address and (host == "localhost" or host.startswith("127.")):
            with suppress(OSError):
                return await asyncio.open_connection(host, port, local_addr=(self.address, 0))
        return await asyncio.open_connection(host, port)


@dataclass(frozen=True)
class Head:
    """A request's first lines as they came."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


async def speak_http(way: Way, reader: Reader, writer: Writer) -> None:
    """Serve one client connection until it ends; its requests come one after the other."""
    line = _Line(way, writer)
    try:
        while (head := await _read_head(reader)) is not None:
            if not _knows(way, head):
                return _refuse(writer, 407, b"", 'Proxy-Authenticate: Basic realm="proxy"\r\n')
            if not await way.behave(writer):
                return _refuse(writer, 502, _OWN_PAGE, "Content-Type: text/html\r\n")
            way.passed.append(Passed(head.method, head.target))
            if head.method == "CONNECT":
                return await _tunnel(way, head, reader, writer)
            await line.forward(head, reader)
    finally:
        await line.close()


async def speak_socks(way: Way, reader: Reader, writer: Writer) -> None:
    """RFC 1928 with the passwords of RFC 1929; only CONNECT."""
    _version, count = await reader.readexactly(2)
    offered = await reader.readexactly(count)
    method = 2 if way.credentials else 0
    if method not in offered:
        return writer.write(b"\x05\xff")
    writer.write(bytes((5, method)))
    if way.credentials and not await _knows_password(way.credentials, reader, writer):
        return None
    host, port = await _read_destination(reader)
    if not await way.behave(writer):
        return writer.write(b"\x05\x01\x00\x01" + bytes(6))
    way.passed.append(Passed("CONNECT", f"{host}:{port}"))
    try:
        other = await way.connect(host, port)
    except OSError:
        return writer.write(b"\x05\x05\x00\x01" + bytes(6))
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    return await _splice(reader, writer, *other)


#: By the scheme of the proxy's URL.
SPEAKERS: dict[str, Callable[[Way, Reader, Writer], Awaitable[None]]] = {
    "http": speak_http,
    "socks5": speak_socks,
}


async def hang_up(writer: Writer) -> None:
    """Close a connection and wait until it is, so that no loop ends with sockets open."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def reset_on_close(writer: Writer) -> None:
    """Without lingering the system sends RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Line:
    """The connection to the target that a client's plain requests go out on.

    Answers are copied as they come, without a look at where one ends: a client that does not pipeline has
    read the last one whole before it asks again, perhaps for another host.
    """

    def __init__(self, way: Way, client: Writer) -> None:
        self._way, self._client = way, client
        self._authority = ""
        self._writer: Writer | None = None
        self._answers: asyncio.Task[None] | None = None

    async def forward(self, head: Head, body: Reader) -> None:
        scheme, _, rest = head.target.partition("://")
        authority, slash, path = rest.partition("/")
        if scheme.lower() != "http" or not authority:
            return _refuse(self._client, 400, b"", "")
        try:
            writer = await self._reach(authority)
        except OSError:
            return _refuse(self._client, 502, _OWN_PAGE, "Content-Type: text/html\r\n")
        writer.write(_rewritten(head, slash + path or "/", self._way.name))
        return await _copy_body(head, body, writer)

    async def _reach(self, authority: str) -> Writer:
        if self._writer is not None and authority == self._authority and not self._writer.is_closing():
            return self._writer
        await self.close()
        host, port = _split(authority, 80)
        reader, self._writer = await self._way.connect(host, port)
        self._authority = authority
        self._answers = asyncio.create_task(_answer(reader, self._client))
        return self._writer

    async def close(self) -> None:
        """Closes before it waits: whoever cancels the waiting leaves nothing open."""
        if self._writer is None or self._answers is None:
            return
        self._writer.close()
        self._answers.cancel()
        await asyncio.gather(self._answers, return_exceptions=True)
        await hang_up(self._writer)


async def _answer(reader: Reader, client: Writer) -> None:
    """Copy answers to the client; when the target ends or resets the connection, so do we."""
    try:
        await _copy(reader, client)
        client.close()
    except OSError:
        reset_on_close(client)
        client.transport.abort()


async def _tunnel(way: Way, head: Head, reader: Reader, writer: Writer) -> None:
    try:
        other = await way.connect(*_split(head.target, 443))
    except OSError:
        return _refuse(writer, 502, _OWN_PAGE, "Content-Type: text/html\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return await _splice(reader, writer, *other)


async def _splice(reader: Reader, writer: Writer, other_reader: Reader, other_writer: Writer) -> None:
    """Copy both ways until either side ends."""
    ways = [
        asyncio.create_task(_copy(reader, other_writer)),
        asyncio.create_task(_copy(other_reader, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        other_writer.close()
        for way in ways:
            way.cancel()
        results = await asyncio.gather(*ways, return_exceptions=True)
        await hang_up(other_writer)
    if any(isinstance(result, OSError) for result in results):
        reset_on_close(writer)


async def _copy(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _copy_body(head: Head, reader: Reader, writer: Writer) -> None:
    if (head.get("transfer-encoding") or "").lower() == "chunked":
        await _copy_chunks(reader, writer)
    left = int(head.get("content-length") or 0)
    while left:
        data = await reader.read(min(left, _CHUNK))
        if not data:
            raise EOFError
        left -= len(data)
        writer.write(data)
        await writer.drain()


async def _copy_chunks(reader: Reader, writer: Writer) -> None:
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        writer.write(line + await reader.readexactly(size + 2))
        await writer.drain()


async def _read_head(reader: Reader) -> Head | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return Head(method, target, version, tuple((name, value.strip()) for name, _, value in pairs))


def _rewritten(head: Head, path: str, name: str) -> bytes:
    """The request as the target sees it: origin form, nothing meant for the proxy, and its `Via`."""
    kept = [f"{key}: {value}\r\n" for key, value in head.headers if not key.lower().startswith("proxy-")]
    return f"{head.method} {path} {head.version}\r\n{''.join(kept)}Via: 1.1 {name}\r\n\r\n".encode("latin-1")


def _refuse(writer: Writer, status: int, body: bytes, headers: str) -> None:
    reasons = {400: "Bad Request", 407: "Proxy Authentication Required", 502: "Bad Gateway"}
    start = f"HTTP/1.1 {status} {reasons[status]}\r\n{headers}Content-Length: {len(body)}\r\n"
    writer.write(f"{start}Connection: close\r\n\r\n".encode() + body)
    writer.close()


def _knows(way: Way, head: Head) -> bool:
    if way.credentials is None:
        return True
    expected = base64.b64encode(way.credentials.encode()).decode()
    return head.get("proxy-authorization") == f"Basic {expected}"


async def _knows_password(credentials: str, reader: Reader, writer: Writer) -> bool:
    given = []
    await reader.readexactly(1)
    for _ in range(2):
        (length,) = await reader.readexactly(1)
        given.append((await reader.readexactly(length)).decode())
    good = ":".join(given) == credentials
    writer.write(b"\x01\x00" if good else b"\x01\x01")
    return good


async def _read_destination(reader: Reader) -> tuple[str, int]:
    _version, command, _reserved, kind = await reader.readexactly(4)
    if command != 1:
        raise ValueError("only CONNECT is spoken")
    if kind == 1:
        host = str(IPv4Address(await reader.readexactly(4)))
    elif kind == 4:
        host = str(IPv6Address(await reader.readexactly(16)))
    else:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    return host, int.from_bytes(await reader.readexactly(2))


def _split(authority: str, default: int) -> tuple[str, int]:
    host, _, port = authority.rpartition(":") if not authority.endswith("]") else (authority, "", "")
    if not host:
        host, port = port, ""
    return host.strip("[]"), int(port or default)
