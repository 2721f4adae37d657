"""Swath's own map and reduce steps in worker processes, as the server starts them; no server, no database."""

import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

COLLECTIONS = {"flat": ("rows",), "nested": ("rows", "rows.lines")}


def main(shape: str, stored: Path, out: Path) -> None:
    # Here and not above: each worker process imports this script again, and must not import the house.
    import msgspec  # noqa: PLC0415

    from swath.engine.extract import (  # noqa: PLC0415
        Frame,
        MapJob,
        ReduceJob,
        map_shard,
        reduce_table,
        start_worker,
    )
    from swath.flow.definition import Workflow  # noqa: PLC0415
    from swath.flow.files.index import IndexWriter  # noqa: PLC0415
    from swath.flow.layout import arrange_all  # noqa: PLC0415
    from swath.flow.rows import Extraction  # noqa: PLC0415
    from swath.flow.table import order_tables  # noqa: PLC0415

    shards = msgspec.json.decode((stored / "frames.json").read_bytes(), type=list[list[Frame]])
    place = str(stored / "objects")
    wanted = COLLECTIONS[shape.split("_", maxsplit=1)[0]]
    extraction = Extraction(include_inputs=False, result_collections=wanted)
    jobs = [
        MapJob(
            place=place, scratch=str(out), target=f"{out.name}/{number}.parts", frames=frames, cuts={},
            axes=(), join="product", constants={}, extraction=extraction, output_format="csv",
        )
        for number, frames in enumerate(shards)
    ]  # fmt: skip
    context = get_context("forkserver")
    context.set_forkserver_preload(["swath.engine.extract"])
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=start_worker) as pool:
        writer = IndexWriter()
        for mapped in pool.map(map_shard, jobs):
            writer.add(mapped.object, mapped.parts)
        tables = order_tables(writer.union.tables())
        arrange_all(tables, None, Workflow(name="", endpoint_id="").column_budget)
        (stored / "objects" / out.name / "index").write_bytes(writer.write(tables, typed=False))
        reduced = [
            ReduceJob(
                place=place, scratch=str(out), index=f"{out.name}/index", table=number, output_format="csv"
            )
            for number in range(len(tables))
        ]
        for table, (path, _) in zip(tables, pool.map(reduce_table, reduced), strict=True):
            shutil.move(path, out / f"{table.name}.csv")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
