"""aiohttp and pandas as an expert would: bounded concurrency, orjson, json_normalize per batch, one CSV."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pandas as pd
import uvloop

BATCH = 500


def write(batch: list[Any], path: Path, columns: list[str] | None) -> list[str]:
    frame = pd.json_normalize([row for page in batch for row in page["rows"]])
    chosen = columns or list(frame.columns)
    frame.to_csv(path, mode="a" if columns else "w", header=columns is None, index=False, columns=chosen)
    return chosen


async def main(url: str, count: int, folder: Path) -> None:
    numbers, batch, columns = iter(range(count)), [], None
    path = folder / "rows.csv"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:

        async def work() -> None:
            nonlocal batch, columns
            for number in numbers:
                async with session.get(f"{url}/sample/{number}") as response:
                    batch.append(orjson.loads(await response.read()))
                if len(batch) >= BATCH:
                    full, batch = batch, []
                    columns = write(full, path, columns)

        await asyncio.gather(*(work() for _ in range(64)))
    if batch:
        write(batch, path, columns)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
