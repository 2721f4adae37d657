"""Pictures of every view, light, dark and narrow, into docs/images: `make screenshots`."""

import struct
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.ui.browser import Person, open_browser
from tests.ui.sights import furnish

IMAGES = Path(__file__).parents[2] / "docs" / "images"
KINDS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 800}, "color_scheme": "light"},
}


def main(chosen: set[str]) -> None:
    """Take them all, or those of the chosen views."""
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, furnish(Path(folder)) as (server, sights), open_browser() as browser:
        for kind, options in KINDS.items():
            person = Person(browser, server.url, **options)
            person.page.goto("/sign-in")
            take(person, IMAGES / f"sign-in-{kind}.png")
            person.sign_in(server.token)
            for sight in sights:
                if not chosen or sight.name in chosen:
                    sight.wait(person.open(sight.address))
                    take(person, IMAGES / f"{sight.name}-{kind}.png")
            print(kind, *person.complaints)
            person.close()


def take(person: Person, place: Path) -> None:
    place.write_bytes(squeeze(person.page.screenshot(animations="disabled")))


def squeeze(picture: bytes) -> bytes:
    """Return a PNG that is compressed as well as it can be."""
    chunks, at, data = [], 8, b""
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        kind, body = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            data += body
        else:
            chunks.append((kind, body))
        at += 12 + length
    chunks.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(data), 9)))
    written = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return picture[:8] + b"".join(written)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
