"""What others read of our files is what the upstream said: csv, pandas, DuckDB, Polars and openpyxl."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas
import polars
import pytest
from tests.flow.reference_rows import extract

from swath.flow.files.output import Source
from swath.flow.files.parquet import combine_parquet
from swath.flow.files.workbook import combine_xlsx
from swath.flow.files.writers import combine_csv, combine_json, combine_jsonl
from swath.flow.table import Table, unite

#: What makes readers of CSV stumble, each in the middle of a row.
TEXTS = [
    "plain",
    "with, comma",
    'with "quotes"',
    '"',
    '""',
    '","',
    "two\nlines",
    "two\r\nlines",
    "lone\rreturn",
    "\n",
    " spaces around ",
    "\ttab\t",
    "",
    "=1+1",
    "-",
    "'",
    "null",
    "NULL",
    "NaN",
    "N/A",
    "true",
    "007",
    "1e5",
    "2024-02-30",
    '{"json": "inside"}',
    "semi;colon|pipe",
    "# no comment",
    "back\\slash \\n",
    "ünïcødé 漢字 \U0001f600",
    "\ufeffmark",
    "\u2028line separator",
]
ROWS = [{"n": n, "text": text, "end": f"e{n}"} for n, text in enumerate(TEXTS)]
HEADER = ["n", "text", "end"]
CELLS = [[str(row["n"]), row["text"], row["end"]] for row in ROWS]


def write(path: Path, combine: Any, output_format: Any, rows: Any = ROWS) -> Path:
    table, sources = tabulate(rows, output_format)
    with path.open("w+b") as out:
        combine(table, sources, out)
    return path


def tabulate(rows: Any, output_format: Any) -> tuple[Table, list[Source]]:
    sources = extract([rows[:7], rows[7:]], output_format, split=[1])
    (table,) = unite(part for part, _ in sources)
    return table, sources


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "rows.csv", combine_csv, "csv")


def test_csv_by_the_csv_module(table: Path) -> None:
    with table.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file, strict=True)) == [HEADER, *CELLS]


def test_csv_by_pandas(table: Path) -> None:
    frame = pandas.read_csv(table, dtype=str, keep_default_na=False, lineterminator="\n")
    assert list(frame.columns) == HEADER
    assert frame.to_numpy().tolist() == CELLS


def test_csv_by_polars(table: Path) -> None:
    frame = polars.read_csv(table, infer_schema=False, empty_string_is_null=False)
    assert frame.columns == HEADER
    assert [list(row) for row in frame.rows()] == CELLS


def test_csv_by_duckdb(table: Path) -> None:
    """Empty cells come as null, as it reads them."""
    options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', new_line = '\\n'"
    found = duckdb.sql(f"SELECT * FROM read_csv('{table}', {options})")
    assert found.columns == HEADER
    assert [[cell or "" for cell in row] for row in found.fetchall()] == CELLS


def test_json_lines_by_polars_and_duckdb(tmp_path: Path) -> None:
    lines = write(tmp_path / "rows.jsonl", combine_jsonl, "jsonl")
    assert polars.read_ndjson(lines)["response"].to_list() == ROWS
    found = duckdb.sql(f"SELECT response FROM read_json('{lines}', format = 'newline_delimited')").fetchall()
    assert [row["text"] for (row,) in found] == TEXTS


def test_json_by_the_json_module_and_pandas(tmp_path: Path) -> None:
    whole = write(tmp_path / "rows.json", combine_json, "json")
    assert [row["response"] for row in json.loads(whole.read_bytes())] == ROWS
    assert [row["text"] for row in pandas.read_json(whole, dtype=False)["response"]] == TEXTS


TYPED = [
    {"whole": 1, "half": 0.5, "yes": True, "text": "a", "mixed": 1, "large": 9_007_199_254_740_993},
    {"whole": -(2**62), "half": 1e300, "yes": False, "text": None, "mixed": "x", "large": 2},
    {"whole": None, "half": 3, "yes": None, "text": "", "mixed": True, "large": 1},
] * 3


def test_parquet_by_pandas_polars_and_duckdb(tmp_path: Path) -> None:
    """Types are what the values are; what does not fit one is text; nulls are null."""
    file = write(tmp_path / "rows.parquet", combine_parquet, "parquet", TYPED)
    frame = polars.read_parquet(file)
    kinds = [polars.Int64, polars.Float64, polars.Boolean, polars.String, polars.String, polars.Int64]
    assert frame.dtypes == kinds
    expected = [{**row, "mixed": {1: "1", "x": "x"}.get(row["mixed"], "true")} for row in TYPED]
    for row, number in zip(expected, range(len(TYPED)), strict=True):
        row["mixed"] = ["1", "x", "true"][number % 3]
    assert frame.to_dicts() == expected
    names = ", ".join(f'"{name}"' for name in TYPED[0])
    found = duckdb.sql(f"SELECT {names} FROM '{file}'").fetchall()
    assert found == [tuple(row.values()) for row in expected]
    read = pandas.read_parquet(file, dtype_backend="numpy_nullable")
    assert read["whole"].dropna().tolist() == [row["whole"] for row in TYPED if row["whole"] is not None]


def test_a_workbook_by_openpyxl_and_pandas(tmp_path: Path) -> None:
    """Every text is a text, but that a workbook knows no empty one and reads a return as a line's end."""
    file = write(tmp_path / "rows.xlsx", combine_xlsx, "jsonl")
    (sheet,) = openpyxl.load_workbook(file).worksheets
    header, *rows = ([cell.value for cell in row] for row in sheet.iter_rows())
    assert header == HEADER
    texts = [text.replace("\r\n", "\n") for text in TEXTS]
    assert [row[0] for row in rows] == list(range(len(TEXTS)))
    assert [(row[1] or "").replace("_x000D_", "\r").replace("\r\n", "\n") for row in rows] == texts
    frame = pandas.read_excel(io.BytesIO(file.read_bytes()), dtype={"text": str}, keep_default_na=False)
    assert frame["n"].tolist() == list(range(len(TEXTS)))
