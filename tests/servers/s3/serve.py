"""A server that speaks S3's protocol and does as it is told on its standard input, a word a line.

    well      answers
    away      does not listen, and drops whoever is connected; it forgets nothing
    refuse    answers 503 to everything
    slow      takes some seconds for each answer

Each line is answered with the same word once it holds. The first line that it prints is its port,
which is its own also while it does not listen. It runs with libraries of its own.
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

#: Seconds of an answer that is slow.
SLOW = 2.0


class Shop:
    """The server, and its mood."""

    def __init__(self) -> None:
        self._place = _bind(0)  # Never listens: it keeps the port from everybody else
        self.port: int = self._place.getsockname()[1]
        self._app = DomainDispatcherApplication(create_backend_app)
        self._mood = "well"
        self._server: BaseWSGIServer | None = None
        self._connected: set[socket.socket] = set()

    def obey(self, word: str) -> None:
        """Be as the word says."""
        if word == "away":
            self._close()
        elif self._server is None:
            self._open()
        self._mood = word

    def _open(self) -> None:
        connected = self._connected

        class Handler(MotoRequestHandler):
            def setup(self) -> None:
                super().setup()
                connected.add(self.connection)

            def finish(self) -> None:
                connected.discard(self.connection)
                super().finish()

            def log(self, *_: Any) -> None:
                pass

        with _bind(self.port) as listener:
            listener.listen(128)
            self._server = make_server(
                "127.0.0.1", self.port, self._answer, True, request_handler=Handler, fd=listener.fileno()
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in list(self._connected):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, environ: Any, start: Any) -> Any:
        if self._mood == "refuse":
            start("503 Slow Down", [("Content-Length", "0"), ("Connection", "close")])
            return [b""]
        if self._mood == "slow":
            time.sleep(SLOW)
        return self._app(environ, start)


def _bind(port: int) -> socket.socket:
    """Return a socket at the port (0: any free one), beside others of this process."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place


if __name__ == "__main__":
    shop = Shop()
    print(shop.port, flush=True)
    for line in sys.stdin:
        shop.obey(line.strip())
        print(line.strip(), flush=True)
