"""The APIs of the documentation's examples as a server on loopback.

Each path pages in another way; each user, project and so on has `ROWS` rows.
"""

from collections.abc import Callable
from typing import Any

from tests.upstreams.scripted import Asked, Play, Scripted

#: What stands for this server in the examples.
HOSTS = ("https://api.example.com", "https://api.github.com")
ROWS = 7
SIZE = 3

Row = dict[str, Any]


def play_example(upstream: Scripted) -> None:
    """Answer what the documentation asks for."""
    upstream.on("*", _anything)
    upstream.on("/people", _people)
    upstream.on("/users/*", _users)
    upstream.on("/projects/*", _issues)
    upstream.on("/orders", _orders)
    upstream.on("/museum/objects", _objects)
    upstream.on("/events", _events)


def _rows(first: int, size: int, make: Callable[[int], Row]) -> list[Row]:
    return [make(number) for number in range(first, min(first + size, ROWS))]


def _anything(asked: Asked) -> Play:
    """One page, with its rows wherever an example looks for them."""
    found = _rows(0, SIZE, lambda n: {"id": n, "name": f"{asked.path} {n}"})
    return Play.json({"data": found, "items": found, "results": found})


def _people(asked: Asked) -> Play:
    people = _rows(
        0, ROWS, lambda n: {"id": n, "name": f"Person {n}", "age": 15 + n, "children": ["Carl", "Dave"]}
    )
    return Play.json({"results": people})


def _users(asked: Asked) -> Play:
    _, _, user, what = asked.path.split("/")
    return {"posts": _posts, "repos": _repositories}[what](asked, user)


def _posts(asked: Asked, user: str) -> Play:
    first = int(asked.query.get("cursor", "0"))
    posts = _rows(
        first, SIZE, lambda number: {"id": number, "title": f"{user}'s post {number}", "likes": number}
    )
    following = first + SIZE if first + SIZE < ROWS else None
    return Play.json({"posts": posts, "next_cursor": following and str(following)})


def _repositories(asked: Asked, user: str) -> Play:
    page = int(asked.query.get("page", "1"))
    first = (page - 1) * SIZE
    link = f'<{asked.path}?page={page + 1}>; rel="next"'
    headers = [("Link", link)] if first + SIZE < ROWS else []
    return Play.json(
        _rows(first, SIZE, lambda n: {"id": n, "name": f"{user}/{n}", "stars": n * n}), headers=headers
    )


def _issues(asked: Asked) -> Play:
    first = (int(asked.query["page"]) - 1) * int(asked.query["per_page"])
    project = asked.path.split("/")[2]
    issues = _rows(first, int(asked.query["per_page"]), lambda n: {"number": n, "title": f"{project} {n}"})
    return Play.json({"issues": issues, "total": ROWS})


def _orders(asked: Asked) -> Play:
    size = int(asked.query.get("limit", str(SIZE)))
    return Play.json(
        {"orders": _rows(int(asked.query["offset"]), size, lambda n: {"id": n, "total": f"{n}.50"})}
    )


def _objects(asked: Asked) -> Play:
    first = int(asked.query.get("from", "0"))
    following = f"/museum/objects?from={first + SIZE}" if first + SIZE < ROWS else None
    objects = _rows(first, SIZE, lambda n: {"id": n, "title": f"Vase {n}"})
    return Play.json({"objects": objects, "links": {"next": following}})


def _events(asked: Asked) -> Play:
    first = int(asked.query.get("after", "-1")) + 1
    events = _rows(first, SIZE, lambda n: {"id": n, "kind": "seen"})
    headers = [("X-Next-After", str(first + SIZE - 1))] if first + SIZE < ROWS else []
    return Play.json({"events": events}, headers=headers)
