"""Polars: the lazy engine from NDJSON to CSV, structs unnested, on all cores."""

import sys

import polars as pl

SHAPE, STORED, OUT = sys.argv[1:4]


def flatten(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Unnest structs, the inner ones' names behind the outer ones'."""
    while structs := [name for name, kind in frame.collect_schema().items() if isinstance(kind, pl.Struct)]:
        frame = frame.unnest(structs, separator=".")
    return frame


rows = pl.scan_ndjson(f"{STORED}/responses.jsonl").explode("rows").unnest("rows")
if SHAPE.startswith("nested"):
    rows = rows.collect().lazy()  # read once for both tables
    flatten(rows.explode("lines")).sink_csv(f"{OUT}/rows.lines.csv")
    rows = rows.drop("lines")
flatten(rows).sink_csv(f"{OUT}/rows.csv")
