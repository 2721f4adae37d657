"""The stored form of responses: a sealed segment holds one compressed frame per shard.

    magic | frame of shard a | frame of shard b | ... | footer | footer length | crc32 of all before | magic

A frame is one zstd frame of page records, sorted by (item, page), and has its own crc32 in the footer, so
that a frame can be read and trusted alone. Records are msgpack arrays, each behind its length.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

import msgspec
import zstandard

from swath.errors import Damaged

MAGIC = b"SWATHSEG1"
#: Rows of a page that nothing needed to look into.
NOT_COUNTED = -1
#: Of zstd: higher levels cost up to half as much again, and make segments hardly smaller.
LEVEL = 1
#: Bytes that are compressed at a time.
PIECE = 256 * 1024
_TAIL = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
#: A frame's checksum and, behind it, the frame.
FRAME_HEAD = struct.Struct("<I")


class PageRecord(msgspec.Struct, array_like=True, frozen=True):
    """One finished page: what was asked and answered. `started` in ms since 1970, `elapsed` in seconds."""

    item: int
    page: int
    attempt: int
    exit: str
    started: int
    elapsed: float
    url: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    #: 8 bytes that stand for the page's rows, for the loop guard.
    digest: bytes = b""
    rows: int = 0
    #: What was tried in vain before: the exit, what came of it, and the seconds waited then.
    tries: list[tuple[str, str, float]] = []


class FrameEntry(msgspec.Struct, array_like=True, frozen=True):
    """A frame's line in the footer: where it is, and for each page (item, page, rows, digest)."""

    shard: int
    offset: int
    length: int
    pages: list[tuple[int, int, int, bytes]]

    @property
    def first(self) -> tuple[int, int]:
        """The smallest (item, page) in the frame."""
        return self.pages[0][0], self.pages[0][1]


def seal(pages: Mapping[int, Sequence[PageRecord]]) -> tuple[bytes, list[FrameEntry]]:
    """Return the bytes of a segment with these pages per shard, and the entries of its frames."""
    out = bytearray(MAGIC)
    entries = []
    for shard in sorted(pages):
        records = sorted(pages[shard], key=lambda record: (record.item, record.page))
        frame = _pack(records)
        entries.append(
            FrameEntry(shard, len(out), len(frame), [(r.item, r.page, r.rows, r.digest) for r in records])
        )
        out += frame
    footer = msgspec.msgpack.encode(entries)
    out += footer
    out += _LENGTH.pack(len(footer))
    out += _LENGTH.pack(crc32(out))
    out += MAGIC
    return bytes(out), entries


def _pack(records: Sequence[PageRecord]) -> bytes:
    """Return a frame; what is compressed already need not be held beside what is not."""
    packer = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    raw, packed = bytearray(), bytearray()
    for record in records:
        encoded = msgspec.msgpack.encode(record)
        raw += _LENGTH.pack(len(encoded))
        raw += encoded
        if len(raw) >= PIECE:
            packed += packer.compress(raw)
            raw.clear()
    packed += packer.compress(raw) + packer.flush()
    return FRAME_HEAD.pack(crc32(packed)) + packed


def open_frame(frame: bytes) -> Iterator[PageRecord]:
    """Yield the records of one frame, in order. Raises Damaged where the checksum does not fit."""
    (checksum,) = FRAME_HEAD.unpack_from(frame)
    packed = memoryview(frame)[FRAME_HEAD.size :]
    if crc32(packed) != checksum:
        raise Damaged("A frame's checksum does not match its bytes.")
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        yield from _records(reader)


def _records(reader: zstandard.ZstdDecompressionReader) -> Iterator[PageRecord]:
    decoder = msgspec.msgpack.Decoder(PageRecord)
    while head := reader.read(_LENGTH.size):
        (length,) = _LENGTH.unpack(head)
        yield decoder.decode(reader.read(length))


def read_footer(segment: bytes) -> list[FrameEntry]:
    """Return the entries of a whole segment. Raises Damaged where anything is missing or changed."""
    tail = len(segment) - len(MAGIC) - _TAIL.size
    if tail < len(MAGIC) or not segment.startswith(MAGIC) or not segment.endswith(MAGIC):
        raise Damaged("This is not a whole segment.")
    length, checksum = _TAIL.unpack_from(segment, tail)
    if crc32(memoryview(segment)[: tail + _LENGTH.size]) != checksum:
        raise Damaged("A segment's checksum does not match its bytes.")
    return msgspec.msgpack.decode(segment[tail - length : tail], type=list[FrameEntry])
