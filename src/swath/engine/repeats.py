"""Finds the rows of an execution that came before in another item; sorted apart on disk first, where many."""

import struct
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from swath.flow.rows.repeats import MARK, find_repeats, number_marks
from swath.store.objects import Objects

#: No more files than this are open at a time.
MOST_PILES = 200
#: A row: its shard, its number there, its mark.
Marked = tuple[int, int, bytes]
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
    repeated = find_among(_read(objects, job), total, job.scratch, job.at_a_time)
    return {shard: numbers.tobytes() for shard, numbers in repeated.items()}


def find_among(rows: Iterable[Marked], total: int, scratch: str, at_a_time: int) -> "dict[int, array[int]]":
    """Return the numbers, ascending, of the rows whose mark came before, by shard. Memory does not grow."""
    repeated: dict[int, array[int]] = {}
    if total <= at_a_time:
        find_repeats(rows, repeated)
    else:
        with TemporaryDirectory(dir=scratch) as folder:
            for pile in _sort_apart(rows, Path(folder), min(total // at_a_time + 1, MOST_PILES)):
                find_repeats(_read_pile(pile), repeated)
    return {shard: array("I", sorted(numbers)) for shard, numbers in repeated.items()}


def _read(objects: Objects, job: RepeatJob) -> Iterator[Marked]:
    for shard, name, offset, length in job.marks:
        yield from number_marks(shard, objects.read_range(name, offset, length) if length else b"")


def _sort_apart(rows: Iterable[Marked], folder: Path, count: int) -> list[Path]:
    """Write the rows to files, those of one mark to the same one."""
    paths = [folder / str(number) for number in range(count)]
    with ExitStack() as stack:
        piles = [stack.enter_context(path.open("wb")) for path in paths]
        for row in rows:
            piles[int.from_bytes(row[2][:4], "big") % count].write(_RECORD.pack(*row))
    return paths


def _read_pile(path: Path) -> Iterator[Marked]:
    with path.open("rb") as pile:
        while records := pile.read(_RECORD.size * 10_000):
            yield from _RECORD.iter_unpack(records)
