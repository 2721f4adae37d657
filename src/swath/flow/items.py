"""What a collection's items are: texts or JSON objects, each known by a digest of its value."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Literal

import msgspec

from swath.flow.definition import Json

Kind = Literal["text", "json"]

#: Bytes of a digest: enough that two of a billion values never meet.
DIGEST = 16

_exact = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


def digest_text(value: str) -> bytes:
    return sha256(value.encode()).digest()[:DIGEST]


def digest_object(value: dict[str, Json], *, has_decimals: bool = True) -> bytes:
    """Return the digest of a JSON object, whatever the order of its keys and the spelling of its numbers."""
    return sha256(_canonical.encode(_normalise(value) if has_decimals else value)).digest()[:DIGEST]


def write_object(value: Json) -> str:
    """Return a JSON object as text, with every decimal's value exact."""
    return _exact.encode(value).decode()


def prepare(values: Sequence[Json]) -> tuple[Kind | None, list[tuple[bytes, int, str]]]:
    """Return the kind of items, and of each different one its digest, its place and how it is kept."""
    found: dict[bytes, tuple[bytes, int, str]] = {}
    for place, value in enumerate(values):
        text = value if isinstance(value, str) else write_object(value)
        digest = digest_object(value) if isinstance(value, dict) else digest_text(text)
        found.setdefault(digest, (digest, place, text))
    kind: Kind | None = None if not values else "json" if isinstance(values[0], dict) else "text"
    return kind, list(found.values())


def _normalise(value: Json) -> Json:
    """Give equal numbers one spelling: 1.0, 1.00 and 1 are the same value."""
    if isinstance(value, dict):
        return {name: _normalise(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_normalise(part) for part in value]
    if isinstance(value, Decimal):
        return _shortest(value)
    return value


def _shortest(number: Decimal) -> Decimal | int:
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    if not text:
        return 0
    exponent = int(exponent) + len(digits) - len(text)
    if 0 <= exponent < 20:
        return int(f"{'-' if sign else ''}{text}{'0' * exponent}")
    return Decimal(f"{'-' if sign else ''}{text}E{exponent}")
