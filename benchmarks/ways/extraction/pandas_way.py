"""pandas as an expert would: orjson, json_normalize per batch, as many processes as cores, one CSV each."""

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

SHAPE, STORED, OUT = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
BATCH = 500
PARENTS = ["id", "name", "score", "active", "note"]


def batches() -> Iterator[tuple[int, list[bytes]]]:
    with (STORED / "responses.jsonl").open("rb") as lines:
        number = 0
        while batch := list(islice(lines, BATCH)):
            yield number, batch
            number += 1


def convert(job: tuple[int, list[bytes]]) -> list[str]:
    """Write the tables of one batch; return their names."""
    number, lines = job
    rows = [row for line in lines for row in orjson.loads(line)["rows"]]
    tables: dict[str, Any] = {}
    if SHAPE.startswith("nested"):
        below = [key for key, value in rows[0].items() if isinstance(value, dict)]
        meta: list[Any] = [*PARENTS, *(path for key in below for path in leaves(rows[0][key], [key]))]
        tables["rows.lines"] = pd.json_normalize(rows, record_path="lines", meta=meta, record_prefix="lines.")
        for row in rows:
            del row["lines"]
    tables["rows"] = pd.json_normalize(rows)
    for name, frame in tables.items():
        frame.to_csv(OUT / f"{name}.{number}", header=number == 0, index=False)
    return list(tables)


def leaves(value: dict[str, Any], path: list[str]) -> Iterator[list[str]]:
    for key, child in value.items():
        if isinstance(child, dict):
            yield from leaves(child, [*path, key])
        else:
            yield [*path, key]


if __name__ == "__main__":
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for number, names in enumerate(pool.map(convert, batches())):
            for name in names:
                part = OUT / f"{name}.{number}"
                with part.open("rb") as source, (OUT / f"{name}.csv").open("ab") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                part.unlink()
