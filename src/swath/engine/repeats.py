"""Finds the rows of an execution that came before in another item; sorted apart on disk first, where many."""

import struct
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from swath.flow.rows.repeats import MARK, find_repeats, number_marks
from swath.store.objects import Objects

#: No more files than this are open at a time.
MOST_PILES = 200
_RECORD = struct.Struct(f"<II{MARK}s")


class RepeatJob(msgspec.Struct, frozen=True, kw_only=True):
    """The marks of all shards, in order: the shard's number, and where they are in which object."""

    place: str
    scratch: str
    marks: list[tuple[int, str, int, int]]
    #: So many marks are held at a time.
    at_a_time: int = 250_000


def find_repeated(job: RepeatJob) -> dict[int, bytes]:
    """Return the repeated rows by shard, as ascending numbers of four bytes each."""
    objects = Objects(job.place)
    total = sum(length for *_, length in job.marks) // MARK
    repeated: dict[int, array[int]] = {}
    if total <= job.at_a_time:
        find_repeats(_read(objects, job), repeated)
    else:
        with TemporaryDirectory(dir=job.scratch) as folder:
            for pile in _sort_apart(objects, job, Path(folder), min(total // job.at_a_time + 1, MOST_PILES)):
                find_repeats(_read_pile(pile), repeated)
    return {shard: array("I", sorted(numbers)).tobytes() for shard, numbers in repeated.items()}


def _read(objects: Objects, job: RepeatJob) -> Iterator[tuple[int, int, bytes]]:
    for shard, name, offset, length in job.marks:
        yield from number_marks(shard, objects.read_range(name, offset, length) if length else b"")


def _sort_apart(objects: Objects, job: RepeatJob, folder: Path, count: int) -> list[Path]:
    """Write the rows to files, those of one mark to the same one."""
    paths = [folder / str(number) for number in range(count)]
    with ExitStack() as stack:
        piles = [stack.enter_context(path.open("wb")) for path in paths]
        for row in _read(objects, job):
            piles[int.from_bytes(row[2][:4], "big") % count].write(_RECORD.pack(*row))
    return paths


def _read_pile(path: Path) -> Iterator[tuple[int, int, bytes]]:
    with path.open("rb") as pile:
        while records := pile.read(_RECORD.size * 10_000):
            yield from _RECORD.iter_unpack(records)
