"""Parquet and Excel hold what CSV and JSON lines hold, cell by cell, and the same bytes in any split."""

import csv
import io
import json
import tracemalloc
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import duckdb
import openpyxl
import pytest
from arro3.io import read_parquet
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import extract, tables_of

from swath.flow.files.parquet import combine_parquet
from swath.flow.files.workbook import combine_xlsx
from swath.flow.files.writers import combine_csv, combine_jsonl
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.table import Table, unite

number = st.sampled_from(
    ["1.5", "-0.1", "1e3", "0.1000", "123456789.123456789123", "1e999", "9007199254740993"]
)
scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))
)
written = scalar.map(json.dumps) | number


@st.composite
def bodies(draw: Any) -> list[bytes]:
    """Draw pages of rows with two columns, each of few kinds, so that types are found as well as lost."""
    kinds = [
        draw(st.sampled_from([written, number, st.integers(-9, 9).map(str), st.booleans().map(json.dumps)]))
        for _ in range(2)
    ]
    pages = []
    for _ in range(draw(st.integers(1, 3))):
        rows = [
            "{"
            + ",".join(
                f'"{name}":{draw(kind)}'
                for name, kind in zip("ab", kinds, strict=True)
                if draw(st.booleans())
            )
            + "}"
            for _ in range(draw(st.integers(0, 4)))
        ]
        pages.append(f'{{"rows": [{",".join(rows)}]}}'.encode())
    return pages


def write(
    pages: list[bytes], combine: Any, output_format: Any, shard: int = 1, **options: Any
) -> dict[str, bytes]:
    """Extract pages, so many a shard, and combine each table; return files by table."""
    sources: list[Any] = []
    for first in range(0, len(pages), shard):
        out = io.BytesIO()
        extractor = Extractor(Extraction(input_names=("q",)), out, output_format)
        for item, body in enumerate(pages[first : first + shard], first):
            extractor.feed(SourcePage(item, 0, {"q": "=x"}, body))
        parts = extractor.finish()
        held = out.getvalue()
        sources += [(part, lambda at, size, held=held: held[at : at + size]) for part in parts]
    files = {}
    for table in unite(part for part, _ in sources):
        file = io.BytesIO()
        mine = [source for source in sources if source[0].path == table.path]
        assert combine(table, mine, file, **options).rows == table.rows
        files[table.name] = file.getvalue()
    return files


def read_cells(file: bytes) -> tuple[list[str], list[list[Any]]]:
    table = read_parquet(io.BytesIO(file)).read_all()
    columns = [[value.as_py() for value in table.column(name)] for name in table.column_names]
    return table.column_names, [list(row) for row in zip(*columns, strict=True)]


def same(cell: str, value: Any) -> bool:
    """Tell whether a cell of CSV says what a value is."""
    if value is None:
        return cell == ""
    if isinstance(value, bool):
        return cell == ("true" if value else "false")
    return cell == value if isinstance(value, str) else Decimal(cell) == Decimal(repr(value))


@given(bodies())
def test_parquet_agrees_with_csv(pages: list[bytes]) -> None:
    """Every cell of the CSV file is in the Parquet file, with its value, in its place; nulls are null."""
    texts, typed = write(pages, combine_csv, "csv"), write(pages, combine_parquet, "parquet")
    assert texts.keys() == typed.keys()
    for name, text in texts.items():
        header, *rows = csv.reader(io.StringIO(text.decode(), newline=""))
        names, values = read_cells(typed[name])
        assert names == header
        assert len(values) == len(rows)
        for row, value in zip(rows, values, strict=True):
            assert all(map(same, row, value)), (row, value)


@given(bodies())
def test_json_lines_agree_with_csv(pages: list[bytes]) -> None:
    """Every cell of the CSV file is a value of the JSON lines, numbers by their text, and no more."""
    texts, lines = write(pages, combine_csv, "csv"), write(pages, combine_jsonl, "jsonl")
    assert texts.keys() == lines.keys()
    for name, text in texts.items():
        _, *rows = csv.reader(io.StringIO(text.decode(), newline=""))
        values = [json.loads(line, parse_float=str) for line in lines[name].splitlines()]
        assert len(values) == len(rows)
        for row, value in zip(rows, values, strict=True):
            told = [*value["response"].values(), *value["input"].values()]
            assert [cell for cell in row if cell] == [cell for cell in map(say, told) if cell]


def say(value: Any) -> str:
    """Write a value as CSV does."""
    return "" if value is None else json.dumps(value) if isinstance(value, bool) else str(value)


@given(bodies(), st.integers(1, 3))
def test_bytes_do_not_depend_on_shards(pages: list[bytes], shard: int) -> None:
    """In one shard or in many: the same Parquet file."""
    whole = write(pages, combine_parquet, "parquet", len(pages))
    assert write(pages, combine_parquet, "parquet", shard) == whole


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("1 2", [1, 2]),
        ("1 2.5", [1.0, 2.5]),
        ("true null", [True, None]),
        ("1 true", ["1", "true"]),
        ("9007199254740993 0.5", ["9007199254740993", "0.5"]),
        ("9223372036854775808 1", ["9223372036854775808", "1"]),
        ("0.10000000000000000001 1", ["0.10000000000000000001", "1"]),
    ],
)
def test_types_lose_nothing(values: str, expected: list[Any]) -> None:
    """A type is taken where every value fits it exactly; else the column is text."""
    rows = ",".join(f'{{"a": {value}, "b": 0}}' for value in values.split())
    file = write([f'{{"rows": [{rows}]}}'.encode()], combine_parquet, "parquet")["rows"]
    found = [row[0] for row in read_cells(file)[1]]
    assert (found, [type(value) for value in found]) == (expected, [type(value) for value in expected])


def test_row_groups_of_long_rows_are_short(tmp_path: Path) -> None:
    """As many rows as memory bears of the longest, whatever the shards."""
    pages = [
        json.dumps({"rows": [{"a": "x" * (100 if page == 3 else 1)}] * 50}).encode() for page in range(6)
    ]
    files = [
        write(pages, combine_parquet, "parquet", shard, group_bytes=4_000)["rows"] for shard in (1, 2, 6)
    ]
    assert files[0] == files[1] == files[2]
    place = tmp_path / "rows.parquet"
    place.write_bytes(files[0])
    groups = duckdb.sql(f"SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('{place}')")
    assert [rows for _, rows in sorted(groups.fetchall())] == [20] * 15
    assert len(read_cells(files[0])[1]) == 300


@pytest.mark.parametrize("combine", [combine_parquet, partial(combine_csv, typed=True)])
def test_long_rows_are_written_a_few_at_a_time(combine: Any) -> None:
    """Forty megabytes of texts take no more memory than some of them do."""
    ((part, read),) = extract([{"rows": [{"a": "x" * 100_000}] * 20}] * 20, "jsonl")
    (table,) = tables_of([(part, read)])
    held = read(0, 1 << 30)
    tracemalloc.start()
    try:
        with TemporaryFile() as file:
            assert combine(table, [(part, lambda at, size: held[at : at + size])], file).rows == 400
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25_000_000


def test_names_that_parquet_cannot_hold_are_mended() -> None:
    """NUL becomes U+FFFD, and no name is there twice."""
    file = write([b'{"rows": [{"a\\u0000": 1, "a\\ufffd": 2}]}'], combine_parquet, "parquet")["rows"]
    assert read_cells(file) == (["rows.a\ufffd", "rows.a\ufffd_2", "input.q"], [[1, 2, "=x"]])


def test_integers_without_end_are_texts() -> None:
    """One of more digits than Python reads is kept, and does not stop the file."""
    digits = "7" * 5_000
    body = f'{{"rows": [{{"a": {digits}, "b": 1.5}}]}}'.encode()
    file = write([body], combine_parquet, "parquet")["rows"]
    assert read_cells(file)[1] == [[digits, 1.5, "=x"]]
    csv = write([body], partial(combine_csv, typed=True), "jsonl")["rows"]
    assert csv == f"rows.a,rows.b,input.q\n{digits},1.5,=x\n".encode()


def test_a_workbook_runs_nothing_and_loses_no_digit() -> None:
    """Formulas are texts, long numbers too; the bytes are the same each time."""
    body = (
        b'{"rows": [{"a": "=1+1", "b": 12345678901234567890, "c": 1.5, "d": true, "e": null, "f": "007",'
        b' "g": 5e-324, "h": 0.0}]}'
    )
    file = write([body], combine_xlsx, "xlsx")["rows"]
    assert file == write([body], combine_xlsx, "xlsx")["rows"]
    (sheet,) = openpyxl.load_workbook(io.BytesIO(file)).worksheets
    header, row = sheet.iter_rows()
    assert [cell.value for cell in header][:2] == ["rows.a", "rows.b"]
    values = ["=1+1", "12345678901234567890", 1.5, True, None, "007", "5e-324", 0, "=x"]
    assert [cell.value for cell in row] == values
    assert [row[0].data_type, row[8].data_type] == ["s", "s"]


def test_a_workbook_splits_at_its_limits() -> None:
    """More rows than a sheet has go on in the next, under the same header."""
    pages = [f'{{"rows": [{{"a": {n}, "b": {n}, "c": {n}}}]}}'.encode() for n in range(5)]
    file = write(pages, combine_xlsx, "xlsx", most_rows=3)["rows"]
    sheets = openpyxl.load_workbook(io.BytesIO(file)).worksheets
    rows = [[[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in sheets]
    assert [len(sheet) for sheet in rows] == [3, 3, 2]
    assert {tuple(sheet[0]) for sheet in rows} == {("rows.a", "rows.b", "rows.c", "input.q")}
    assert rows[2][1] == [4, 4, 4, "=x"]


def test_a_workbook_says_what_it_cut() -> None:
    """A cell takes 32,767 UTF-16 units; what is longer is cut between characters, and counted."""
    texts = ["x" * 32_767, "x" * 32_768, "\U0001f600" * 16_384]
    body = json.dumps({"rows": [{"a": text} for text in texts]}, ensure_ascii=False).encode()
    (part,) = extract([body], "jsonl")
    (table,) = tables_of([part])
    file = io.BytesIO()
    assert combine_xlsx(table, [part], file).cut == 2
    (sheet,) = openpyxl.load_workbook(file).worksheets
    cells = [cell.value for (cell,) in sheet.iter_rows(min_row=2)]
    assert cells == ["x" * 32_767, "x" * 32_767, "\U0001f600" * 16_383]


def test_nothing_is_a_file_too() -> None:
    """An execution without rows has a file that readers open."""
    for combine in (combine_parquet, combine_xlsx):
        file = io.BytesIO()
        assert combine(None, [], file).rows == 0
        assert file.getvalue()
    assert Table(()).header == []
