"""A line to a server that can be cut: what is sent vanishes, and nobody is told."""

import contextlib
import re
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

#: Bytes moved at a time.
PART = 64 * 1024


class Line:
    """A relay on loopback to a port there. While it is cut no byte passes, connections stay open, and new
    ones are answered by nobody; when it is healed what was on its way arrives.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._whole = threading.Event()
        self._whole.set()
        self._is_cut = threading.Event()
        #: What a client says when the line is to be cut, before and after it has passed.
        self._before = self._after = b""
        self._over = threading.Event()
        self._ends: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._whole.set()
        _shut(self._listener)
        for end in list(self._ends):
            _shut(end)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def through(self, url: str) -> str:
        """Return the URL of something on loopback as it is reached by way of this line."""
        return re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{self.port}", url)

    def cut(self, *, before: bytes = b"", after: bytes = b"") -> None:
        """Let nothing pass from now on; or from the moment on when a client says this, or has said it."""
        self._before, self._after = before, after
        if not (before or after):
            self._sever()
        assert self._is_cut.wait(60), "Nobody said what the line is to be cut at"

    def heal(self) -> None:
        """Let everything pass again, first of all what waits."""
        self._before = self._after = b""
        self._whole.set()
        self._is_cut.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            pair = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(pair)
            pair.start()

    def _carry(self, near: socket.socket) -> None:
        """Move what either end sends to the other, until one of them is closed."""
        with near, contextlib.suppress(OSError), self._reach() as far, selectors.DefaultSelector() as ready:
            self._ends |= {near, far}
            other = {near: far, far: near}
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in ready.select():
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    part = end.recv(PART)
                    said = part if end is near else b""
                    self._heed(self._before, said)
                    self._whole.wait()
                    if not part:
                        return
                    other[end].sendall(part)
                    self._heed(self._after, said)

    def _heed(self, awaited: bytes, said: bytes) -> None:
        """Cut the line if this is the moment."""
        if awaited and awaited in said:
            self._sever()

    def _sever(self) -> None:
        self._before = self._after = b""
        self._whole.clear()
        self._is_cut.set()

    def _reach(self) -> socket.socket:
        self._whole.wait()
        return socket.create_connection(("127.0.0.1", self._to), 60)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
