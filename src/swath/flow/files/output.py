"""What files are written from and into: parts with what reads them, and a file that knows size and digest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from swath.flow.rows.fragments import Part

#: Reads a range of a shard's file: offset, length.
Read = Callable[[int, int], bytes]
Source = tuple[Part, Read]


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a file."""

    rows: int
    bytes: int
    sha256: str
    #: Texts that the format has no room for, and were cut.
    cut: int = 0


class Out:
    """A file that knows its size and digest."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._size += len(data)

    def close(self, rows: int) -> Written:
        return Written(rows, self._size, self._digest.hexdigest())


def measure(file: BinaryIO, rows: int) -> Written:
    """Return size and digest of a file that was not written from its beginning to its end."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while data := file.read(1 << 20):
        digest.update(data)
        size += len(data)
    return Written(rows, size, digest.hexdigest())
