"""Writers: whole files out of parts, also where shards know different columns."""

import csv
import hashlib
import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import combine, extract, files_of, parts_of, tables_of

from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.rows.fragments import Block, escape_marks, quote, rearrange, restore, split_cells, write_row


def test_shards_with_other_columns_are_brought_in_line() -> None:
    """Columns in another order, or fewer of them, cost their place but no value."""
    pages = [{"n": 1, "r": [{"a": 1, "b": 'x"1'}]}, {"m": 2, "r": [{"b": "y,\n2", "c": 3, "a": 4}]}]
    inputs = [{"i": "p"}, {"i": "q"}]
    text = files_of(pages, split=[1], inputs=inputs)["r"]
    assert text == 'r.a,r.b,r.c,n,m,input.i\n1,"x""1",,1,,p\n4,"y,\n2",3,,2,q\n'
    lines = files_of(pages, "jsonl", split=[1], inputs=inputs)["r"].splitlines()
    assert lines == [
        '{"input":{"i":"p"},"response":{"a":1,"b":"x\\"1","n":1}}',
        '{"input":{"i":"q"},"response":{"a":4,"b":"y,\\n2","c":3,"m":2}}',
    ]


def test_json_keys_that_collide_are_renamed_alike_in_all_shards() -> None:
    """A shard that met the colliding keys the other way round is rewritten; numbers keep their text."""
    pages = [b'[{"a.b":1.0,"a":{"b":2}}]', b'[{"a":{"b":3.50},"a.b":4}]']
    lines = files_of(pages, "jsonl", split=[1])["response"].splitlines()
    assert lines == [
        '{"input":{},"response":{"a.b":1.0,"a.b_2":2}}',
        '{"input":{},"response":{"a.b":4,"a.b_2":3.50}}',
    ]


def test_json_keys_that_need_escapes_are_moved_too() -> None:
    pages = [b'[{"q\\"":1,"a":2}]', b'[{"a":3.50,"q\\"":4}]']
    lines = files_of(pages, "jsonl", split=[1])["response"].splitlines()
    assert lines[1] == '{"input":{},"response":{"q\\"":4,"a":3.50}}'


def test_control_characters_survive() -> None:
    """The marks that part the groups of a row may also be in the data."""
    value = "\x1b\x1b0\x1b1\x1d\x1e\x1f"
    for count in (1, 3):
        text = files_of([[{"a": value, "b": [1]}]] * count, inputs=[{"i": value}] * count)["response"]
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert rows[1:] == [[value, "1", value]] * count


def test_no_rows_are_an_empty_file_all_the_same() -> None:
    """An execution with zero rows still gives a file: nothing in CSV and JSONL, an empty array in JSON."""
    for write, expected in ((combine_csv, b""), (combine_jsonl, b""), (combine_json, b"[]\n")):
        out = io.BytesIO()
        written = write(None, [], out)
        assert out.getvalue() == expected
        assert (written.rows, written.bytes) == (0, len(expected))
        assert written.sha256 == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize("output_format", ["csv", "json", "jsonl"])
def test_size_and_digest_are_those_of_the_bytes(output_format: str) -> None:
    sources = extract([[{"a": "é"}, {"b": 2}]] * 3, output_format, split=[1])
    (table,) = tables_of(sources)
    out = io.BytesIO()
    write: Any = {"csv": combine_csv, "json": combine_json, "jsonl": combine_jsonl}[output_format]
    written = write(table, parts_of(sources, table), out)
    assert written.rows == 6
    assert written.bytes == len(out.getvalue())
    assert written.sha256 == hashlib.sha256(out.getvalue()).hexdigest()


def test_json_is_one_array_with_a_row_per_line() -> None:
    text = files_of([[{"a": 1}], [{"a": 2}, {"a": 3}]], "json", split=[1])["response"]
    assert [each["response"]["a"] for each in json.loads(text)] == [1, 2, 3]
    assert len(text.splitlines()) == 5


def test_rows_without_any_column_are_still_rows() -> None:
    assert combine(extract([[{}, {}]], "jsonl"), "jsonl")["response"] == '{"input":{},"response":{}}\n' * 2
    assert combine(extract([[{}, {}]]))["response"] == "\n\n\n"


cells = st.lists(st.text(alphabet='ab",\n\r\x1b\x1d\x1e\x1f01é', max_size=5), max_size=3)


@given(own=cells, ancestors=cells, inputs=cells, more=st.tuples(*[st.integers(0, 2)] * 3))
def test_a_block_is_restored_into_any_wider_table(
    own: list[str], ancestors: list[str], inputs: list[str], more: tuple[int, int, int]
) -> None:
    """What the csv module reads is the cells, with empty ones where the block knows no column."""
    groups = own, ancestors, inputs
    if not any(groups) and not any(more):
        return
    first, second, third = (",".join(quote(escape_marks(cell)) for cell in group) for group in groups)
    row = write_row([first], second, third)
    block = Block(0, 0, 1, *map(len, groups), escaped="\x1b" in row)
    wide = [len(group) + extra for group, extra in zip(groups, more, strict=True)]
    text = restore((row * 2).encode(), block, *wide).decode()
    expected = [cell for group, extra in zip(groups, more, strict=True) for cell in group + [""] * extra]
    assert list(csv.reader(io.StringIO(text, newline=""))) == [expected] * 2


orders = st.permutations(range(4))


@given(own=cells, ancestors=cells, inputs=cells, order=orders, other=orders)
def test_cells_are_moved_whole(
    own: list[str], ancestors: list[str], inputs: list[str], order: list[int], other: list[int]
) -> None:
    """A block's cells come into any order, quoted or not; a place that it does not know is empty."""
    first, second, third = (",".join(quote(cell) for cell in each) for each in (own, ancestors, inputs))
    if any(mark in first + second + third for mark in "\x1b\x1d\x1e\x1f") or not (own and ancestors):
        return
    row = write_row([first], second, third)
    known = Block(0, 0, 1, len(own), len(ancestors), len(inputs))
    places = [place if place < len(own) else -1 for place in order]
    others = [place if place < len(ancestors) else -1 for place in other]
    for to, around in ((places, others), (places, None), (None, others)):
        moved_own = own if to is None else [[*own, ""][place] for place in to]
        moved_ancestors = ancestors if around is None else [[*ancestors, ""][place] for place in around]
        sizes = len(moved_own), len(moved_ancestors), len(inputs)
        moved = rearrange((row * 2).encode(), to, around, known)
        text = restore(moved, Block(0, 0, 2, *sizes), *sizes).decode()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert rows == [[*moved_own, *moved_ancestors, *inputs]] * 2


@pytest.mark.parametrize("text", ["x," * 100_000, '"' * 200_000, "\n" * 200_000])
def test_a_long_cell_is_taken_apart_in_the_room_that_it_takes(text: str) -> None:
    """Where columns are moved or chosen, rows are split into cells: a cell of 64 MB must not take 8 GB."""
    row = f"{quote(text)},1,{quote('a,b')}"
    tracemalloc.start()
    try:
        assert split_cells(row, 3) == [quote(text), "1", '"a,b"']
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(row)
