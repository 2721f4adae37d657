"""Which columns a file shows: chosen, renamed, ordered, and no more of them than the budget."""

import csv
import io
import json
from typing import Any

import msgspec
import openpyxl
import pytest
from arro3.io import read_parquet
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.reference_rows import extract, parts_of, read_csv

from swath.errors import InvalidInput
from swath.flow.definition import ChosenColumn
from swath.flow.files.output import Source
from swath.flow.files.parquet import combine_parquet
from swath.flow.files.peek import read_rows
from swath.flow.files.workbook import combine_xlsx
from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.layout import arrange, arrange_all, check_columns, find_absent
from swath.flow.table import Table, unite

PAGES = [
    {"page": 1, "results": [{"id": 1, "name": 'A "x", y', "tags": ["t"]}, {"id": 2, "v": 1.50}]},
    {"page": 2, "results": [{"name": None, "id": 3, "late": [True]}]},
]
INPUTS: list[dict[str, Any]] = [{"user": "u,1", "n": 7}, {"user": "u2", "n": 8}]


def lay_out(choice: Any, budget: int = 2_000, output_format: str = "csv") -> tuple[Table, list[Source]]:
    sources = extract(PAGES, output_format, split=[1], inputs=INPUTS)
    table = next(table for table in unite(part for part, _ in sources) if table.name == "results")
    arrange(table, choice, budget)
    return table, parts_of(sources, table)


def write(combine: Any, table: Table, sources: list[Source], **options: Any) -> bytes:
    out = io.BytesIO()
    combine(table, sources, out, **options)
    return out.getvalue()


CHOICE = ("input.user", ChosenColumn(path="results.name", name="who"), "results.gone", "results.id", "page")


def test_columns_are_chosen_renamed_and_ordered_in_csv() -> None:
    """Just those named, in their order; one that no row has is an empty column."""
    assert write(combine_csv, *lay_out(CHOICE)).decode().splitlines() == [
        "input.user,who,results.gone,results.id,page",
        '"u,1","A ""x"", y",,1,1',
        '"u,1",,,2,1',
        "u2,,,3,2",
    ]


def test_columns_are_chosen_renamed_and_ordered_in_json() -> None:
    """Keys are relative where no name was given; inputs stay in `input`."""
    lines = write(combine_jsonl, *lay_out(CHOICE, output_format="jsonl")).decode().splitlines()
    assert lines == [
        '{"input":{"user":"u,1"},"response":{"who":"A \\"x\\", y","id":1,"page":1}}',
        '{"input":{"user":"u,1"},"response":{"id":2,"page":1}}',
        '{"input":{"user":"u2"},"response":{"who":null,"id":3,"page":2}}',
    ]
    whole = json.loads(write(combine_json, *lay_out(CHOICE, output_format="json")))
    assert whole == [json.loads(line) for line in lines]


def test_columns_are_chosen_renamed_and_ordered_in_parquet_and_excel() -> None:
    header = ["input.user", "who", "results.gone", "results.id", "page"]
    rows = [["u,1", 'A "x", y', None, 1, 1], ["u,1", None, None, 2, 1], ["u2", None, None, 3, 2]]
    table, sources = lay_out(CHOICE, output_format="jsonl")
    parquet = read_parquet(io.BytesIO(write(combine_parquet, table, sources))).read_all()
    assert parquet.column_names == header
    columns = [[value.as_py() for value in parquet.column(name)] for name in header]
    assert [list(row) for row in zip(*columns, strict=True)] == rows
    (sheet,) = openpyxl.load_workbook(io.BytesIO(write(combine_xlsx, table, sources))).worksheets
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [header, *rows]


def test_rows_for_looking_show_the_chosen_columns() -> None:
    table, sources = lay_out(CHOICE)
    assert json.loads(msgspec.json.encode(read_rows(table, sources, 2, 5, csv=True))) == [
        {"input.user": "u2", "who": "", "results.gone": "", "results.id": 3, "page": 2}
    ]


def test_a_star_stands_for_all_others() -> None:
    """It takes the columns that are not named, where it stands, in their usual order."""
    table, _ = lay_out(("page", "*", ChosenColumn(path="results.id", name="id")))
    assert table.header == [
        "page",
        "results.name",
        "results.tags[0]",
        "results.v",
        "results.late[0]",
        "input.user",
        "input.n",
        "id",
    ]


def test_other_columns_give_way_to_chosen_names() -> None:
    """In the header and among the keys of a row's JSON, whatever the order."""
    table, sources = lay_out(("*", ChosenColumn(path="page", name="results.id")), output_format="jsonl")
    assert table.header[0] == "results.id_2"
    table, sources = lay_out(
        ("results.id", ChosenColumn(path="results.name", name="id")), output_format="jsonl"
    )
    first = json.loads(write(combine_jsonl, table, sources).splitlines()[0])
    assert first["response"] == {"id_2": 1, "id": 'A "x", y'}


def test_what_was_chosen_for_nothing_is_told() -> None:
    sources = extract(PAGES)
    tables = unite(part for part, _ in sources)
    assert find_absent(tables, ["results", ""], ("no", "response"), {"no": ()}) == ["no"]
    assert arrange_all(tables, {"results": ("results.x", "*"), "no": ("a",)}, 9) == {"results": ["results.x"]}


@pytest.mark.parametrize(
    ("choice", "field", "told"),
    [
        ((), "columns.r", "Names no column"),
        (("a", "a"), "columns.r[1]", "two columns 'a'"),
        (("a", ChosenColumn(path="b", name="a")), "columns.r[1]", "two columns 'a'"),
        ((ChosenColumn(path="*", name="x"),), "columns.r[0]", "many columns"),
        (("",), "columns.r[0]", "Blank"),
        ((ChosenColumn(path="a", name=""),), "columns.r[0]", "blank"),
        (("*", "*"), "columns.r[1]", "two"),
    ],
)
def test_a_choice_that_cannot_be_followed_is_refused(choice: Any, field: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_columns({"r": choice})
    assert caught.value.fields[0][0] == field
    assert told in caught.value.fields[0][1]


def test_what_is_over_budget_stands_together() -> None:
    """The emptiest columns go into `_more`, as JSON with their types; inputs and chosen ones stay."""
    table, sources = lay_out(None, budget=5, output_format="jsonl")
    assert table.header == ["results.id", "page", "input.user", "input.n", "_more"]
    text = write(combine_csv, table, sources, typed=True).decode()
    assert read_csv(text)[1:] == [
        ["1", "1", "u,1", "7", '{"results.name":"A \\"x\\", y","results.tags[0]":"t"}'],
        ["2", "1", "u,1", "7", '{"results.v":1.5}'],
        ["3", "2", "u2", "8", '{"results.name":null,"results.late[0]":true}'],
    ]
    lines = [json.loads(line) for line in write(combine_jsonl, table, sources).splitlines()]
    assert lines[2]["response"] == {
        "id": 3,
        "page": 2,
        "_more": {"results.name": None, "results.late[0]": True},
    }
    parquet = read_parquet(io.BytesIO(write(combine_parquet, table, sources))).read_all()
    assert parquet.column("_more")[1].as_py() == '{"results.v":1.5}'
    (shown,) = json.loads(msgspec.json.encode(read_rows(table, sources, 1, 1, csv=False)))
    assert shown["_more"] == {"results.v": 1.5}


def test_a_chosen_column_stays_however_empty() -> None:
    table, _ = lay_out(("results.late[0]", "*"), budget=4)
    assert table.header == ["results.late[0]", "input.user", "input.n", "_more"]


def test_numbers_over_budget_keep_their_digits() -> None:
    """What stands together has each number as it was written."""
    sources = extract([b'[{"a":1,"b":1.10,"c":123456789012345678901234567890}]'], "jsonl")
    (table,) = unite(part for part, _ in sources)
    arrange(table, None, 2)
    text = write(combine_csv, table, sources, typed=True).decode()
    assert read_csv(text)[1] == ["1", '{"b":1.10,"c":123456789012345678901234567890}']


scalar = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from([0.5, -1e300])
rows = st.lists(st.dictionaries(st.sampled_from("abcdef"), scalar, max_size=6), min_size=1, max_size=6)


@given(st.lists(rows, min_size=1, max_size=4), st.integers(2, 7), st.data())
def test_a_budget_drops_nothing_and_knows_no_shards(pages: list[Any], budget: int, data: Any) -> None:
    """All values of a row are in its line, each once; in any split the bytes are the same."""
    split = data.draw(st.lists(st.integers(1, max(len(pages) - 1, 1)), unique=True).map(sorted))
    files = []
    for cuts in ([], [cut for cut in split if cut < len(pages)]):
        sources = extract(pages, "jsonl", split=cuts)
        tables = unite(part for part, _ in sources)
        for table in tables:
            arrange(table, None, budget)
            assert len(table.columns) <= budget
        files.append(
            [
                (write(combine_csv, each, sources, typed=True), write(combine_jsonl, each, sources))
                for each in tables
            ]
        )
    assert files[0] == files[1]
    for text, lines in files[0]:
        header, *records = csv.reader(io.StringIO(text.decode(), newline=""))
        told = []
        for line in lines.splitlines():
            response = json.loads(line)["response"]
            told.append(response | response.pop("_more", {}))
        assert told == [row for page in pages for row in page]
        assert len(records) == len(told)
        assert len(header) <= budget


@given(st.lists(rows, min_size=1, max_size=4), st.booleans())
def test_kinds_are_counted_value_by_value(pages: list[Any], compiled: bool) -> None:
    """Of every column: how many values of which kind, in order of first appearance, the fast way or not."""
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    for output_format in ("csv", "jsonl"):
        (table,) = unite(part for part, _ in extract(pages, output_format, compiled=compiled))
        for column in table.columns:
            expected: dict[str, int] = {}
            for row in (row for page in pages for row in page if column.name in row):
                kind = names[type(row[column.name])]
                expected[kind] = expected.get(kind, 0) + 1
            found = table.kinds(column)
            assert (found, list(found)) == (expected, list(expected))


def test_kinds_of_what_is_carried_onto_children_are_counted_by_their_rows() -> None:
    """A parent's scalar counts once for each child, the fast way and the readable one."""
    pages = [{"p": [{"a": n or None, "c": [1] * n} for n in range(page % 3, 4)]} for page in range(9)]
    counted = []
    for compiled in (True, False):
        tables = unite(part for part, _ in extract(pages, compiled=compiled))
        table = next(table for table in tables if table.name == "p.c")
        counted.append([(column.name, table.kinds(column)) for column in table.columns])
    rows = sum(n for page in range(9) for n in range(page % 3, 4))
    assert counted[0] == counted[1] == [("p.c", {"integer": rows}), ("p.a", {"integer": rows})]


@given(st.lists(rows, min_size=1, max_size=4), st.booleans())
def test_csv_of_json_parts_is_that_of_csv_parts(pages: list[Any], guarded: bool) -> None:
    """Where the parts had to hold JSON, the CSV file is the same, byte for byte."""
    inputs = [{"q": "=1,"}] * len(pages)
    plain = extract(pages, inputs=inputs, spreadsheet_safe=guarded)
    typed = extract(pages, "jsonl", inputs=inputs)
    (table,), (other,) = (unite(part for part, _ in sources) for sources in (plain, typed))
    first = write(combine_csv, table, plain, spreadsheet_safe=guarded)
    assert write(combine_csv, other, typed, spreadsheet_safe=guarded, typed=True) == first


@given(st.lists(rows, min_size=1, max_size=4), st.data())
def test_any_choice_is_followed_alike_in_all_formats(pages: list[Any], data: Any) -> None:
    """CSV picked out of cells, CSV written from values, JSON lines and Parquet agree on a choice."""
    inputs = [{"q": f"q{number},"} for number in range(len(pages))]
    every = ["a", "b", "c", "gone", "input.q", "*"]
    names = data.draw(st.permutations(every))[: data.draw(st.integers(1, 6))]
    renamed = data.draw(st.sets(st.sampled_from(names))) - {"*"}
    choice = [ChosenColumn(path=name, name=f"{name} too") if name in renamed else name for name in names]
    files = []
    for output_format in ("csv", "jsonl"):
        sources = extract(pages, output_format, inputs=inputs, split=range(1, len(pages)))
        (table,) = unite(part for part, _ in sources)
        arrange(table, choice, 2_000)
        files.append((table, sources))
    (table, plain), (other, typed) = files
    text = write(combine_csv, table, plain)
    assert write(combine_csv, other, typed, typed=True) == text
    header, *records = csv.reader(io.StringIO(text.decode(), newline=""))
    assert header == table.header
    lines = [json.loads(line, parse_float=str) for line in write(combine_jsonl, other, typed).splitlines()]
    parquet = read_parquet(io.BytesIO(write(combine_parquet, other, typed))).read_all()
    assert parquet.column_names == header
    for number, record in enumerate(records):
        values = {
            **lines[number]["response"],
            **{f"input {key}": v for key, v in lines[number]["input"].items()},
        }
        for column, cell in zip(table.columns, record, strict=True):
            key = f"input {column.key}" if column.group == "inputs" else column.key
            assert same(cell, values.get(key))
            assert same(cell, parquet.column(column.name)[number].as_py())


def same(cell: str, value: Any) -> bool:
    """Tell whether a cell of CSV says what a value is."""
    if isinstance(value, bool) or value is None:
        return cell == {True: "true", False: "false", None: ""}[value]
    return cell == value if isinstance(value, str) else float(cell) == float(value)
