"""Frozen lists in blocks that any worker can index.

A snapshot object is `block | block | ... | index | index length`: a block is a zstd frame of up to 4,096
items as one JSON array, the index a JSON list of [offset, length]. Item *i* stands in block *i* // 4,096.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import IO

import msgspec
import zstandard

from swath.flow.definition import Axis, Json
from swath.store.objects import Objects

BLOCK = 4096
_TAIL = struct.Struct("<I")
#: Blocks kept in memory for each process and execution; a block of short ids is some 100 KB.
CACHED_BLOCKS = 8


def snapshot_name(number: int, version: int) -> str:
    return f"inputs/{number}/{version}.items"


def write_blocks(values: Iterable[Json], out: IO[bytes]) -> None:
    """Write `values` in the form of a snapshot object."""
    index: list[tuple[int, int]] = []
    offset = 0
    remaining = iter(values)
    while block := list(islice(remaining, BLOCK)):
        packed = zstandard.ZstdCompressor().compress(msgspec.json.encode(block))
        out.write(packed)
        index.append((offset, len(packed)))
        offset += len(packed)
    encoded = msgspec.json.encode(index)
    out.write(encoded)
    out.write(_TAIL.pack(len(encoded)))


class Elements:
    """Gives the element at a position of an axis, reading no more than the block around it."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._indices: dict[str, list[tuple[int, int]]] = {}
        self._blocks: OrderedDict[tuple[str, int], list[Json]] = OrderedDict()

    def __call__(self, axis: Axis, position: int) -> Json:
        assert axis.snapshot is not None  # the plan knows the others
        number, offset = divmod(position, BLOCK)
        return self._block(snapshot_name(*axis.snapshot), number)[offset]

    def _block(self, name: str, number: int) -> list[Json]:
        block = self._blocks.get((name, number))
        if block is None:
            offset, length = self._index(name)[number]
            packed = self._objects.read_range(name, offset, length)
            block = msgspec.json.decode(zstandard.ZstdDecompressor().decompress(packed), type=list)
            self._blocks[name, number] = block
            if len(self._blocks) > CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end((name, number))
        return block

    def _index(self, name: str) -> list[tuple[int, int]]:
        if name not in self._indices:
            size = self._objects.size(name)
            (length,) = _TAIL.unpack(self._objects.read_range(name, size - _TAIL.size, _TAIL.size))
            encoded = self._objects.read_range(name, size - _TAIL.size - length, length)
            self._indices[name] = msgspec.json.decode(encoded, type=list[tuple[int, int]])
        return self._indices[name]
