"""The limit: pyreqwest fetches and throws away. No rows, no file, nothing durable."""

import asyncio
import os
import sys

from pyreqwest.client import ClientBuilder


async def main(url: str, count: int) -> None:
    numbers = iter(range(count))
    async with ClientBuilder().build() as client:

        async def work() -> None:
            for number in numbers:
                response = await client.get(f"{url}/sample/{number}").build().send()
                await response.bytes()

        await asyncio.gather(*(work() for _ in range(64)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    os._exit(0)  # the client's thread may still hold what the interpreter takes down
