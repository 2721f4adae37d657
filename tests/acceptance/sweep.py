"""A process that sweeps at once, as a worker does once an hour: `sweep.py DAYS`, so many days from now."""

import asyncio
import sys

from swath.bootstrap import open_house
from swath.engine.times import now_ms
from swath.operations.retention import DAY, sweep
from swath.settings import Settings


async def main(days: float) -> None:
    async with open_house(Settings.from_environment()) as context:
        await sweep(context, now_ms() + round(days * DAY))


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
