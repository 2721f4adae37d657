"""Files made smaller, and several in one: the same bytes each time, for they hold no date of their making."""

import gzip
import shutil
import zipfile
from collections.abc import Iterable
from typing import BinaryIO

import zstandard

from swath.flow.definition import Compression

#: What a compressed file's name ends with.
ENDINGS: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
MEDIA_TYPES = {".gz": "application/gzip", ".zst": "application/zstd", ".zip": "application/zip"}
#: What a result is called that holds all others.
ARCHIVE = "zip"
CHUNK = 1 << 20


def compress(source: BinaryIO, out: BinaryIO, compression: Compression) -> None:
    """Write a file's bytes compressed."""
    if compression == "gzip":
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0) as packed:
            shutil.copyfileobj(source, packed, CHUNK)
    elif compression == "zstd":
        zstandard.ZstdCompressor(level=3).copy_stream(source, out, read_size=CHUNK)
    else:
        shutil.copyfileobj(source, out, CHUNK)


def pack(files: Iterable[tuple[str, int, Iterable[bytes]]], out: BinaryIO) -> None:
    """Write files (name, size and bytes of each) as one ZIP archive."""
    with zipfile.ZipFile(out, "w") as archive:
        for name, size, chunks in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            entry.file_size = size
            with archive.open(entry, "w") as file:
                for chunk in chunks:
                    file.write(chunk)


#: What would not become smaller.
_PACKED = (".gz", ".zst", ".parquet", ".xlsx")
