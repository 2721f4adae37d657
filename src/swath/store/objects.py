"""Segments, inputs, row parts and files: large immutable bytes under a name, locally or in the cloud.

A local store renames without an fsync, so what a transaction is about to name is synced here, file and
folder, before `put` returns.

Remote storage may take a minute for a large piece; one out of reach says nothing for as long. So where
an answer is late, something small is asked over a new connection; if that is not answered either, who
waits learns of an outage.
"""

import asyncio
import math
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from swath.errors import Damaged, Unavailable

T = TypeVar("T")

#: Bytes at a time when an object is streamed.
CHUNK = 1 << 20
#: Pieces of a file that are on their way to the store at a time; what one has at least, and how many a file
#: may have: S3 takes no more, nor objects of more than 5 TiB.
MOST_CHUNKS = 2
SMALLEST_PIECE = 5 << 20
MOST_PIECES = 10_000


#: Of remote storage: how long one answer may take, and for how long a request is repeated before it fails.
REMOTE: Any = {"timeout": timedelta(seconds=60), "connect_timeout": timedelta(seconds=5), "allow_http": True}
RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}

#: Seconds for which it is silent before it is asked whether it answers at all, and within which it does: on a
#: narrow line that is busy with a large piece a small one takes its time.
PATIENCE, ANSWERS_WITHIN = 5.0, 10.0

#: What is said of it then.
SILENT = ("storage", "It cannot be used: it does not answer.")

#: Of the client's messages: where it had asked, and how often. Owners need not know the place.
_DETAILS = re.compile(r"Error performing .*? - ")


class Objects:
    """Named immutable bytes. Built from a URL or a folder, so that a worker process can build its own."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.remote = "://" in place
        self._root = None if "://" in place else Path(place)
        self._store = _open(place)

    async def put(self, name: str, data: bytes) -> None:
        """Keep `data` as `name`; on return it survives a loss of power. Raises Unavailable."""
        with naming_outages():
            await self._answer(obstore.put_async(self._store, name, data))
            await self._sync(name)

    async def put_file(self, name: str, path: Path) -> None:
        """Keep a file's bytes as `name`, without holding them in memory."""
        with naming_outages():
            piece = _piece_of(path)
            await self._answer(
                obstore.put_async(self._store, name, path, chunk_size=piece, max_concurrency=MOST_CHUNKS)
            )
            await self._sync(name)

    async def move_file(self, name: str, path: Path) -> None:
        """Keep a file's bytes as `name`, and remove the file, also where that fails."""
        try:
            if await asyncio.to_thread(self._link, name, path):
                with naming_outages():
                    await self._sync(name)
            else:
                await self.put_file(name, path)
        finally:  # whoever failed makes it anew
            await asyncio.to_thread(path.unlink)

    async def get(self, name: str) -> bytes:
        with naming_outages():
            found = await self._answer(obstore.get_async(self._store, name))
            return bytes(await self._answer(found.bytes_async()))

    def size(self, name: str) -> int:
        """Return an object's length in bytes, synchronously."""
        with naming_outages():
            return int(self._wait_for(lambda: obstore.head(self._store, name))["size"])

    def read(self, name: str) -> bytes:
        """Return a whole object, synchronously: for worker processes."""
        with naming_damage(name):
            return bytes(self._wait_for(lambda: obstore.get(self._store, name).bytes()))

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, synchronously. Raises Damaged where they are missing."""
        with naming_damage(name):
            try:
                asked = partial(obstore.get_range, self._store, name, start=offset, length=length)
                data = bytes(self._wait_for(asked))
            except (OSError, ValueError, BaseError):
                if self.size(name) < offset + length:
                    raise Damaged(f"Object {name} ends early.") from None
                raise
        return _whole(data, name, length)

    async def find_size(self, name: str) -> int:
        """Return an object's length in bytes. Raises Damaged where it is missing."""
        with naming_damage(name):
            return int((await self._answer(obstore.head_async(self._store, name)))["size"])

    async def get_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`. Raises Damaged where they are missing."""
        with naming_damage(name):
            try:
                asked = obstore.get_range_async(self._store, name, start=offset, length=length)
                data = bytes(await self._answer(asked))
            except (OSError, ValueError, BaseError):
                if await self.find_size(name) < offset + length:
                    raise Damaged(f"Object {name} ends early.") from None
                raise
        return _whole(data, name, length)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield an object's bytes, synchronously: for worker processes."""
        with naming_damage(name):
            found = self._wait_for(lambda: obstore.get(self._store, name))
            chunks = found.stream(min_chunk_size=CHUNK)
            while (chunk := self._wait_for(lambda: next(chunks, None))) is not None:
                yield bytes(chunk)

    def write_file(self, name: str, path: Path) -> None:
        """Keep a file's bytes as `name`, synchronously and without a sync: for what can be made again."""
        if not self._link(name, path):
            with naming_outages():
                put = partial(obstore.put, chunk_size=_piece_of(path), max_concurrency=MOST_CHUNKS)
                self._wait_for(lambda: put(self._store, name, path))

    async def stream(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of an object from `start` to before `end`."""
        while start < end:
            stop = min(start + CHUNK, end)
            yield bytes(await obstore.get_range_async(self._store, name, start=start, end=stop))
            start = stop

    async def delete(self, names: Sequence[str]) -> None:
        """Remove objects; one that is gone already is no fault."""
        for name in names:
            with naming_outages(), suppress(FileNotFoundError):
                await self._answer(obstore.delete_async(self._store, name))

    async def names(self, prefix: str, before: float = math.inf) -> list[str]:
        """Return the names of all objects below `prefix` written before a time, in epoch seconds."""
        found: list[str] = []
        with naming_outages():
            async for batch in obstore.list(self._store, prefix=prefix):
                found.extend(meta["path"] for meta in batch if meta["last_modified"].timestamp() < before)
        return found

    async def _answer(self, asked: Awaitable[T]) -> T:
        """Return the storage's answer. Raises Unavailable as soon as it answers nobody any more."""
        if not self.remote:
            return await asked
        answer, silence = asyncio.ensure_future(asked), asyncio.ensure_future(self._fall_silent())
        try:
            await asyncio.wait((answer, silence), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Unavailable(*SILENT)
            return answer.result()
        finally:
            answer.cancel()
            silence.cancel()

    def _wait_for(self, call: Callable[[], T]) -> T:
        """Return what a synchronous call does. Raises Unavailable as `_answer` does."""
        if not self.remote:
            return call()
        answer = _begin(call)
        while not wait([answer], PATIENCE).done:
            asked: Future[Any] = _begin(lambda: obstore.head(_open(self.place), "swath"))
            either: list[Future[Any]] = [asked, answer]
            if not wait(either, ANSWERS_WITHIN, return_when=FIRST_COMPLETED).done:
                raise Unavailable(*SILENT)
        return answer.result()

    async def _fall_silent(self) -> None:
        """Return when the storage answers nobody any more."""
        while True:
            await asyncio.sleep(PATIENCE)
            if not await self._answers():
                return

    async def _answers(self) -> bool:
        """Tell whether the storage answers over a new connection; also by a refusal."""
        try:
            await asyncio.wait_for(obstore.head_async(_open(self.place), "swath"), ANSWERS_WITHIN)
        except TimeoutError:
            return False
        except (OSError, BaseError):
            return True
        return True

    def _link(self, name: str, path: Path) -> bool:
        """Give a file of the same disk its place without a copy; tell whether that could be done."""
        if self._root is None:
            return False
        target = self._root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
        except OSError:  # another disk, or one without links
            return False
        return True

    async def _sync(self, name: str) -> None:
        if self._root is not None:
            await asyncio.to_thread(_sync_file, self._root / name)


def choose_piece(size: int) -> int:
    """Return the bytes of the pieces in which a file of `size` bytes is stored."""
    return max(SMALLEST_PIECE, -(-size // MOST_PIECES))


def _piece_of(path: Path) -> int:
    return choose_piece(path.stat().st_size)


@contextmanager
def naming_outages() -> Iterator[None]:
    """Raise Unavailable for what will work again when the storage does."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, BaseError) as error:
        told = _DETAILS.sub("", str(error).strip().splitlines()[0])[:200]
        raise Unavailable("storage", f"It cannot be used: {told}") from error


@contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Raise Damaged for an object that is not there, and Unavailable for what passes."""
    try:
        with naming_outages():
            yield
    except FileNotFoundError:
        raise Damaged(f"Object {name} is missing.") from None


def _whole(data: bytes, name: str, length: int) -> bytes:
    if len(data) != length:
        raise Damaged(f"Object {name} ends early.")
    return data


def _open(place: str) -> ObjectStore:
    if "://" in place:
        # An outage is waited for by whoever asked; here only what passes in a moment.
        return from_url(place, client_options=REMOTE, retry_config=RETRIES)
    return LocalStore(prefix=place, mkdir=True)


def _begin(call: Callable[[], T]) -> Future[T]:
    """Make a call in a thread, which nobody need wait for: not even a process that ends."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer


def _sync_file(path: Path) -> None:
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
