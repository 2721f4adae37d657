"""How a JSON value is written down: as text, as JSON, in a URL, in a header."""

import json
from collections.abc import Callable
from urllib.parse import quote

import orjson

from swath.errors import ItemFailed
from swath.flow.definition import Json

Encode = Callable[[Json], str]


def write(value: Json) -> str:
    """Return a JSON value as plain text: strings as they are, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return dump(value).decode()


def dump(value: Json) -> bytes:
    """Return compact JSON; what orjson refuses (large integers, lone surrogates) goes the slow way."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def well_formed(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encode_part(value: Json) -> str:
    """Write a value as a path segment or query value: all but letters, digits and `-._~` is escaped."""
    text = value if isinstance(value, str) else write(value)
    if text.isalnum() and text.isascii():
        return text
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        return quote(well_formed(text), safe="")


def encode_header(value: Json) -> str:
    """Write a value for a header; what could end the line or the header is refused."""
    text = write(value)
    if not text.isprintable() and any((c < " " and c != "\t") or c == "\x7f" for c in text):
        raise ItemFailed("unsafe_header", "a header's value may not hold a line break or control character")
    return text if text.isascii() else well_formed(text)


def encode_text(value: Json) -> str:
    """Write a value as it is, where nothing around it has a syntax."""
    return well_formed(write(value))


def encode_later(value: Json) -> str:
    """Write a value into a text that is encoded as a whole afterwards."""
    return write(value)
