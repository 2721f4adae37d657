"""The sample upstream behind a gate: it gives so many answers and no more until the test lets it go on.

What a test must meet amid an execution is met so, however long anybody is kept from running meanwhile.
"""

import asyncio
import math
import threading
from typing import Any

from swath.demo.upstream import Upstream, _Connection

#: Seconds between two looks whether the gate is open.
LOOK = 0.02


class Gated(Upstream):
    """The gate is open until `hold`; whoever asked stays connected before it, and is logged as ever."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._left: float = math.inf
        self._lock = threading.Lock()

    def hold(self, answers: float) -> None:
        """Give so many answers from now on, then none."""
        with self._lock:
            self._left = answers

    def let_go(self) -> None:
        """Answer all who wait, and whoever asks."""
        self.hold(math.inf)

    def pass_one(self) -> bool:
        """Tell whether one more may be answered; then it counts as answered."""
        with self._lock:
            passes = self._left >= 1
            self._left -= passes
            return passes

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Waiting(self), self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]


class _Waiting(_Connection):
    """A connection whose answers pass the gate."""

    def __init__(self, upstream: Gated) -> None:
        super().__init__(upstream)
        self._gate = upstream

    def _send(self, data: bytes, last: bool) -> None:
        if self._transport.is_closing():
            return
        if self._target.startswith(b"/_") or self._gate.pass_one():
            super()._send(data, last)
        else:
            asyncio.get_running_loop().call_later(LOOK, self._send, data, last)
