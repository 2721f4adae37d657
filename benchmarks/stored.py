"""Stored responses, as Swath keeps them and as a file of lines for the others."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.shapes import SHAPES, response
from swath.flow.segment import PageRecord, seal

#: Pages of a shard, as of an execution of many items.
SHARD = 1000


def store(bodies: Sequence[bytes], folder: Path, shard: int = SHARD) -> None:
    """Write `responses.jsonl`, a segment per `shard` of pages below `objects`, and `frames.json` of them."""
    (folder / "objects").mkdir(parents=True)
    with (folder / "responses.jsonl").open("wb") as lines:
        lines.writelines(body + b"\n" for body in bodies)
    shards = []
    for number, first in enumerate(range(0, len(bodies), shard)):
        pages = [_record(item, bodies[item]) for item in range(first, min(first + shard, len(bodies)))]
        data, (entry,) = seal({number: pages})
        (folder / "objects" / f"{number}.seg").write_bytes(data)
        frame = {"object": f"{number}.seg", "offset": entry.offset, "length": entry.length}
        shards.append([{**frame, "first": entry.first}])
    (folder / "frames.json").write_bytes(msgspec.json.encode(shards))


def _record(item: int, body: bytes) -> PageRecord:
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    url = f"https://api.example.com/orders/{item}"
    return PageRecord(item, 0, 1, "direct", 1_700_000_000_000 + item, 0.05, url, 200, headers, body, b"", 20)


if __name__ == "__main__":
    made = SHAPES[sys.argv[1]]
    numbers = range(int(sys.argv[2]))
    answers = [msgspec.json.encode(response(made, number)) for number in numbers]
    store(answers, Path(sys.argv[3]), int(sys.argv[4]))
