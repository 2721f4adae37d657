"""Which part of a page are its rows, and a digest of them."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from swath.flow.definition import Json
from swath.flow.paths import compile_path
from swath.flow.template import dump

#: Bytes of a digest.
DIGEST_SIZE = 8

path_of = lru_cache(maxsize=512)(compile_path)


def find_records(path: str, body: Json) -> list[Json]:
    """Return the rows at a path: the elements of the arrays found there, or the values themselves."""
    rows: list[Json] = []
    for found in path_of(path).find(body):
        if isinstance(found, list):
            rows += found
        elif found is not None:
            rows.append(found)
    return rows


def find_arrays(body: Json) -> Iterator[tuple[tuple[str, ...], list[Json]]]:
    """Yield the arrays that stand in no other array, shallow ones first, with the keys that lead there."""
    level: list[tuple[tuple[str, ...], Json]] = [((), body)]
    while level:
        deeper: list[tuple[tuple[str, ...], Json]] = []
        for keys, value in level:
            if isinstance(value, list):
                yield keys, value
            elif isinstance(value, dict):
                deeper += [((*keys, key), child) for key, child in value.items()]
        level = deeper


def choose_array(body: Json) -> tuple[tuple[str, ...], list[Json]] | None:
    """Return the largest array of a page; arrays of objects before others, shallow ones before deep ones."""
    return max(find_arrays(body), key=lambda found: (holds_objects(found[1]), len(found[1])), default=None)


def holds_objects(rows: list[Json]) -> bool:
    return bool(rows) and isinstance(rows[0], dict)


def walk(body: Json, keys: tuple[str, ...]) -> list[Json]:
    """Return the array at `keys`, empty where there is none."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, list) else []


def digest(*parts: Json) -> bytes:
    """Return 8 bytes that stand for JSON values."""
    seal = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for part in parts:
        seal.update(part if isinstance(part, bytes) else dump(part))
    return seal.digest()
