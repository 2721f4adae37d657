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
#: Bytes at the end that tell how long the index is.
TAIL = _TAIL.size
#: Blocks kept in memory for each process and execution; a block of short ids is some 100 KB.
CACHED_BLOCKS = 8

#: A block: its object and its number there. The items of one. Where an object's blocks are: offset, length.
Place = tuple[str, int]
Block = list[Json]
Spans = list[tuple[int, int]]


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
    """Gives the element at a position of an axis, reading no more than the block around it: synchronously."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._indices: dict[str, Spans] = {}
        self._blocks: OrderedDict[Place, Block] = OrderedDict()

    def __call__(self, axis: Axis, position: int) -> Json:
        place, offset = place_of(axis, position)
        block = self._blocks.get(place)
        if block is None:
            block = self._blocks[place] = self._read(place)
            if len(self._blocks) > CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(place)
        return block[offset]

    def _read(self, place: Place) -> Block:
        name, number = place
        if name not in self._indices:
            self._indices[name] = self._read_index(name)
        return open_block(self._objects.read_range(name, *self._indices[name][number]))

    def _read_index(self, name: str) -> Spans:
        size = self._objects.size(name)
        length = read_tail(self._objects.read_range(name, size - TAIL, TAIL))
        return read_index(self._objects.read_range(name, size - TAIL - length, length))


def place_of(axis: Axis, position: int) -> tuple[Place, int]:
    """Return the block that holds a position of a stored axis, and where in it that is."""
    assert axis.snapshot is not None  # the plan knows the others
    number, offset = divmod(position, BLOCK)
    return (snapshot_name(*axis.snapshot), number), offset


def open_block(packed: bytes) -> Block:
    return msgspec.json.decode(zstandard.ZstdDecompressor().decompress(packed), type=list)


def read_tail(tail: bytes) -> int:
    """Return the length of the index, which the last bytes of a snapshot tell."""
    (length,) = _TAIL.unpack(tail)
    return int(length)


def read_index(encoded: bytes) -> Spans:
    return msgspec.json.decode(encoded, type=Spans)
