"""Stored responses, as Swath keeps them and as a file of lines for the others."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from swath.flow.segment import PageRecord, seal

#: Pages of a shard, as of an execution of many items, and of a segment.
SHARD, SEGMENT = 1000, 1000


def store(bodies: Sequence[bytes], folder: Path) -> None:
    """Write `responses.jsonl`, segments below `objects`, and `frames.json`: of each shard, its frames."""
    (folder / "objects").mkdir(parents=True)
    with (folder / "responses.jsonl").open("wb") as lines:
        lines.writelines(body + b"\n" for body in bodies)
    shards = []
    for first in range(0, len(bodies), SHARD):
        frames = []
        for start in range(first, min(first + SHARD, len(bodies)), SEGMENT):
            some = range(start, min(start + SEGMENT, len(bodies)))
            data, (entry,) = seal({first // SHARD: [_record(number, bodies[number]) for number in some]})
            name = f"{start}.seg"
            (folder / "objects" / name).write_bytes(data)
            frames.append(
                {"object": name, "offset": entry.offset, "length": entry.length, "first": entry.first}
            )
        shards.append(frames)
    (folder / "frames.json").write_bytes(msgspec.json.encode(shards))


def _record(item: int, body: bytes) -> PageRecord:
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    url = f"https://api.example.com/orders/{item}"
    return PageRecord(item, 0, 1, "direct", 1_700_000_000_000 + item, 0.05, url, 200, headers, body, b"", 20)
