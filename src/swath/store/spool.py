"""Items on their way into a collection: prepared once, kept on disk when they are many."""

from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

import msgspec

from swath.flow.items import Kind

#: Items kept in memory until they are written; within a group they stand in the order of their digests.
#: The database's index then grows in a few places at a time instead of everywhere: twice as fast.
GROUP = 100_000
#: Items of one transaction: short enough that other writers do not wait for long.
SLICE = 4_000
#: Bytes up to which a spool stays in memory.
SMALL = 1 << 20

_LENGTH = Struct("<I")

#: One item: its digest, its place among the items of the change, and its value as it is kept.
Prepared = tuple[bytes, int, str]

_slices = msgspec.msgpack.Decoder(list[Prepared])


class Spool:
    """The items of one change. Filled once by `add` and `finish`, then read by `slices`; closed by `with`."""

    def __init__(self, folder: Path) -> None:
        self.kind: Kind | None = None
        self.count = 0
        self._file = SpooledTemporaryFile(max_size=SMALL, dir=str(folder))  # noqa: SIM115 - see `close`
        self._group: list[Prepared] = []

    def add(self, digest: bytes, value: str) -> None:
        self._group.append((digest, self.count, value))
        self.count += 1
        if len(self._group) == GROUP:
            self._flush()

    def finish(self) -> None:
        """Say that all items are in. Raises UnicodeEncodeError for text that cannot be stored."""
        self._flush()

    def slices(self) -> Iterator[list[Prepared]]:
        """Yield all items, some thousand at a time; not in order, but of equal ones the first given first."""
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            yield _slices.decode(self._file.read(*_LENGTH.unpack(head)))

    def _flush(self) -> None:
        self._group.sort()
        for start in range(0, len(self._group), SLICE):
            data = msgspec.msgpack.encode(self._group[start : start + SLICE])
            self._file.write(_LENGTH.pack(len(data)))
            self._file.write(data)
        self._group.clear()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
