"""What is read from a page: its rows, a digest of them, totals, flags and sizes."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pyreqwest.http import Url

from swath.flow.beside import is_beside
from swath.flow.definition import Json
from swath.flow.paths import compile_path
from swath.flow.request.encoding import dump

#: Bytes of a digest.
DIGEST_SIZE = 8

#: Query parameters by which requests ask for a page size.
_SIZE_NAMES: Final = frozenset(
    """per_page perpage per-page page_size pagesize page[size] limit size count rows take top $top first num
    max_results maxresults results_per_page""".split()  # noqa: SIM905
)

#: Names that records have, even if none came.
_RECORD_NAMES: Final = frozenset(
    """items results rows records entries data edges nodes hits values value objects elements content
    documents docs list""".split()  # noqa: SIM905
)

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
    """Return a page's records: the largest of the likeliest arrays, shallow ones before deep ones.

    Size alone misleads: links and facets are lists of objects too, and may be longer than a short page.
    """
    return max(find_arrays(body), key=lambda found: (_likelihood(*found), len(found[1])), default=None)


def count_records(body: Json) -> int:
    """Return how many rows a page has where no path says where they stand."""
    chosen = choose_array(body)
    return len(chosen[1]) if chosen else int(bool(body))


def _likelihood(keys: tuple[str, ...], rows: list[Json]) -> int:
    if holds_records(rows):
        return 1 if any(is_beside(key) for key in keys) else 3
    return 2 if keys and keys[-1].lower() in _RECORD_NAMES else 0


def holds_records(rows: list[Json]) -> bool:
    """Tell whether the elements are objects or, as in a table's rows, lists."""
    return bool(rows) and isinstance(rows[0], dict | list)


def walk(body: Json, keys: tuple[str, ...]) -> list[Json]:
    """Return the array at `keys`, empty where there is none."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, list) else []


def digest(*parts: Json) -> bytes:
    """Return 8 bytes that stand for JSON values."""
    seal = hashlib.sha256()  # twice as fast as blake2b where the processor knows it
    for part in parts:
        seal.update(part if isinstance(part, bytes) else dump(part))
    return seal.digest()[:DIGEST_SIZE]


def asked_size(url: str) -> int:
    """Return the page size that a request asked for in its query, 0 if none."""
    sizes = (read_count(value) for name, value in Url(url).query_pairs if name.lower() in _SIZE_NAMES)
    return next((size for size in sizes if size), 0)


def read_count(value: Json) -> int | None:
    """Read a total, which may be a number, text of one, or nonsense."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = int(float(value)) if not isinstance(value, int) else value
    except (ValueError, OverflowError):
        return None
    return count if count >= 0 else None


def read_truth(value: Json) -> bool | None:
    """Read a has-more flag, which may be text; None: it says nothing."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false", "no", "n", "0", "f", "off", "null", "none")
    return None if value is None else bool(value)
