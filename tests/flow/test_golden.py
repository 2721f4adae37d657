"""Answers as public APIs give them, and the tables that they become.

`golden/*.json` are after the manner of a forge's issues, a shop's orders, a graph's edges and nodes and a map
with keys that are data; `golden/*.csv` were made by the code and checked against the rules by eye.
"""

import io
from pathlib import Path
from typing import Any

import pytest

from swath.flow.files.writers import combine_csv
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
