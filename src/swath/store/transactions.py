"""How SQL is run on either database: a read or a write is one story, told on a connection in one transaction.

Stories are synchronous functions of a `Connection`, the same for both databases. A write may be told again
when others came between, so it changes nothing but the database.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class Database(ABC):
    """Our tables. What is read or written is said by stories, see the module."""

    #: Whether other processes work on the same tables.
    shared: bool

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @abstractmethod
    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` in a read transaction, all of one moment: it must be quick and change nothing."""

    @abstractmethod
    async def write(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` in one transaction, as if no other ran beside it; committed when it returns.

        The transaction goes on to its end when the caller is cancelled; the caller learns it then.
        """

    async def act(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a story of one statement, which is a transaction by itself and takes its turn by itself."""
        return await self.write(story, *args, **kwargs)

    @abstractmethod
    def write_now(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `story` in one transaction on this thread; only while nothing else writes (start, tests)."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Connection]:
        """Give a connection of its own whose reads all see the same moment, however long it is held."""

    @contextmanager
    def stream(self) -> Iterator["Stream"]:
        """Give a snapshot that is read on a thread of its own, for as long as a slow client takes."""
        held = self.snapshot()
        stream = Stream(held.__enter__())
        try:
            yield stream
        finally:
            stream.end(lambda: held.__exit__(None, None, None))

    @asynccontextmanager
    async def locked(self, thing: str, *, wait: bool = True) -> AsyncIterator[bool]:
        """Hold the only lock on a thing, over all processes; gives whether it is held.

        It always is, unless the caller does not `wait` and somebody else holds it.
        """
        lock = self._locks.setdefault(thing, asyncio.Lock())
        if not wait and lock.locked():
            yield False
            return
        async with lock, self._locked_elsewhere(thing, wait) as held:
            yield held

    @abstractmethod
    def _locked_elsewhere(self, thing: str, wait: bool) -> AbstractAsyncContextManager[bool]:
        """Hold a lock against other processes; this one holds it already against itself."""

    async def announce(self, text: str) -> None:
        """Tell other processes something; nobody needs to hear it. Without others nothing happens."""
        return

    async def announcements(self) -> AsyncIterator[str]:
        """Yield what other processes announce from now on, for as long as the connection lasts."""
        return
        yield

    @abstractmethod
    async def close(self) -> None:
        """Wait for the last write, then let go of the database."""


class Stream:
    """A connection whose reads all see the same moment, and leave the loop free.

    Reads and the end go through one thread, one after another: when a client leaves in the middle of a read,
    nobody waits for that read any more, and the connection must not be closed under it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swath-stream")

    async def read(
        self, story: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: story(self._connection, *args, **kwargs)
        )

    def end(self, close: Callable[[], object]) -> None:
        """Close behind the last read, without waiting for it."""
        self._thread.submit(close)
        self._thread.shutdown(wait=False)
