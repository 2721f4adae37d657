"""The sample network's pages, one for each way in which APIs divide their lists.

GET /users/{id}                                                      one user
GET /users/{id}/posts?cursor=&limit=&min_timestamp=&max_timestamp=   cursor: results, next
GET /users/{id}/followers?page=&per_page=                            numbered: page, total, followers
GET /search?q=&offset=&limit=                                        offset: total, offset, items
GET /repos?page=&per_page=                                           a bare array and a Link header
GET /feed?after=                                                     items and a relative next_url
GET /sample/{n}?rows=                                                20 rows ready-made, for benchmarks
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import msgspec

from swath.demo import network

#: Status, headers and body.
Answer = tuple[int, tuple[tuple[str, str], ...], bytes]
Query = Mapping[str, str]

#: Rows of a page for benchmarks.
SAMPLE_ROWS = 20

_encoder = msgspec.json.Encoder(decimal_format="number")


class RefusedError(Exception):
    """A request that gets an error for its answer."""

    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.answer: Answer = (status, headers, _encoder.encode({"error": message}))


def page_at(path: str, query: Query) -> Answer:
    parts = path.strip("/").split("/")
    if parts[0] == "users" and len(parts) in (2, 3):
        return _users(parts, query)
    if parts[0] == "sample" and len(parts) == 2:
        return _sample(parts[1], _whole(query, "rows", SAMPLE_ROWS, 1, SAMPLE_ROWS))
    if len(parts) == 1 and parts[0] in _LISTS:
        return _LISTS[parts[0]](query)
    raise RefusedError(404, "no such page")


def answer_json(value: Any, *headers: tuple[str, str]) -> Answer:
    return 200, headers, _encoder.encode(value)


def _users(parts: list[str], query: Query) -> Answer:
    if not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) <= 18):
        raise RefusedError(404, "no such user")
    user_id = int(parts[1])
    if len(parts) == 2:
        return answer_json(network.user(user_id))
    if parts[2] in _USER_LISTS:
        return _USER_LISTS[parts[2]](user_id, query)
    raise RefusedError(404, "no such page")


@cache
def _pieces(rows: int) -> list[bytes]:
    """Return a page of sample rows, cut where its number stands."""
    return _encoder.encode({"rows": network.sample_rows("@")[:rows]}).split(b'"@"')


def _sample(number: str, rows: int) -> Answer:
    if not number.isdigit():
        raise RefusedError(404, "no such page")
    return 200, (), number.encode().join(_pieces(rows))


def _posts(user_id: int, query: Query) -> Answer:
    """A page of the posts that fit; `next` is null on the last."""
    offset, limit = _offset(query.get("cursor", "")), _whole(query, "limit", 10, 1, 100)
    bounds = _moment(query, "min_timestamp"), _moment(query, "max_timestamp")
    if bounds == (None, None):  # the way of every benchmark: only what is served is made
        total = network.posts_count(user_id)
        results = [network.post(user_id, number) for number in range(offset, min(offset + limit, total))]
    else:
        fitting = network.posts(user_id, *bounds)
        total, results = len(fitting), fitting[offset : offset + limit]
    return answer_json(
        {"results": results, "next": _cursor(offset + limit) if offset + limit < total else None}
    )


def _followers(user_id: int, query: Query) -> Answer:
    page, size = _whole(query, "page", 1, 1), _whole(query, "per_page", 25, 1, 100)
    everyone, start = network.followers(user_id), (page - 1) * size
    return answer_json({"page": page, "total": len(everyone), "followers": everyone[start : start + size]})


def _search(query: Query) -> Answer:
    offset, limit = _whole(query, "offset", 0, 0), _whole(query, "limit", 20, 1, 50)
    items = [network.found(n) for n in range(offset, min(offset + limit, network.SEARCH_TOTAL))]
    return answer_json({"total": network.SEARCH_TOTAL, "offset": offset, "items": items})


def _repos(query: Query) -> Answer:
    page, size = _whole(query, "page", 1, 1), _whole(query, "per_page", 30, 1, 100)
    numbers = range((page - 1) * size, min(page * size, network.REPOS_TOTAL))
    last = -(-network.REPOS_TOTAL // size)
    return answer_json([network.repo(n) for n in numbers], ("Link", _links(page, last, size)))


def _feed(query: Query) -> Answer:
    after, size = _whole(query, "after", 0, 0), 16
    numbers = range(after, min(after + size, network.FEED_TOTAL))
    following = f"/feed?after={after + size}" if after + size < network.FEED_TOTAL else None
    return answer_json({"items": [network.feed_entry(n) for n in numbers], "next_url": following})


_LISTS: dict[str, Callable[[Query], Answer]] = {"search": _search, "repos": _repos, "feed": _feed}
_USER_LISTS: dict[str, Callable[[int, Query], Answer]] = {"posts": _posts, "followers": _followers}


def _links(page: int, last: int, size: int) -> str:
    pages = {"first": 1, "prev": page - 1 or None, "next": page + 1 if page < last else None, "last": last}
    urls = {rel: urlencode({"page": number, "per_page": size}) for rel, number in pages.items() if number}
    return ", ".join(f'</repos?{query}>; rel="{rel}"' for rel, query in urls.items())


def _cursor(offset: int) -> str:
    """An opaque token; its `=` must be encoded in a query."""
    return urlsafe_b64encode(f"after {offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(urlsafe_b64decode(cursor).removeprefix(b"after "))
    except ValueError:
        raise RefusedError(400, "bad cursor") from None


def _whole(query: Query, name: str, default: int, least: int, most: int = 10**9) -> int:
    try:
        number = int(query.get(name, default))
    except ValueError:
        raise RefusedError(400, f"{name} is not a number") from None
    if number < least:
        raise RefusedError(400, f"{name} is below {least}")
    return min(number, most)


def _moment(query: Query, name: str) -> float | None:
    try:
        return float(query[name]) if name in query else None
    except ValueError:
        raise RefusedError(400, f"{name} is not a time") from None
