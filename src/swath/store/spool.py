"""Items on their way into a collection: prepared once, kept on disk when they are many."""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import NamedTuple, Self

from swath.flow.items import DIGEST, Kind

#: Items kept in memory until they are written; within a group they stand in the order of their digests.
#: The database's index then grows in a few places at a time instead of everywhere: twice as fast.
GROUP = 100_000
#: Items of one transaction: short enough that other writers do not wait for long.
SLICE = 4_000
#: Bytes up to which a spool stays in memory.
SMALL = 1 << 20

_HEAD = Struct(f"<{DIGEST}sQI")


class Prepared(NamedTuple):
    """One item: its digest, its place among the items of the change, and its value as it is kept."""

    digest: bytes
    place: int
    value: str


class Spool:
    """The items of one change. Filled once by `add` and `finish`, then read by `slices`; closed by `with`."""

    def __init__(self, folder: Path) -> None:
        self.kind: Kind | None = None
        self.count = 0
        self._file = SpooledTemporaryFile(max_size=SMALL, dir=str(folder))  # noqa: SIM115 - closed by `close`
        self._group: list[Prepared] = []

    def add(self, digest: bytes, value: str) -> None:
        self._group.append(Prepared(digest, self.count, value))
        self.count += 1
        if len(self._group) == GROUP:
            self._flush()

    def finish(self) -> None:
        self._flush()

    def slices(self) -> Iterator[list[Prepared]]:
        """Yield all items, some thousand at a time; not in order, but of equal ones the first given first."""
        self._file.seek(0)
        while some := list(self._read(SLICE)):
            yield some

    def _flush(self) -> None:
        for digest, place, value in sorted(self._group):
            data = value.encode()
            self._file.write(_HEAD.pack(digest, place, len(data)))
            self._file.write(data)
        self._group.clear()

    def _read(self, count: int) -> Iterator[Prepared]:
        for _ in range(count):
            head = self._file.read(_HEAD.size)
            if not head:
                return
            digest, place, length = _HEAD.unpack(head)
            yield Prepared(digest, place, self._file.read(length).decode())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
