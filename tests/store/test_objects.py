"""Files become objects: by a link where that can be done, else by a copy; never by both names."""

import os
from pathlib import Path

import pytest

from swath.store.objects import MOST_PIECES, SMALLEST_PIECE, Objects, choose_piece


async def test_a_file_of_the_same_disk_is_not_copied(tmp_path: Path) -> None:
    """It keeps its place on the disk under its new name, and loses its old one."""
    objects = Objects(str(tmp_path / "objects"))
    file = tmp_path / "file"
    file.write_bytes(b"rows")
    before = os.stat(file).st_ino
    await objects.move_file("results/a/b.csv", file)
    assert not file.exists()
    assert os.stat(tmp_path / "objects" / "results" / "a" / "b.csv").st_ino == before
    assert objects.read("results/a/b.csv") == b"rows"


async def test_a_file_goes_where_links_do_not_lead(tmp_path: Path) -> None:
    """A store that is no folder gets the bytes, and the file is gone all the same."""
    objects = Objects("memory:///")
    file = tmp_path / "file"
    file.write_bytes(b"rows")
    objects.write_file("parts/1", file)
    assert objects.read("parts/1") == b"rows"
    await objects.move_file("results/a.csv", file)
    assert (await objects.get("results/a.csv"), file.exists()) == (b"rows", False)


@pytest.mark.parametrize("size", [0, 1, SMALLEST_PIECE, 50 << 30, (50 << 30) + 1, 1 << 40, 5 << 40])
def test_a_file_of_any_size_is_stored_in_no_more_pieces_than_s3_takes(size: int) -> None:
    """Ten thousand pieces of 5 MiB are 49 GiB: a larger file's are larger."""
    piece = choose_piece(size)
    assert piece >= SMALLEST_PIECE
    assert piece * MOST_PIECES >= size
