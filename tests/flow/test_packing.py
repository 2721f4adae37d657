"""Compressed files and archives: what comes out is what went in, and the bytes hold no date."""

import gzip
import io
import zipfile

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from swath.flow.files.packing import compress, pack


@given(st.binary(max_size=5_000))
def test_gzip_and_zstd_give_back_what_they_took(data: bytes) -> None:
    out = io.BytesIO()
    compress(io.BytesIO(data), out, "gzip")
    assert gzip.decompress(out.getvalue()) == data
    out = io.BytesIO()
    compress(io.BytesIO(data), out, "zstd")
    assert zstandard.ZstdDecompressor().decompressobj().decompress(out.getvalue()) == data


def test_gzip_holds_neither_a_date_nor_a_name() -> None:
    """The header's flags and its four bytes of time are zero."""
    out = io.BytesIO()
    compress(io.BytesIO(b"x"), out, "gzip")
    assert out.getvalue()[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_an_archive_holds_files_with_fixed_dates(name: str) -> None:
    """Files stand in their order, in pieces or whole; what is small already is only stored."""
    written = []
    for chunks in ([b"one", b"two"], [b"onetwo"]):
        out = io.BytesIO()
        pack([(name, 6, chunks), ("b.json", 2, [b"[]"])], out)
        written.append(out.getvalue())
    assert written[0] == written[1]
    with zipfile.ZipFile(io.BytesIO(written[0])) as archive:
        assert archive.testzip() is None
        assert {each.filename: archive.read(each) for each in archive.infolist()} == {
            name: b"onetwo",
            "b.json": b"[]",
        }
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
