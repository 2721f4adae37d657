"""Rows for looking are those of the whole file, wherever one looks."""

import csv
import io
import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from swath.flow.files.peek import read_rows
from swath.flow.files.writers import combine_csv, combine_json
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.rows.fragments import Part
from swath.flow.table import unite

scalar = st.none() | st.booleans() | st.integers() | st.text()
row = st.dictionaries(st.text(max_size=3), scalar | st.lists(scalar, max_size=2), max_size=4)
answers = st.lists(
    st.lists(st.fixed_dictionaries({"rows": st.lists(row, max_size=3)}), max_size=3), max_size=3
)


def extract(answers: list[list[Any]], output_format: Any) -> list[tuple[Part, Any]]:
    """Extract each list of answers as a shard of its own."""
    sources = []
    for number, pages in enumerate(answers):
        out = io.BytesIO()
        extractor = Extractor(Extraction(input_names=("q",)), out, output_format)
        for page, body in enumerate(pages):
            extractor.feed(SourcePage(number, page, {"q": f"a,{page}"}, msgspec.json.encode(body)))
        held = out.getvalue
        parts = extractor.finish()
        sources += [(part, lambda at, size, held=held: held()[at : at + size]) for part in parts]
    return sources


@given(answers, st.integers(0, 12), st.integers(1, 12))
def test_csv_rows_are_those_of_the_file(answers: list[list[Any]], offset: int, limit: int) -> None:
    """From any offset, any number: the cells of the combined CSV, under its header; numbers as such."""
    sources = extract(answers, "csv")
    for table in unite(part for part, _ in sources):
        mine = [source for source in sources if source[0].path == table.path]
        out = io.BytesIO()
        combine_csv(table, mine, out)
        _, *rows = csv.reader(io.StringIO(out.getvalue().decode(), newline=""))
        expected = [dict(zip(table.header, row, strict=True)) for row in rows]
        found = json.loads(msgspec.json.encode(read_rows(table, mine, offset, limit, csv=True)))
        written = [{name: write(value) for name, value in row.items()} for row in found]
        assert written == expected[offset : offset + limit]
        for column in table.columns:
            if "string" not in table.kinds(column) and column.group != "inputs":
                assert not any(isinstance(row[column.name], str) and row[column.name] for row in found)


def write(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def test_rows_of_csv_have_their_types() -> None:
    """Digits as they were written; a column that has texts, too, is one of texts: `7` could be either."""
    body = [
        {"n": 1, "x": "007", "y": 1, "b": True, "f": 1.10},
        {"n": 2**70, "x": "", "y": "1", "b": None, "f": 1e5},
    ]
    sources = extract([[{"rows": body}]], "csv")
    (table,) = [table for table in unite(part for part, _ in sources) if table.name == "rows"]
    mine = [source for source in sources if source[0].path == table.path]
    first, second = json.loads(msgspec.json.encode(read_rows(table, mine, 0, 2, csv=True)))
    names = [f"rows.{name}" for name in "nxybf"]
    assert [first[name] for name in names] == [1, "007", "1", True, 1.1]
    assert [second[name] for name in names] == [2**70, "", "1", None, 100000.0]


@given(answers, st.integers(0, 12), st.integers(1, 12))
def test_json_rows_are_those_of_the_file(answers: list[list[Any]], offset: int, limit: int) -> None:
    """From any offset, any number: the values of the combined JSON, under the names of the CSV's header."""
    sources = extract(answers, "json")
    for table in unite(part for part, _ in sources):
        mine = [source for source in sources if source[0].path == table.path]
        out = io.BytesIO()
        combine_json(table, mine, out)
        names = {column.key: column.name for column in table.columns if column.group != "inputs"}
        blank = dict.fromkeys(table.header)
        expected = [
            blank
            | {names[key]: value for key, value in line["response"].items()}
            | {f"input.{key}": value for key, value in line["input"].items()}
            for line in json.loads(out.getvalue())
        ]
        found = json.loads(msgspec.json.encode(read_rows(table, mine, offset, limit, csv=False)))
        assert found == expected[offset : offset + limit]
