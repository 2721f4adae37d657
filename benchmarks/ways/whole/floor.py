"""The floor: the same client, and code by hand for just these rows. Nothing durable, nothing found out."""

import asyncio
import os
import sys
from itertools import chain, repeat
from pathlib import Path

import msgspec
import uvloop
from pyreqwest.client import ClientBuilder

#: Pages that become rows at once.
BATCH = 200


class Author(msgspec.Struct, gc=False):
    id: str
    username: str
    verified: bool


class Location(msgspec.Struct, gc=False):
    city: str
    latitude: float
    longitude: float


class Row(msgspec.Struct, gc=False):
    page: int
    id: int
    text: str
    created_at: int
    author: Author
    hashtags: list[str]
    likes: int
    score: float
    location: Location | None
    pinned: bool | None = None


class Page(msgspec.Struct, gc=False):
    rows: list[Row]


NAMES = (
    "page,id,text,created_at,author.id,author.username,author.verified,hashtags[0],likes,score,"
    "location.city,location.latitude,location.longitude,pinned"
)
NOWHERE = ("", "", "")


def quote(text: str) -> str:
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if "," in text or "\n" in text else text


def write(pages: list[Page]) -> str:
    """Return the lines of all rows, made column by column."""
    rows = list(chain.from_iterable(page.rows for page in pages))
    places = [(row.location.city, str(row.location.latitude), str(row.location.longitude))
              if row.location else NOWHERE for row in rows]  # fmt: skip
    columns = (
        [str(row.page) for row in rows],
        [str(row.id) for row in rows],
        [quote(row.text) for row in rows],
        [str(row.created_at) for row in rows],
        [row.author.id for row in rows],
        [row.author.username for row in rows],
        ["true" if row.author.verified else "false" for row in rows],
        [row.hashtags[0] if row.hashtags else "" for row in rows],
        [str(row.likes) for row in rows],
        [str(row.score) for row in rows],
        *zip(*places, strict=True),
        ["" if row.pinned is None else str(row.pinned).lower() for row in rows],
    )
    return "".join(chain.from_iterable(zip(map(",".join, zip(*columns, strict=True)), repeat("\n"))))


async def main(url: str, count: int, folder: Path) -> None:
    numbers = iter(range(count))
    pages: list[Page] = []
    decode = msgspec.json.Decoder(Page).decode
    with (folder / "rows.csv").open("w") as file:
        file.write(NAMES + "\n")
        async with ClientBuilder().build() as client:

            async def work() -> None:
                nonlocal pages
                for number in numbers:
                    response = await client.get(f"{url}/sample/{number}").build().send()
                    pages.append(decode(await response.bytes()))
                    if len(pages) >= BATCH:
                        full, pages = pages, []
                        file.write(write(full))

            await asyncio.gather(*(work() for _ in range(64)))
        if pages:
            file.write(write(pages))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
    os._exit(0)  # the client's thread may still hold what the interpreter takes down
