"""JSON as it should be, as it should not be, and as it is sent all the same: taken exactly or refused."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import encode, extract, read_csv

from swath.flow.files.writers import combine_csv
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.rows.names import FIRST
from swath.flow.table import unite

#: A value of JSON, and the cell that it becomes.
TAKEN = [
    (b"0", "0"),
    (b"-0", "0"),
    (b"-0.0", "-0.0"),
    (b"1.0", "1.0"),
    (b"1E+2", "1E+2"),
    (b"1e-7", "1e-7"),
    (b"123456789012345678901234567890", "123456789012345678901234567890"),
    (b"0.1234567890123456789012345678901", "0.1234567890123456789012345678901"),
    (b"1e400", "1e400"),
    (b"true", "true"),
    (b"null", ""),
    (b'""', ""),
    (b'"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"', 'A/\b\f\n\r\t"\\'),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'"\xf0\x9f\x98\x80"', "\U0001f600"),
    (b'"\\u0000"', "\0"),
    (b'"\x7f"', "\x7f"),
    (b'"\\u2028\xe2\x80\xa9"', "\u2028\u2029"),
    (b'"\\uFEFF"', "\ufeff"),
    (b'"\xf4\x8f\xbf\xbf"', "\U0010ffff"),
    (b"[[[7]]]", "7"),
    (b"  \n\t\r 5 \n", "5"),
]
#: What is no JSON.
REFUSED = [
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"1e",
    b"0x10",
    b"--1",
    b"1 000",
    b"NaN",
    b"-Infinity",
    b"nul",
    b"True",
    b"'single'",
    b'"open',
    b'"\\x41"',
    b'"\\u12g4"',
    b'"line\nbreak"',
    b'"nul\x00"',
    b'"tab\t"',
    b"undefined",
    b"\xff",
    b"/* no */ 1",
]
#: Wholes that are none, where they stand alone.
BROKEN = [
    b"{",
    b"[",
    b"]",
    b"[1,]",
    b"[,1]",
    b"[1 2]",
    b'{"a" 1}',
    b'{"a":1,}',
    b"{a:1}",
    b'{"a":1}}',
    b'{"a":1} {"b":2}',
    b'{"a":}',
    b"{1:2}",
    b"[1}",
    b"<html>busy</html>",
    b'callback({"a":1})',
]


def cell_of(body: bytes) -> str:
    ((part, read),) = extract([body])
    (table,) = unite([part])
    out = io.BytesIO()
    combine_csv(table, [(part, read)], out)
    _, (cell,) = read_csv(out.getvalue().decode())
    return cell


@pytest.mark.parametrize(("value", "cell"), TAKEN, ids=[value.decode("latin-1") for value, _ in TAKEN])
@pytest.mark.parametrize("frame", [b'{"v":%s}', b'[{"v":%s}]', b'{"a":{"v":%s}}'])
def test_json_is_taken_exactly(value: bytes, cell: str, frame: bytes) -> None:
    """Numbers as they were written, texts character by character, wherever they stand."""
    if value == b"[[[7]]]":
        frame = b"%s"
    assert cell_of(frame.replace(b"%s", value)) == cell


@pytest.mark.parametrize("body", [b'{"v":%s}' % value for value in REFUSED] + REFUSED + BROKEN)
def test_what_is_no_json_is_refused_with_a_reason(body: bytes) -> None:
    """No row is taken from it, none of the pages around it suffers, and its place is named."""
    out = io.BytesIO()
    extractor = Extractor(Extraction(), out)
    for number, each in enumerate([b'{"v":1}', body, b'{"v":2}']):
        extractor.feed(SourcePage(number, 0, {}, each))
    (part,) = extractor.finish()
    assert (part.rows, extractor.counts.unparsable) == (2, 1)
    ((item, page, reason),) = extractor.unparsable
    assert (item, page, bool(reason)) == (1, 0, True)


shapes = st.recursive(
    st.just(0),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3),
    max_leaves=15,
)


@given(st.lists(shapes, min_size=1, max_size=4), st.booleans())
def test_every_scalar_comes_out_exactly_once_in_its_own_row(pages: list[Any], compiled: bool) -> None:
    """Beside what is carried onto children and the views of first elements, each value stands in one cell."""
    count = 0

    def number(value: Any) -> Any:
        nonlocal count
        if isinstance(value, list):
            return [number(each) for each in value]
        if isinstance(value, dict):
            return {key: number(each) for key, each in value.items()}
        count += 1
        return count

    bodies = [encode(number(page)) for page in pages]
    found = []
    sources = extract(bodies, compiled=compiled)
    for table in unite(part for part, _ in sources):
        out = io.BytesIO()
        combine_csv(table, [source for source in sources if source[0].path == table.path], out)
        own = [place for place, column in enumerate(table.own) if FIRST not in column]
        found += [row[place] for row in read_csv(out.getvalue().decode())[1:] for place in own if row[place]]
    assert sorted(map(int, found)) == list(range(1, count + 1))
