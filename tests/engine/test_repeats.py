"""Repeated rows over all shards: few at once, or sorted apart on disk, with the same result."""

from array import array
from hashlib import blake2b
from pathlib import Path

import pytest

from swath.engine.repeats import RepeatJob, find_repeated
from swath.flow.rows.repeats import MARK
from swath.store.objects import Objects


def mark(number: int) -> bytes:
    return blake2b(str(number).encode(), digest_size=MARK).digest()


@pytest.mark.parametrize("at_a_time", [10_000, 50])
def test_later_rows_are_named_by_shard(tmp_path: Path, at_a_time: int) -> None:
    """Of three shards of a hundred rows that overlap by half, the halves that came before."""
    objects = Objects(str(tmp_path / "objects"))
    marks = []
    for shard in range(3):
        file = tmp_path / f"{shard}"
        file.write_bytes(b"head" + b"".join(mark(number) for number in range(shard * 50, shard * 50 + 100)))
        objects.write_file(f"parts/{shard}", file)
        marks.append((shard, f"parts/{shard}", 4, 100 * MARK))
    job = RepeatJob(place=objects.place, scratch=str(tmp_path), marks=marks, at_a_time=at_a_time)
    expected = array("I", range(50)).tobytes()
    assert find_repeated(job) == {1: expected, 2: expected}
