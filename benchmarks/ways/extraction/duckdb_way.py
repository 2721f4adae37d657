"""DuckDB: one statement per table, read and written by its own JSON and CSV code, on all cores."""

import sys

import duckdb

SHAPE, STORED, OUT = sys.argv[1:4]

connection = duckdb.connect()
connection.execute(
    f"CREATE TABLE t AS SELECT unnest(rows) AS r FROM read_ndjson('{STORED}/responses.jsonl')"
    if SHAPE.startswith("nested")
    else f"CREATE VIEW t AS SELECT unnest(rows) AS r FROM read_ndjson('{STORED}/responses.jsonl')"
)
if SHAPE.startswith("nested"):
    fields = [name for name, _ in connection.execute("SELECT r FROM t LIMIT 0").description[0][1].children]
    own = "struct_pack(" + ", ".join(f'"{name}" := r."{name}"' for name in fields if name != "lines") + ")"
    rows = f"SELECT unnest({own}, recursive := true) FROM t"
    lines = f"SELECT unnest(line, recursive := true), unnest(own, recursive := true) FROM (SELECT unnest(r.lines) AS line, {own} AS own FROM t)"  # noqa: E501
    connection.execute(f"COPY ({lines}) TO '{OUT}/rows.lines.csv' (HEADER)")
else:
    rows = "SELECT unnest(r) FROM t"
connection.execute(f"COPY ({rows}) TO '{OUT}/rows.csv' (HEADER)")
