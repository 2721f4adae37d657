"""How the cost of extraction and combination grows with items, pages, columns and depth."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.choice import Choice
from benchmarks.measure import fresh_folder
from benchmarks.report import table
from swath.engine.extract import Frame, MapJob, ReduceJob, map_shard, reduce_table
from swath.flow.files.index import IndexWriter
from swath.flow.rows import Extraction
from swath.flow.segment import PageRecord, seal

STEPS = (1, 2, 4, 8)
ROWS = 20
#: Items of a shard.
SHARD = 1_000
#: Item, page and body of each response.
Pages = list[tuple[int, int, bytes]]


def measure(choice: Choice) -> str:
    rows = [_grow(name, make, per, choice) for name, make, per in DIMENSIONS]
    head = ("", *(f"×{step}" for step in STEPS), "×8 against ×1, per unit")
    return f"""## Growth: CPU seconds as one thing grows

Map and reduce steps of stored responses to CSV in one process, medians of {choice.rounds} runs. Each line
lets one thing grow and holds the others; the last column is 1.00 where the cost of a unit stays the same.

{table(head, rows)}
"""


def _grow(name: str, make: Callable[[int], Pages], per: Callable[[int], float], choice: Choice) -> list[str]:
    costs = []
    for step in STEPS:
        pages = make(step)
        costs.append(statistics.median(_cost(pages) for _ in range(choice.rounds)))
        print(f"{name} ×{step}: {costs[-1]:.2f} s", flush=True)
    ratio = (costs[-1] / per(STEPS[-1])) / (costs[0] / per(STEPS[0]))
    return [name, *(f"{cost:.2f}" for cost in costs), f"{ratio:.2f}"]


def _row(columns: int) -> dict[str, Any]:
    return {f"c{n}": n * 7 if n % 2 else f"word {n}" for n in range(columns)}


def _body(rows: int = ROWS, columns: int = 10) -> bytes:
    return msgspec.json.encode({"rows": [_row(columns)] * rows})


def _items(step: int) -> Pages:
    return [(item, 0, _body()) for item in range(2_000 * step)]


def _pages(step: int) -> Pages:
    return [(item, page, _body()) for item in range(20) for page in range(100 * step)]


def _columns(step: int) -> Pages:
    return [(item, 0, _body(columns=10 * step)) for item in range(2_000)]


def _depth(step: int) -> Pages:
    """Arrays in arrays, `step` levels of them, with as many elements each that every level has 20 rows."""
    value: list[Any] = [{"v": 1, "w": "x"} for _ in range(ROWS)]
    for level in range(step - 1):
        value = [{"v": level, "w": "x", "below": [element]} for element in value]
    body = msgspec.json.encode({"rows": value})
    return [(item, 0, body) for item in range(2_000)]


def _cells(step: int) -> float:
    """Cells of the tables of so many levels: each level's two scalars stand once in every table, as its own,
    as what is carried down, or as the view of a first element."""
    return 2.0 * step * step


DIMENSIONS: Sequence[tuple[str, Callable[[int], Pages], Callable[[int], float]]] = (
    ("items (2,000 a step)", _items, float),
    ("pages of an item (100 a step, 20 items)", _pages, float),
    ("columns (10 a step)", _columns, float),
    ("depth (arrays in arrays, per cell)", _depth, _cells),
)


def _cost(pages: Pages) -> float:
    folder = fresh_folder("growth")
    jobs = _store(pages, folder)
    start = time.process_time()
    index = IndexWriter()
    for job in jobs:
        mapped = map_shard(job)
        index.add(mapped.object, mapped.parts)
    tables = index.union.tables()
    (folder / "objects" / "index").write_bytes(index.write(tables, typed=False))
    for number in range(len(tables)):
        place = str(folder / "objects")
        reduce_table(
            ReduceJob(place=place, scratch=str(folder), index="index", table=number, output_format="csv")
        )
    return time.process_time() - start


def _store(pages: Pages, folder: Path) -> list[MapJob]:
    (folder / "objects").mkdir()
    jobs = []
    for first in range(0, pages[-1][0] + 1, SHARD):
        some = [_record(*page) for page in pages if first <= page[0] < first + SHARD]
        data, (entry,) = seal({first: some})
        (folder / "objects" / f"{first}.seg").write_bytes(data)
        frame = Frame(f"{first}.seg", entry.offset, entry.length, (first, 0))
        jobs.append(
            MapJob(
                place=str(folder / "objects"), scratch=str(folder), target=f"{first}.parts", frames=[frame],
                cuts={}, axes=(), join="product", constants={},
                extraction=Extraction(include_inputs=False), output_format="csv",
            )
        )  # fmt: skip
    return jobs


def _record(item: int, page: int, body: bytes) -> PageRecord:
    headers = [("content-type", "application/json")]
    url = f"https://api.example.com/{item}"
    return PageRecord(item, page, 1, "direct", 1_700_000_000_000, 0.05, url, 200, headers, body, b"", ROWS)
