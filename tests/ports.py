"""A port of loopback that is kept from everybody else, also while its server does not listen."""

import socket


class Port:
    """A free port: servers that reuse addresses can listen on it, again and again, and nobody else is given
    it. Until one listens, whoever connects is refused.
    """

    def __init__(self) -> None:
        self._place = socket.socket()  # Never listens, and may be bound to by those who also ask for reuse
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.number = int(self._place.getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.number}"

    def close(self) -> None:
        """Give it back."""
        self._place.close()
