"""The hostile ways of paging, P1 to P14, ready to be played, each with the rows that must come out.

A scene is installed on a `Scripted` upstream and says what workflow asks for it, which rows are complete, and
how the item must end. `SCENES` names them all, for parametrized tests:

    @pytest.mark.parametrize("name", SCENES)
    def test_it(upstream, name):
        scene = SCENES[name](upstream)
        run(scene.endpoint, scene.workflow)  # -> rows == scene.rows, stop reason == scene.stop

Rows stand at `results`; `{"id": n}` is enough to tell them apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.upstreams.scripted import Asked, Play, Scripted

from swath.flow.definition import Endpoint, LoopGuard, Paginator, Variable, Workflow
from swath.flow.execution import StopReason

Row = dict[str, Any]
#: A page by its token, number or offset, as text; the first page's key is the empty text or the first number.
Book = Mapping[str, Play]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A hostile upstream at one address, how it is asked, and what must come out."""

    url: str
    paginator: Paginator
    #: All rows, once each, in the order of the pages.
    rows: tuple[Row, ...]
    stop: StopReason
    query: Mapping[str, str] = field(default_factory=dict)
    loop_guard: LoopGuard = "stop"
    allowed_hosts: tuple[str, ...] = ()
    #: What the manifest must tell of the upstream's own count, where it gives one that can be read.
    declared_total: int | None = None
    #: How many requests the upstream may see at most: a guard that asks on and on is no guard.
    most_requests: int = 20

    @property
    def endpoint(self) -> Endpoint:
        variables = {name: Variable(default="") for name in ("cursor", "page", "offset")}
        return Endpoint(name="hostile", url=self.url, query=self.query, variables=variables)

    @property
    def workflow(self) -> Workflow:
        return Workflow(
            name="hostile",
            endpoint_id="",
            paginator=self.paginator,
            loop_guard=self.loop_guard,
            allowed_hosts=self.allowed_hosts,
        )


def rows(first: int, count: int) -> list[Row]:
    return [{"id": number} for number in range(first, first + count)]


def page(results: list[Row], **more: Any) -> Play:
    return Play.json({"results": results, **more})


def by_cursor(upstream: Scripted, path: str, book: Book, **scene: Any) -> Scene:
    """Pages led by a token in the body at `next`."""
    upstream.on(path, lambda asked: book[asked.query.get("cursor", "")])
    paginator = Paginator(type="cursor", cursor_path="next", variable="cursor", **scene.pop("paging", {}))
    return Scene(url=upstream.url + path, query={"cursor": "{{cursor}}"}, paginator=paginator, **scene)


def by_page(upstream: Scripted, path: str, play: Callable[[int], Play], **scene: Any) -> Scene:
    """Pages counted from 1."""
    upstream.on(path, lambda asked: play(int(asked.query["page"])))
    paginator = Paginator(type="page_number", variable="page", **scene.pop("paging", {}))
    return Scene(url=upstream.url + path, query={"page": "{{page}}"}, paginator=paginator, **scene)


def by_offset(upstream: Scripted, path: str, play: Callable[[int], Play], limit: int, **scene: Any) -> Scene:
    """Rows counted from 0, `limit` asked for at a time."""
    upstream.on(path, lambda asked: play(int(asked.query["offset"])))
    query = {"offset": "{{offset}}", "limit": str(limit)}
    paginator = Paginator(type="offset", variable="offset", limit=limit, **scene.pop("paging", {}))
    return Scene(url=upstream.url + path, query=query, paginator=paginator, **scene)


def by_next_url(upstream: Scripted, path: str, book: Book, **scene: Any) -> Scene:
    """Pages led by a URL in the body at `next`; the book's keys are the `at` of their addresses."""
    upstream.on(path, lambda asked: book[asked.query.get("at", "")])
    paginator = Paginator(type="next_url", next_url_path="next")
    return Scene(url=upstream.url + path, paginator=paginator, **scene)


def same_cursor_for_ever(upstream: Scripted) -> Scene:
    """P1: from the second page on, the same page and the same token."""
    book = {"": page(rows(0, 3), next="a"), "a": page(rows(3, 3), next="a")}
    stop = StopReason.LOOP_DETECTED
    return by_cursor(upstream, "/p1", book, rows=tuple(rows(0, 6)), stop=stop)


def cursors_in_a_circle(upstream: Scripted) -> Scene:
    """P2: A, B, A, B, and so on."""
    book = {
        "": page(rows(0, 3), next="a"),
        "a": page(rows(3, 3), next="b"),
        "b": page(rows(6, 3), next="a"),
    }
    stop = StopReason.LOOP_DETECTED
    return by_cursor(upstream, "/p2", book, rows=tuple(rows(0, 9)), stop=stop)


def cursors_that_begin_again(upstream: Scripted) -> Scene:
    """P2: after seven pages the tokens lead to the first page again."""
    book = {str(n or ""): page(rows(2 * n, 2), next=str((n + 1) % 7 or "7")) for n in range(7)}
    book["7"] = book[""]
    stop = StopReason.LOOP_DETECTED
    return by_cursor(upstream, "/p2-late", book, rows=tuple(rows(0, 14)), stop=stop)


def page_number_ignored(upstream: Scripted) -> Scene:
    """P3: whatever the number, it is page 1."""
    stop = StopReason.LOOP_DETECTED
    return by_page(upstream, "/p3", lambda _: page(rows(0, 3)), rows=tuple(rows(0, 3)), stop=stop)


def offset_ignored(upstream: Scripted) -> Scene:
    """P3: whatever the offset, it is the first page; a request id makes the bodies differ."""
    count = iter(range(1000))
    return by_offset(
        upstream,
        "/p3-offset",
        lambda _: page(rows(0, 3), request_id=next(count)),
        limit=3,
        rows=tuple(rows(0, 3)),
        stop=StopReason.LOOP_DETECTED,
    )


def clamped_to_the_last_page(upstream: Scripted) -> Scene:
    """P4: a page past the end is the last page again."""
    return by_page(
        upstream,
        "/p4",
        lambda number: page(rows(3 * min(number, 3) - 3, 3)),
        rows=tuple(rows(0, 9)),
        stop=StopReason.LOOP_DETECTED,
    )


def token_kept_until_drained(upstream: Scripted) -> Scene:
    """P5: one token for a whole batch, with other rows each time; the last answer has none."""
    batches = [page(rows(3 * n, 3), next="batch" if n < 4 else None) for n in range(5)]
    upstream.on("/p5", batches)
    paginator = Paginator(type="cursor", cursor_path="next", variable="cursor")
    query = {"cursor": "{{cursor}}"}
    complete = tuple(rows(0, 15))
    return Scene(
        url=f"{upstream.url}/p5",
        query=query,
        paginator=paginator,
        rows=complete,
        stop=StopReason.COMPLETE,
    )


def empty_page_in_the_middle(upstream: Scripted) -> Scene:
    """P6: nothing on the second page, but a token."""
    book = {"": page(rows(0, 3), next="a"), "a": page([], next="b"), "b": page(rows(3, 2), next=None)}
    return by_cursor(upstream, "/p6", book, rows=tuple(rows(0, 5)), stop=StopReason.COMPLETE)


def cursor_after_the_end(upstream: Scripted) -> Scene:
    """P7: empty pages with ever new tokens."""

    def play(asked: Asked) -> Play:
        number = int(asked.query.get("cursor") or 0)
        return page(rows(3 * number, 3) if number < 2 else [], next=str(number + 1))

    upstream.on("/p7", play)
    paginator = Paginator(type="cursor", cursor_path="next", variable="cursor")
    return Scene(
        url=f"{upstream.url}/p7",
        query={"cursor": "{{cursor}}"},
        paginator=paginator,
        rows=tuple(rows(0, 6)),
        stop=StopReason.EMPTY_PAGE,
        most_requests=4,
    )


def same_cursor_after_the_end(upstream: Scripted) -> Scene:
    """P7: the last token leads to an empty page that names it again: empty before looping."""
    book = {"": page(rows(0, 3), next="a"), "a": page([], next="a")}
    stop = StopReason.EMPTY_PAGE
    return by_cursor(upstream, "/p7-same", book, rows=tuple(rows(0, 3)), stop=stop, most_requests=3)


def no_more_though_a_cursor(upstream: Scripted) -> Scene:
    """P7: an empty page with a token, and `has_more` false: nothing else is asked."""
    book = {
        "": page(rows(0, 3), next="a", has_more=True),
        "a": page([], next="b", has_more=False),
    }
    return by_cursor(
        upstream,
        "/p7-more",
        book,
        paging={"has_more_path": "has_more"},
        rows=tuple(rows(0, 3)),
        stop=StopReason.EMPTY_PAGE,
        most_requests=2,
    )


def short_page_in_the_middle(upstream: Scripted) -> Scene:
    """P8: a page that is not full is not the last."""
    pages = {1: rows(0, 5), 2: rows(5, 2), 3: rows(7, 5), 4: rows(12, 1)}
    return by_page(
        upstream,
        "/p8",
        lambda number: page(pages.get(number, [])),
        rows=tuple(rows(0, 13)),
        stop=StopReason.EMPTY_PAGE,
    )


def page_size_reduced(upstream: Scripted) -> Scene:
    """P8: 100 are asked for, 10 are given: the next offset counts what came."""
    return by_offset(
        upstream,
        "/p8-size",
        lambda offset: page(rows(offset, min(10, 35 - offset)) if offset < 35 else []),
        limit=100,
        rows=tuple(rows(0, 35)),
        stop=StopReason.EMPTY_PAGE,
    )


def _with_total(path: str, stop: StopReason, total: Callable[[int], Any], said: int | None) -> "MakeScene":
    """P9: eight rows on pages of three; `total` is what each page says of their number."""

    def install(upstream: Scripted) -> Scene:
        def play(number: int) -> Play:
            first = 3 * number - 3
            count = max(0, min(3, 8 - first))
            told = total(number)
            return page(rows(first, count), **({} if told is ... else {"total": told}))

        return by_page(
            upstream,
            path,
            play,
            paging={"total_path": "total"},
            rows=tuple(rows(0, 8)),
            stop=stop,
            declared_total=said,
        )

    return install


def relative_next_url(upstream: Scripted) -> Scene:
    """P10: relative in three ways: a query, a path, and `./`."""
    book = {
        "": page(rows(0, 2), next="?at=1"),
        "1": page(rows(2, 2), next="/p10?at=2"),
        "2": page(rows(4, 2), next="./p10?at=3"),
        "3": page(rows(6, 2), next=None),
    }
    return by_next_url(upstream, "/p10", book, rows=tuple(rows(0, 8)), stop=StopReason.COMPLETE)


def next_url_on_an_allowed_host(upstream: Scripted) -> Scene:
    """P10: another name of the same server, which the workflow allows."""
    other = upstream.url.replace("127.0.0.1", "localhost")
    book = {"": page(rows(0, 2), next=f"{other}/p10-allowed?at=1"), "1": page(rows(2, 2), next=None)}
    return by_next_url(
        upstream,
        "/p10-allowed",
        book,
        rows=tuple(rows(0, 4)),
        stop=StopReason.COMPLETE,
        allowed_hosts=("localhost",),
    )


def next_url_on_another_host(upstream: Scripted) -> Scene:
    """P10: a host that nobody allowed: not asked, and no silent end."""
    other = upstream.url.replace("127.0.0.1", "localhost")
    book = {"": page(rows(0, 2), next=f"{other}/p10-other?at=1")}
    stop = StopReason.FAILED
    return by_next_url(upstream, "/p10-other", book, rows=tuple(rows(0, 2)), stop=stop, most_requests=1)


def next_url_to_a_private_address(upstream: Scripted) -> Scene:
    """P10: the address where clouds keep their secrets."""
    book = {"": page(rows(0, 2), next="http://169.254.169.254/latest/meta-data/")}
    return by_next_url(
        upstream,
        "/p10-private",
        book,
        rows=tuple(rows(0, 2)),
        stop=StopReason.BLOCKED_ADDRESS,
        allowed_hosts=("169.254.169.254",),
        most_requests=1,
    )


def link_header_with_tricks(upstream: Scripted) -> Scene:
    """P11: several rels and several headers, commas and semicolons in quotes and URLs, upper case."""
    url = f"{upstream.url}/p11"
    links = {
        "": [("Link", f'<{url}?at=9>; rel="last"; title="a, b; rel=next", <{url}?at=1,>; REL="Next"')],
        "1,": [("link", f'<{url}?at=0>; rel="prev first"'), ("LINK", '<?at=2>; title=x; rel="start next"')],
        "2": [("Link", f"<{url}?at=3>;rel=next;title*=UTF-8''n%c3%a4chste")],
        "3": [("Link", f'<{url}?at=0>; rel="prev"; rel="next", <{url}?at=4>; rel="nextish"')],
    }
    numbered = enumerate(links.items())
    book = {
        at: Play.json({"results": rows(2 * number, 2)}, headers=headers) for number, (at, headers) in numbered
    }
    upstream.on("/p11", lambda asked: book[asked.query.get("at", "")])
    paginator = Paginator(type="header_link")
    return Scene(url=url, paginator=paginator, rows=tuple(rows(0, 8)), stop=StopReason.COMPLETE)


def _cursor_header(path: str, last: list[tuple[str, str]]) -> "MakeScene":
    """P11: the token stands in a header, in another case; on the last page it is absent or empty."""

    def install(upstream: Scripted) -> Scene:
        plays = {
            "": Play.json({"results": rows(0, 2)}, headers=[("X-NEXT-CURSOR", "a b+c")]),
            "a b+c": Play.json({"results": rows(2, 2)}, headers=last),
        }
        upstream.on(path, lambda asked: plays[asked.query.get("cursor", "")])
        return Scene(
            url=upstream.url + path,
            query={"cursor": "{{cursor}}"},
            paginator=Paginator(type="header_cursor", header="X-Next-Cursor", variable="cursor"),
            rows=tuple(rows(0, 4)),
            stop=StopReason.COMPLETE,
        )

    return install


def has_more_as_text(upstream: Scripted) -> Scene:
    """P12: `"false"` is no."""

    def play(number: int) -> Play:
        return page(rows(3 * number - 3, 3), has_more="true" if number < 3 else "false")

    return by_page(
        upstream,
        "/p12",
        play,
        paging={"has_more_path": "has_more"},
        rows=tuple(rows(0, 9)),
        stop=StopReason.COMPLETE,
        most_requests=3,
    )


def depth_cap(upstream: Scripted) -> Scene:
    """P13: beyond a bound that nothing announces, 400."""

    def play(offset: int) -> Play:
        if offset >= 300:
            return Play.json({"message": "Result window is too large"}, status=400)
        return page(rows(offset, 100), total=12_345)

    return by_offset(
        upstream,
        "/p13",
        play,
        limit=100,
        paging={"total_path": "total"},
        rows=tuple(rows(0, 300)),
        stop=StopReason.DEPTH_CAP,
        declared_total=12_345,
        most_requests=4,
    )


def rows_that_shift(upstream: Scripted) -> Scene:
    """P14: a new row at the top pushes one to the next page: it comes twice; `rows` has each once."""
    pages = {1: rows(0, 3), 2: rows(2, 3), 3: rows(5, 2)}
    return by_page(
        upstream,
        "/p14",
        lambda number: page(pages.get(number, [])),
        rows=tuple(rows(0, 7)),
        stop=StopReason.EMPTY_PAGE,
    )


MakeScene = Callable[[Scripted], Scene]
_COMPLETE, _EMPTY = StopReason.COMPLETE, StopReason.EMPTY_PAGE

#: By the number in the table of hostile upstreams, and what is special.
SCENES: dict[str, MakeScene] = {
    "P1 same cursor for ever": same_cursor_for_ever,
    "P2 A, B, A": cursors_in_a_circle,
    "P2 begins again after seven": cursors_that_begin_again,
    "P3 page ignored": page_number_ignored,
    "P3 offset ignored": offset_ignored,
    "P4 clamped to the last page": clamped_to_the_last_page,
    "P5 token kept until drained": token_kept_until_drained,
    "P6 empty page in the middle": empty_page_in_the_middle,
    "P7 cursor after the end": cursor_after_the_end,
    "P7 same cursor after the end": same_cursor_after_the_end,
    "P7 has_more false though a cursor": no_more_though_a_cursor,
    "P8 short page in the middle": short_page_in_the_middle,
    "P8 page size reduced": page_size_reduced,
    "P9 total null": _with_total("/p9-null", _EMPTY, lambda _: None, None),
    "P9 total absent": _with_total("/p9-absent", _EMPTY, lambda _: ..., None),
    "P9 total only on page 1": _with_total("/p9-once", _COMPLETE, lambda n: 8 if n == 1 else ..., 8),
    "P9 total as text": _with_total("/p9-text", _COMPLETE, lambda _: "8", 8),
    "P9 total too high": _with_total("/p9-high", _EMPTY, lambda _: 100, 100),
    "P9 total too low": _with_total("/p9-low", _COMPLETE, lambda _: 4, 4),
    "P9 total is the page's": _with_total("/p9-page", _COMPLETE, lambda _: 3, 3),
    "P10 relative": relative_next_url,
    "P10 an allowed host": next_url_on_an_allowed_host,
    "P10 another host": next_url_on_another_host,
    "P10 a private address": next_url_to_a_private_address,
    "P11 link header with tricks": link_header_with_tricks,
    "P11 cursor header absent": _cursor_header("/p11-absent", []),
    "P11 cursor header empty": _cursor_header("/p11-empty", [("X-Next-Cursor", "")]),
    "P12 has_more as text": has_more_as_text,
    "P13 depth cap": depth_cap,
    "P14 rows that shift": rows_that_shift,
}
