"""An index gives back the parts that it was made of, from any row on, reading no more than it needs."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import extract

from swath.flow.files.index import LENGTH, Index, IndexWriter
from swath.flow.rows.fragments import Part

value = st.integers() | st.lists(st.integers())
row = st.dictionaries(st.sampled_from(["a", "b", "a.b", "c"]), value, max_size=3)
answer = st.fixed_dictionaries({"r": st.lists(row, max_size=3), "n": st.integers()})
answers = st.lists(answer, min_size=1, max_size=6)


def tell(parts: list[Part]) -> list[Any]:
    return [
        (part.own, part.ancestors, part.own_keys, part.ancestor_keys, part.blocks, part.rows)
        for part in parts
    ]


def write(bodies: list[Any], output_format: str) -> tuple[bytes, list[Part], IndexWriter]:
    """Index the bodies, each a shard of its own; return the index and the parts."""
    writer = IndexWriter()
    parts = []
    for number, body in enumerate(bodies):
        mine = [part for part, _ in extract([body], output_format)]
        writer.add(f"object {number}", mine)
        parts += mine
    return writer.write(writer.union.tables(), typed=output_format != "csv"), parts, writer


@given(answers, st.sampled_from(["csv", "jsonl"]), st.integers(0, 9))
def test_the_parts_come_back(bodies: list[Any], output_format: str, skip: int) -> None:
    """Columns, keys and blocks of each part in the order of the shards, from the one with a given row on."""
    written, parts, _ = write(bodies, output_format)
    index = Index(lambda offset, length: written[offset : offset + length], len(written))
    assert index.typed == (output_format != "csv")
    for number, table in enumerate(index.tables):
        mine = [part for part in parts if part.path == table.path]
        sources, left = index.sources(number, lambda *_: b"", skip)
        found = [part for part, _ in sources]
        kept = mine[len(mine) - len(found) :]
        assert sum(part.rows for part in mine[: len(mine) - len(found)]) + left == skip or not found
        assert tell(found) == tell(kept)


def test_many_shards_of_one_layout_take_little() -> None:
    """A thousand shards of twenty columns: some tens of bytes each, for their layout is written once."""
    body = {"r": [{f"column {number}": number for number in range(20)}]}
    (part,) = [part for part, _ in extract([body])]
    writer = IndexWriter()
    for number in range(1_000):
        writer.add(f"{number}", [part])
    assert len(writer.write(writer.union.tables(), typed=False)) < 40_000


def test_one_table_is_read_without_the_others() -> None:
    """To open an index and look at one of many tables, a small part of it is read."""
    body = {f"r{table}": [{"a": 1}] for table in range(100)}
    writer = IndexWriter()
    parts = [part for part, _ in extract([body])]
    for number in range(100):
        writer.add(f"{number}", parts)
    written, reads = writer.write(writer.union.tables(), typed=False), []

    def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return written[offset : offset + length]

    index = Index(read, len(written))
    sources, _ = index.sources(7, lambda *_: b"")
    assert len(list(sources)) == 100
    assert sum(reads) < len(written) / 5


def test_an_index_of_an_earlier_version_can_be_read() -> None:
    """Executions that ended before still show their rows: what their header does not say is as usual."""
    written, _, _ = write([{"r": [{"a": 1}]}], "csv")
    (length,) = LENGTH.unpack(written[-LENGTH.size :])
    start = len(written) - LENGTH.size - length
    header = msgspec.msgpack.decode(written[start : -LENGTH.size])
    del header["guarded"]
    older = msgspec.msgpack.encode(header)
    written = written[:start] + older + LENGTH.pack(len(older))
    index = Index(lambda offset, length: written[offset : offset + length], len(written))
    assert (index.guarded, [table.name for table in index.tables]) == (False, ["r"])
