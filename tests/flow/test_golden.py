"""Answers as public APIs give them, and the tables that they become.

`golden/*.json` are after the manner of a forge's issues, a shop's orders, a graph's edges and nodes and a map
with keys that are data; `golden/*.csv` were made by the code and checked against the rules by eye.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swath.flow.definition import ChosenColumn
from swath.flow.files.writers import combine_csv, combine_jsonl
from swath.flow.layout import arrange_all
from swath.flow.rows import Extraction, Extractor, SourcePage
from swath.flow.rows.dynamic import find_dynamic
from swath.flow.table import name_files, order_tables, unite

GOLDEN = Path(__file__).with_name("golden")
#: So few keys that the map with dynamic keys is one.
THRESHOLD = {"rates": 3}


def tabulate(name: str, *, compiled: bool) -> dict[str, bytes]:
    """Extract an answer three times over, so that the compiled way has a shape to know."""
    body = (GOLDEN / f"{name}.json").read_bytes()
    threshold, paths = THRESHOLD.get(name, 500), ()
    while True:
        out = io.BytesIO()
        extraction = Extraction(input_names=("page",), key_value_threshold=threshold, key_value_paths=paths)
        extractor = Extractor(extraction, out, compiled=compiled)
        for item in range(3):
            extractor.feed(SourcePage(item, 0, {"page": item}, body))
        parts = extractor.finish()
        more: Any = find_dynamic(parts, threshold)
        if not more:
            break
        paths += more
    files = {}
    held = out.getvalue()
    tables = order_tables(unite(parts))
    for table, file in zip(tables, name_files(tables), strict=True):
        written = io.BytesIO()
        mine = [(part, lambda at, size: held[at : at + size]) for part in parts if part.path == table.path]
        combine_csv(table, mine, written)
        files[f"{name}.{file}.csv"] = written.getvalue()
    return files


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_tables_are_the_golden_ones(name: str, compiled: bool) -> None:
    """Every table, every byte, the compiled way and the readable one."""
    expected = {path.name: path.read_bytes() for path in GOLDEN.glob(f"{name}.*.csv")}
    assert tabulate(name, compiled=compiled) == expected


#: Golden files of recipes: the answer, the choice of columns by collection, the budget.
RECIPES: dict[str, tuple[str, dict[str, Any], int]] = {
    "chosen": (
        "orders",
        {
            "orders": (
                "input.page",
                ChosenColumn(path="orders.customer.id", name="customer"),
                "orders.id",
                "orders.not_there",
            ),
            "orders.line_items": (ChosenColumn(path="orders.id", name="order"), "*"),
        },
        2_000,
    ),
    "narrow": ("orders", {}, 6),
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_tables_of_recipes_are_the_golden_ones(recipe: str, output_format: Any) -> None:
    """Chosen, renamed and ordered columns, and those over a budget, in CSV and JSON lines."""
    name, columns, budget = RECIPES[recipe]
    out = io.BytesIO()
    typed = output_format == "jsonl" or recipe == "narrow"
    extraction = Extraction(input_names=("page",))
    extractor = Extractor(extraction, out, "jsonl" if typed else "csv")
    extractor.feed(SourcePage(0, 0, {"page": 0}, (GOLDEN / f"{name}.json").read_bytes()))
    parts, held = extractor.finish(), out.getvalue()
    tables = order_tables(unite(parts))
    arrange_all(tables, columns, budget)
    write: Callable[..., Any] = combine_jsonl
    if output_format == "csv":
        write = partial(combine_csv, typed=typed)
    files = {}
    for table, file in zip(tables, name_files(tables), strict=True):
        written = io.BytesIO()
        mine = [(part, lambda at, size: held[at : at + size]) for part in parts if part.path == table.path]
        write(table, mine, written)
        files[f"{recipe}.{file}.{output_format}"] = written.getvalue()
    expected = {
        path.name: path.read_bytes() for path in (GOLDEN / "recipes").glob(f"{recipe}.*.{output_format}")
    }
    assert files == expected
