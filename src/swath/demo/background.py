"""Runs a small asyncio server beside its caller: in a thread, or as a process until told to stop."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import uvloop


class Server(Protocol):
    """Opens sockets on the running loop and closes them, with every connection, again."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...


class Background:
    """A server on a loop of its own, in a thread: blocking and asynchronous callers alike can use it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Return once the server listens; raises what `open` raises."""
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._server.open(), self._loop).result()
        except BaseException:
            self._finish(self._loop, self._thread)
            raise

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result()
        self._finish(self._loop, self._thread)

    def _finish(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self._loop = self._thread = None

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(asyncio.sleep(0))  # closed connections are told so once more
        finally:
            loop.close()


def serve(server: Server, announce: Callable[[], str], *, until_stdin_closes: bool = False) -> None:
    """Serve as this process: print one line, then stay until SIGINT or SIGTERM.

    With `until_stdin_closes` the process also ends when whoever holds the other end of its standard input
    is gone, so that a killed parent leaves nothing behind.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server, announce, until_stdin_closes))


async def _serve(server: Server, announce: Callable[[], str], until_stdin_closes: bool) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if until_stdin_closes:
        loop.add_reader(sys.stdin, _drain, over)
    await server.open()
    print(announce(), flush=True)
    await over.wait()
    await server.close()


def _drain(over: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        over.set()
