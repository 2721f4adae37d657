"""Whether a database server that does not answer still answers anybody.

A connection whose other end is gone is found out by TCP. One whose other end takes all and says nothing is
not: a server that hangs, or a proxy, a tunnel or a balancer before one that is out of reach. A statement may
also simply take long. So where a connection was busy for some seconds, the server is asked over a new one;
where that is not answered either, the busy one is closed, and who waits on it learns of an outage.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

#: Seconds for which a connection is busy before the server is asked, and asked again.
PATIENCE = 5.0


class Vigil:
    """Watches the connections of engines. `ask` tells whether the server answers a new connection."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        #: What looks at a connection that is in use, by its record in the pool.
        self._looks: dict[Any, asyncio.TimerHandle] = {}
        self._asking: asyncio.Task[bool] | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    def watch(self, engine: AsyncEngine) -> None:
        event.listen(engine.sync_engine, "checkout", self._begin)
        event.listen(engine.sync_engine, "checkin", self._end)

    def _begin(self, _connection: Any, record: Any, _proxy: Any) -> None:
        self._looks[record] = asyncio.get_running_loop().call_later(PATIENCE, self._look, record)

    def _end(self, _connection: Any, record: Any) -> None:
        if (look := self._looks.pop(record, None)) is not None:
            look.cancel()

    def _look(self, record: Any) -> None:
        task = asyncio.ensure_future(self._judge(record, self._looks[record]))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _judge(self, record: Any, look: asyncio.TimerHandle) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())
        answers = await self._asking
        if self._looks.get(record) is not look:
            return  # it was used for something else since
        if answers:
            self._begin(None, record, None)
        else:
            _hang_up(record.driver_connection)


def _hang_up(connection: Any) -> None:
    """Let a connection end as if its server had closed it: whoever waits on it wakes."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
