"""Paging against upstreams, played as functions, that behave and that do not; rows of hostile.md by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput
from swath.flow.definition import Filter, Json, LoopGuard, Paginator, Workflow
from swath.flow.execution import StopReason
from swath.flow.paging import Page, Progress, ahead, begin, depth_cap, lookahead, pager_for, settle
from swath.flow.paging.links import read_links

URL = "https://api.example.com/v1/items?limit=10"
Headers = Sequence[tuple[str, str]]
#: An upstream: from the paging variables (and the whole URL, if one was asked) to body and headers.
Upstream = Callable[[dict[str, Json]], tuple[Json, Headers]]


@dataclass
class Ending:
    """What an item came to."""

    stop: StopReason
    rows: list[Json]
    requests: list[dict[str, Json]]
    progress: Progress
    pages: int
    failure: str | None = None
    kept: list[list[Json]] = field(default_factory=list)


def walk(
    upstream: Upstream, guard: LoopGuard = "stop", parameters: dict[str, Json] | None = None, **paginator: Any
) -> Ending:
    """Page through an upstream as a worker does, restoring the progress from its bytes after every page."""
    paginator.setdefault("record_path", "rows")
    workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(**paginator), loop_guard=guard)
    pager, progress = pager_for(workflow.paginator), begin(workflow.paginator)
    requests: list[dict[str, Json]] = []
    kept: list[list[Json]] = []
    for _ in range(500):
        values: dict[str, Json] = {}
        url = pager.apply(progress.state, values)
        if url is not None:
            values["url"] = url
        requests.append(values)
        body, headers = upstream(values)
        step = settle(workflow, pager, progress, Page(200, headers, body, url or URL), parameters)
        if step.keep:
            kept.append(body["rows"] if isinstance(body, dict) and isinstance(body.get("rows"), list) else [])
        progress = msgspec.msgpack.decode(msgspec.msgpack.encode(progress), type=Progress)
        if step.stop is not None:
            rows = [row for page in kept[: step.pages] for row in page]
            return Ending(
                step.stop, rows, requests, progress, step.pages, step.failure and step.failure.code, kept
            )
    raise AssertionError("the item never ends")


def rows(first: int, last: int) -> list[Json]:
    return [{"id": n} for n in range(first, last)]


def by_cursor(*pages: tuple[list[Json], Json]) -> Upstream:
    """Serve pages in turn, each with its next token, whatever token is asked for."""
    turn = iter(pages)

    def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
        found, token = next(turn)
        return {"rows": found, "next": token}, ()

    return upstream


def chain(pages: dict[str, tuple[list[Json], Json]]) -> Upstream:
    """Serve the page that the token names."""
    return lambda values: ({"rows": pages[values["cursor"]][0], "next": pages[values["cursor"]][1]}, ())


CURSOR = {"type": "cursor", "cursor_path": "next"}
PAGES = {"type": "page_number", "variable": "page"}
OFFSET = {"type": "offset", "variable": "offset", "limit": 10}


def numbered(total: int, size: int = 10, /, **more: Callable[[int], Json]) -> Upstream:
    """Serve `total` rows by page number; `more` adds fields, made from the page's number."""

    def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
        page = values["page"]
        body = {"rows": rows(min((page - 1) * size, total), min(page * size, total))}
        return body | {name: make(page) for name, make in more.items()}, ()

    return upstream


def sliced(total: int, size: Callable[[int], int], /, **more: Json) -> Upstream:
    """Serve `total` rows by offset, `size(offset)` at a time."""

    def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
        offset = values["offset"]
        return {"rows": rows(offset, min(offset + size(offset), total))} | more, ()

    return upstream


class TestHonest:
    def test_none(self) -> None:
        """One page, then complete."""
        ending = walk(lambda values: ({"rows": rows(0, 3)}, ()), type="none")
        assert (ending.stop, len(ending.rows), len(ending.requests)) == (StopReason.COMPLETE, 3, 1)

    @given(st.lists(st.integers(0, 5).map(lambda n: max(n, 1)), min_size=1, max_size=30))
    def test_cursor(self, sizes: list[int]) -> None:
        """Every page is asked for once, in order, with the token of the page before; all rows come."""
        pages, at = {}, 0
        for n, size in enumerate(sizes):
            token = f"t{n + 1}" if n + 1 < len(sizes) else None
            pages[f"t{n}" if n else ""] = (rows(at, at + size), token)
            at += size
        ending = walk(chain(pages), **CURSOR)
        assert ending.stop == StopReason.COMPLETE
        assert ending.rows == rows(0, at)
        assert [values["cursor"] for values in ending.requests] == list(pages)

    @pytest.mark.parametrize("last", [None, "", False, 0])
    def test_a_cursor_ends_however_the_upstream_says_so(self, last: Json) -> None:
        """Null, an empty text, false, 0; absent is tested below."""
        assert walk(by_cursor((rows(0, 1), "a"), (rows(1, 2), last)), **CURSOR).stop == StopReason.COMPLETE

    def test_a_cursor_may_be_any_json(self) -> None:
        """Elasticsearch's `search_after` is a list."""
        ending = walk(by_cursor((rows(0, 1), [5, "x"]), (rows(1, 2), None)), **CURSOR)
        assert ending.requests[1] == {"cursor": [5, "x"]}

    def test_a_cursor_of_the_inputs_is_where_the_first_page_starts(self) -> None:
        """The pager only fills in what has no value."""
        values: dict[str, Json] = {"cursor": "mine"}
        pager_for(Paginator(**CURSOR)).apply({}, values)  # type: ignore[arg-type]
        assert values == {"cursor": "mine"}

    @pytest.mark.parametrize("total", [0, 1, 9, 10, 11, 30, 35])
    @pytest.mark.parametrize("total_path", [None, "total"])
    def test_page_numbers(self, total: int, total_path: str | None) -> None:
        """With and without a total all rows come, from page `start` on."""
        ending = walk(numbered(total, total=lambda page: total), total_path=total_path, **PAGES)
        assert ending.rows == rows(0, total)
        assert ending.stop in (StopReason.COMPLETE, StopReason.EMPTY_PAGE)
        assert [values["page"] for values in ending.requests] == list(range(1, len(ending.requests) + 1))

    def test_a_total_saves_the_empty_page(self) -> None:
        """A last page that is short, with the total reached, is the end."""
        ending = walk(numbered(25, total=lambda page: 25), total_path="total", **PAGES)
        assert (ending.stop, len(ending.requests)) == (StopReason.COMPLETE, 3)

    def test_pages_may_start_at_zero(self) -> None:
        """As `start` says."""
        ending = walk(
            lambda values: ({"rows": rows(0, 3) if values["page"] == 0 else []}, ()), start=0, **PAGES
        )
        assert (ending.requests[0], len(ending.rows)) == ({"page": 0}, 3)

    @pytest.mark.parametrize("total", [0, 9, 10, 25, 30])
    def test_offsets(self, total: int) -> None:
        """All rows come; the limit is a variable too, if a template wants it."""
        ending = walk(sliced(total, lambda offset: 10), **OFFSET)
        assert ending.rows == rows(0, total)
        assert ending.requests[0] == {"offset": 0, "limit": 10}

    def test_a_next_page_that_becomes_null_is_the_end(self) -> None:
        """Where the flag is the next page's number, null after numbers says that there is no more."""
        following = {1: 2, 2: 3}
        ending = walk(numbered(30, more=following.get), has_more_path="more", **PAGES)
        assert (ending.stop, len(ending.requests)) == (StopReason.COMPLETE, 3)

    def test_has_more_ends_without_another_request(self) -> None:
        """False on the last page with rows is the end."""
        ending = walk(numbered(30, more=lambda page: page < 3), has_more_path="more", **PAGES)
        assert (ending.stop, len(ending.requests), len(ending.rows)) == (StopReason.COMPLETE, 3, 30)

    def test_next_url(self) -> None:
        """The address of the body is asked for as it is; an object with href counts too."""
        bodies = iter([
            {"rows": rows(0, 2), "links": {"next": {"href": "/v1/items?page=2"}}},
            {"rows": rows(2, 4), "links": {}},
        ])  # fmt: skip
        ending = walk(lambda values: (next(bodies), ()), type="next_url", next_url_path="links.next")
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 4))
        assert ending.requests == [{}, {"url": "https://api.example.com/v1/items?page=2"}]

    def test_next_url_of_a_header(self) -> None:
        """Whole or relative, until the header is not there."""
        pages = iter([(rows(0, 2), (("Next-Page", "/v1/items?_token=a"),)), (rows(2, 4), ())])

        def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
            found, headers = next(pages)
            return {"rows": found}, headers

        ending = walk(upstream, type="next_url", header="Next-Page")
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 4))
        assert ending.requests == [{}, {"url": "https://api.example.com/v1/items?_token=a"}]

    def test_header_link(self) -> None:
        """The link with the wanted relation leads on."""
        pages = iter([("<?page=2>; rel=next", 0), ('<?page=1>; rel="prev"', 1)])

        def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
            link, n = next(pages)
            return {"rows": rows(n, n + 1)}, [("link", link)]

        ending = walk(upstream, type="header_link")
        assert ending.rows == rows(0, 2)
        assert ending.requests[1] == {"url": "https://api.example.com/v1/items?page=2"}

    def test_page_limit(self) -> None:
        """`max_pages_per_item` ends the item only where there is more."""
        assert walk(numbered(100), max_pages_per_item=3, **PAGES).stop == StopReason.PAGE_LIMIT
        pages = by_cursor((rows(0, 1), "a"), (rows(1, 2), None))
        assert walk(pages, max_pages_per_item=2, **CURSOR).stop == StopReason.COMPLETE

    def test_stop_when(self) -> None:
        """The page that fulfils it is the last one, and is kept; parameters fill its value."""
        until = Filter(path="rows.id", op=">=", value="{{last}}")
        ending = walk(numbered(100), parameters={"last": "15"}, stop_when=until, **PAGES)
        assert (ending.stop, len(ending.rows)) == (StopReason.STOP_WHEN, 20)
        assert len(walk(numbered(100), stop_when=until, **PAGES).rows) == 100

    def test_stop_when_speaks_of_the_body(self) -> None:
        """Also of a field that is there only sometimes."""
        done = numbered(100, done=lambda page: True if page == 2 else None)
        assert len(walk(done, stop_when=Filter(path="done", value=True), **PAGES).rows) == 20

    @pytest.mark.parametrize(
        "paginator", [{"type": "cursor"}, {"type": "next_url"}, {"type": "header_cursor"}], ids=str
    )
    def test_a_paginator_that_lacks_its_place_is_refused(self, paginator: dict[str, Any]) -> None:
        """With the field named."""
        with pytest.raises(InvalidInput, match=r"paginator\."):
            pager_for(Paginator(**paginator))


class TestRepeats:
    def test_P1_the_same_cursor_for_ever(self) -> None:
        """Rows once; loop_detected after the repeat."""
        ending = walk(
            lambda values: ({"rows": rows(10, 20) if values["cursor"] else rows(0, 10), "next": "A"}, ()),
            **CURSOR,
        )
        assert ending.stop == StopReason.LOOP_DETECTED
        assert ending.rows == rows(0, 20)
        assert len(ending.requests) == 3

    def test_P1_a_cursor_that_is_ignored(self) -> None:
        """The first page for ever, with the same token: its rows once."""
        ending = walk(lambda values: ({"rows": rows(0, 10), "next": "A"}, ()), **CURSOR)
        assert (ending.stop, ending.rows, len(ending.requests)) == (StopReason.LOOP_DETECTED, rows(0, 10), 2)

    @pytest.mark.parametrize("length", [2, 3, 7])
    def test_P2_a_cycle_of_cursors(self, length: int) -> None:
        """A, B, A: every page once, whatever the length."""
        pages = {f"t{n}": (rows(n, n + 1), f"t{(n + 1) % length}") for n in range(length)}
        ending = walk(chain(pages | {"": pages["t0"]}), **CURSOR)
        assert (ending.stop, ending.rows) == (StopReason.LOOP_DETECTED, rows(0, length))
        assert len(ending.requests) == length + 1

    def test_P2_a_cycle_that_is_entered_late(self) -> None:
        """Repeats after k pages: what came before the cycle stays."""
        pages = {
            "": (rows(0, 2), "a"),
            "a": (rows(2, 4), "b"),
            "b": (rows(4, 6), "c"),
            "c": (rows(6, 8), "b"),
        }
        assert walk(chain(pages), **CURSOR).rows == rows(0, 8)

    def test_P2_page_numbers_that_wrap_around(self) -> None:
        """Counted pages are told by their rows."""
        ending = walk(
            lambda values: ({"rows": rows(values["page"] % 3, values["page"] % 3 + 1)}, ()), **PAGES
        )
        assert (ending.stop, len(ending.rows)) == (StopReason.LOOP_DETECTED, 3)

    @pytest.mark.parametrize("paginator", [PAGES, OFFSET], ids=str)
    def test_P3_every_page_is_page_1(self, paginator: dict[str, Any]) -> None:
        """`page` or `offset` ignored: loop_detected by the rows, whatever else in the body changes."""
        stamps = iter(range(999))
        ending = walk(lambda values: ({"rows": rows(0, 10), "request_id": next(stamps)}, ()), **paginator)
        assert (ending.stop, ending.rows, len(ending.requests)) == (StopReason.LOOP_DETECTED, rows(0, 10), 2)

    def test_P3_a_total_does_not_make_a_repeat_new(self) -> None:
        """While rows are missing, a repeat is a loop."""
        ending = walk(lambda values: ({"rows": rows(0, 10), "total": 95}, ()), total_path="total", **PAGES)
        assert (ending.stop, ending.rows) == (StopReason.LOOP_DETECTED, rows(0, 10))
        assert ending.progress.declared_total == 95

    def test_P4_a_page_past_the_end_is_the_last_page(self) -> None:
        """Rows once; loop_detected, since nothing says that it was the end."""
        ending = walk(lambda values: numbered(25)({"page": min(values["page"], 3)}), **PAGES)
        assert (ending.stop, ending.rows) == (StopReason.LOOP_DETECTED, rows(0, 25))

    def test_P4_a_clamp_where_the_total_is_reached_is_the_end(self) -> None:
        """The repeat only confirms the total: complete."""
        clamped = numbered(30, total=lambda page: 30)
        ending = walk(lambda values: clamped({"page": min(values["page"], 3)}), total_path="total", **PAGES)
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 30))

    def test_P4_a_clamp_that_hands_out_ever_new_tokens(self) -> None:
        """Next links counted up for ever over the same rows: seen after some, and cut back to the first."""
        numbers = iter(range(999))
        ending = walk(
            lambda values: ({"rows": rows(0, 5), "next": f"/p/{next(numbers)}"}, ()),
            type="next_url",
            next_url_path="next",
        )
        assert ending.stop == StopReason.LOOP_DETECTED
        assert ending.rows == rows(0, 5)
        assert ending.progress.rows == 5
        assert len(ending.requests) < 6

    def test_P5_a_token_repeated_on_purpose(self) -> None:
        """The same token until a batch is drained, with other rows each time: complete."""
        pages = [(rows(n, n + 1), "batch") for n in range(150)]
        ending = walk(by_cursor(*pages, (rows(150, 151), None)), **CURSOR)
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 151))

    def test_P5_equal_pages_with_other_tokens_are_no_loop(self) -> None:
        """Rows without anything of their own may well come twice."""
        same: list[Json] = [{"value": 0}]
        ending = walk(by_cursor((same, "a"), (rows(1, 2), "b"), (same, "c"), (same, None)), **CURSOR)
        assert (ending.stop, len(ending.kept)) == (StopReason.COMPLETE, 4)

    def test_the_guard_may_fail_the_item(self) -> None:
        """Policy `fail`: failed, with the code, and the repeated page is not taken."""
        ending = walk(lambda values: ({"rows": rows(0, 10)}, ()), guard="fail", **PAGES)
        assert (ending.stop, ending.failure, len(ending.kept)) == (StopReason.FAILED, "loop_detected", 1)

    def test_the_guard_may_be_switched_off(self) -> None:
        """Policy `allow`: repeats are kept and the item goes on to its end."""
        ending = walk(by_cursor(*[(rows(0, 1), "A")] * 50, (rows(1, 2), None)), guard="allow", **CURSOR)
        assert (ending.stop, len(ending.rows)) == (StopReason.COMPLETE, 51)

    @pytest.mark.parametrize("paginator", [CURSOR, PAGES], ids=str)
    def test_a_hundred_pages_without_new_rows_are_a_loop_whatever_the_policy(
        self, paginator: dict[str, Any]
    ) -> None:
        """No item runs for ever, and what was counted twice is cut back."""
        ending = walk(lambda values: ({"rows": rows(0, 2), "next": "A"}, ()), guard="allow", **paginator)
        assert (ending.stop, ending.rows, len(ending.requests)) == (StopReason.LOOP_DETECTED, rows(0, 2), 101)

    def test_a_loop_is_seen_across_a_crash(self) -> None:
        """Digests cut from a checkpoint come back from the segments' footers."""
        workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(**PAGES, record_path="rows"))  # type: ignore[arg-type]
        pager, progress = pager_for(workflow.paginator), begin(workflow.paginator)
        pages = [Page(200, (), {"rows": rows(n, n + 1)}, URL) for n in (1, 2, 3, 1)]
        digests = [settle(workflow, pager, progress, page).digest for page in pages[:3]]
        restored = msgspec.msgpack.decode(msgspec.msgpack.encode(progress.trim()), type=Progress)
        assert not restored.knows(digests[0])
        restored.remember(digests)
        assert settle(workflow, pager, restored, pages[3]).stop == StopReason.LOOP_DETECTED

    def test_memory_of_digests_is_bounded(self) -> None:
        """Eight bytes a page, the newest 16,384."""
        progress = begin()
        progress.remember(n.to_bytes(8, "big") for n in range(20_000))
        assert len(progress.seen) == 8 * 16_384
        assert progress.knows((19_999).to_bytes(8, "big"))
        assert not progress.knows((0).to_bytes(8, "big"))

    @given(st.lists(st.binary(min_size=8, max_size=8), max_size=20), st.binary(min_size=8, max_size=8))
    def test_a_digest_is_known_only_as_a_whole(self, noted: list[bytes], other: bytes) -> None:
        """Not where the end of one and the beginning of the next happen to look like it."""
        progress = begin()
        progress.remember(noted)
        assert progress.knows(other) == (other in noted)
        across = b"".join(noted)[4:12]
        assert len(across) < 8 or progress.knows(across) == (across in noted)


class TestEmptyPages:
    def test_P6_an_empty_page_in_the_middle(self) -> None:
        """With a next token set it goes on: complete."""
        ending = walk(
            by_cursor((rows(0, 2), "a"), ([], "b"), (rows(2, 4), "c"), ([], "d"), (rows(4, 5), None)),
            **CURSOR,
        )
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 5))

    @pytest.mark.parametrize("more", [{"total": 40}, {"more": True}], ids=str)
    def test_P6_counted_pages_that_are_announced(self, more: dict[str, Json]) -> None:
        """Where the total or has_more says that there is more, one empty page does not end it either."""

        def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
            found = [] if values["page"] == 2 else rows(values["page"] * 10, values["page"] * 10 + 10)
            last = values["page"] == 5
            return {
                "rows": found,
                "total": more.get("total"),
                "more": False if last else more.get("more"),
            }, ()

        ending = walk(upstream, total_path="total", has_more_path="more", **PAGES)
        assert (ending.stop, len(ending.rows)) == (StopReason.COMPLETE, 40)

    def test_P7_a_cursor_on_the_last_and_empty_page(self) -> None:
        """Two empty pages in a row end it, though a next token is still set."""
        ending = walk(by_cursor((rows(0, 2), "a"), ([], "b"), ([], "c"), (rows(2, 3), None)), **CURSOR)
        assert (ending.stop, ending.rows) == (StopReason.EMPTY_PAGE, rows(0, 2))

    def test_P7_empty_page_wins_over_loop_detected(self) -> None:
        """Even where the empty pages repeat a token."""
        assert (
            walk(by_cursor((rows(0, 1), "a"), ([], "a"), ([], "a")), **CURSOR).stop == StopReason.EMPTY_PAGE
        )

    def test_P7_has_more_false_ends_an_empty_page_at_once(self) -> None:
        """Although the cursor is set."""
        bodies = iter(
            [{"rows": rows(0, 2), "next": "a", "more": True}, {"rows": [], "next": "b", "more": False}]
        )
        ending = walk(lambda values: (next(bodies), ()), has_more_path="more", **CURSOR)
        assert ending.stop == StopReason.EMPTY_PAGE

    def test_counted_pages_end_with_the_first_empty_one(self) -> None:
        """Where nothing announces more."""
        ending = walk(numbered(20), **PAGES)
        assert (ending.stop, len(ending.requests)) == (StopReason.EMPTY_PAGE, 3)

    def test_empty_pages_may_be_allowed(self) -> None:
        """`stop_after_empty_page: false` bears many, but not for ever."""
        pages: list[tuple[list[Json], Json]] = [([], f"t{n}") for n in range(60)]
        ending = walk(by_cursor(*pages, (rows(0, 1), None)), stop_after_empty_page=False, **CURSOR)
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 1))
        endless = walk(lambda values: ({"rows": []}, ()), stop_after_empty_page=False, **PAGES)
        assert (endless.stop, len(endless.requests)) == (StopReason.EMPTY_PAGE, 100)

    def test_no_body_is_an_empty_page(self) -> None:
        """A 204 has no rows and no next token."""
        assert walk(lambda values: (None, ()), **CURSOR).stop == StopReason.COMPLETE


class TestSizesAndTotals:
    def test_P8_a_short_page_in_the_middle(self) -> None:
        """Short pages do not end anything."""
        sizes = {0: 10, 10: 4, 14: 10, 24: 10}
        ending = walk(sliced(34, lambda offset: sizes.get(offset, 10)), **OFFSET)
        assert ending.rows == rows(0, 34)
        pages = {1: rows(0, 10), 2: rows(10, 13), 3: rows(13, 23)}
        assert walk(lambda values: ({"rows": pages.get(values["page"], [])}, ()), **PAGES).rows == rows(0, 23)

    @given(total=st.integers(0, 200), size=st.integers(1, 25), known=st.booleans())
    def test_P8_a_page_size_silently_reduced(self, total: int, size: int, known: bool) -> None:
        """The next offset counts the rows that came, not the limit that was asked for."""
        upstream = sliced(total, lambda offset: size, total=total)
        ending = walk(upstream, total_path="total" if known else None, **OFFSET)
        assert ending.rows == rows(0, total)

    @pytest.mark.parametrize(
        ("declared", "kept"),
        [
            (lambda page: None, None),
            (lambda page: 25 if page == 1 else None, 25),
            (lambda page: "25", 25),
            (lambda page: "25.0", 25),
            (lambda page: 1000, 1000),
            (lambda page: 10, 10),
            (lambda page: 20, 20),
            (lambda page: 3, 3),
            (lambda page: 0, 0),
            (lambda page: -1, None),
            (lambda page: "many", None),
            (lambda page: True, None),
            (lambda page: [25], None),
        ],
    )
    @pytest.mark.parametrize("style", ["page", "offset"])
    def test_P9_totals_that_are_wrong(
        self, declared: Callable[[int], Json], kept: int | None, style: str
    ) -> None:
        """Null, only on page 1, a string, too high, too low, nonsense: complete, and the total is kept."""
        if style == "page":
            ending = walk(numbered(25, total=declared), total_path="total", **PAGES)
        else:

            def upstream(values: dict[str, Json]) -> tuple[Json, Headers]:
                return sliced(25, lambda offset: 10, total=declared(values["offset"] // 10 + 1))(values)

            ending = walk(upstream, total_path="total", **OFFSET)
        assert ending.rows == rows(0, 25)
        assert ending.stop in (StopReason.COMPLETE, StopReason.EMPTY_PAGE)
        assert (ending.progress.declared_total, ending.progress.rows) == (kept, 25)

    def test_P9_a_total_of_the_page_alone(self) -> None:
        """`count` is often that of the page: a full page that just reaches it is not believed."""
        ending = walk(numbered(30, count=lambda page: 10 if page < 4 else 0), total_path="count", **PAGES)
        assert ending.rows == rows(0, 30)

    @pytest.mark.parametrize("flag", ["false", "False", "no", "0", "", False, 0])
    def test_P12_has_more_in_words(self, flag: Json) -> None:
        """The string "false" is false."""
        ending = walk(
            numbered(100, more=lambda page: "true" if page < 3 else flag), has_more_path="more", **PAGES
        )
        assert (ending.stop, len(ending.requests)) == (StopReason.COMPLETE, 3)

    def test_has_more_without_a_next_token_is_not_complete(self) -> None:
        """Nothing ends with silent loss: the rows so far stay, and the item says what was missing."""
        ending = walk(lambda values: ({"rows": rows(0, 2), "more": True}, ()), has_more_path="more", **CURSOR)
        assert (ending.stop, ending.failure, ending.rows) == (StopReason.FAILED, "next_missing", rows(0, 2))

    def test_has_more_that_is_absent_says_nothing(self) -> None:
        """Null or missing is not false."""
        ending = walk(numbered(30, more=lambda page: None), has_more_path="more", **PAGES)
        assert ending.rows == rows(0, 30)

    @pytest.mark.parametrize(
        ("status", "total", "stop"),
        [
            (400, None, StopReason.DEPTH_CAP),
            (422, None, StopReason.DEPTH_CAP),
            (403, None, StopReason.DEPTH_CAP),
            (400, 100_000, StopReason.DEPTH_CAP),
            (404, 100_000, StopReason.DEPTH_CAP),
            (404, None, StopReason.COMPLETE),
            (400, 30, StopReason.COMPLETE),
            (401, None, None),
            (429, None, None),
            (500, None, None),
            (None, None, None),
        ],
    )
    def test_P13_a_refusal_at_depth(
        self, status: int | None, total: int | None, stop: StopReason | None
    ) -> None:
        """After pages that worked: the upstream's bound, the list's end (Django's 404), or a failure."""
        progress = Progress({"page": 4}, page=3, rows=30, declared_total=total)
        assert depth_cap(progress, status) == stop

    def test_P13_a_refusal_of_the_first_page_is_a_failure(self) -> None:
        """Nothing had worked before."""
        assert depth_cap(begin(Paginator(**PAGES)), 400) is None  # type: ignore[arg-type]

    def test_P13_a_ban_on_the_way_through_cursors_is_no_depth_cap(self) -> None:
        """A 403 there has nothing to do with depth; a refused cursor may have."""
        progress = Progress({"cursor": "x"}, page=3, rows=30)
        assert depth_cap(progress, 403) is None
        assert depth_cap(progress, 400) == StopReason.DEPTH_CAP


class TestAddresses:
    @pytest.mark.parametrize(
        ("base", "target", "url"),
        [
            ("https://h/a/b?x=1", "?page=2", "https://h/a/b?page=2"),
            ("https://h/a/b?x=1", "c", "https://h/a/c"),
            ("https://h/a/b", "/c?d", "https://h/c?d"),
            ("https://h/a/b", "//other/c", "https://other/c"),
            ("https://h/a/b", "https://other/c#x", "https://other/c"),
            ("https://h/a", "http://h/b", "https://h/b"),
            ("https://h/a", "http://other/b", "http://other/b"),
            ("http://h/a", "http://h/b", "http://h/b"),
            ("https://h/a", "http://127.0.0.1/", "http://127.0.0.1/"),
            ("https://h/a", "http://a\\@127.0.0.1/", "http://a/@127.0.0.1/"),
        ],
    )
    def test_P10_next_urls(self, base: str, target: str, url: str) -> None:
        """Relative ones resolve; other hosts are the guard's; the same host is not asked in the clear."""
        pager = pager_for(Paginator(type="next_url", next_url_path="next"))
        assert pager.advance({}, Page(200, (), {"next": target}, base), 1) == {"url": url}

    @pytest.mark.parametrize(
        "target", ["javascript:alert(1)", "file:///etc/passwd", "http://", "http://[", 5.5, ["x"]]
    )
    def test_P10_what_is_no_web_address_fails_the_item_after_its_page(self, target: Json) -> None:
        """The page at hand is kept; the item says why it ends."""
        ending = walk(
            lambda values: ({"rows": rows(0, 2), "next": target}, ()), type="next_url", next_url_path="next"
        )
        assert (ending.stop, ending.failure) == (StopReason.FAILED, "bad_next_url")
        assert ending.rows == rows(0, 2)

    def test_P11_several_relations_quoted_commas_and_upper_case(self) -> None:
        """As RFC 8288 has it and as servers write it; several Link headers are one list."""
        pager = pager_for(Paginator(type="header_link"))
        headers = [
            (
                "Link",
                '<https://h/1,2>; title="a, <b>; rel=next"; rel="prev", </other>; rel=next; anchor="/z"',
            ),
            ("LINK", '<https://h/3?q=a;b>;REL="alternate  NEXT";type="x", <https://h/last>; rel="last"'),
        ]
        assert pager.advance({}, Page(200, headers, None, URL), 1) == {"url": "https://h/3?q=a;b"}

    @pytest.mark.parametrize(
        ("value", "links"),
        [
            ("", []),
            ("nonsense", []),
            ("<a>", [("a", ())]),
            ("<a>; rel=next, <b>; rel=prev", [("a", ("next",)), ("b", ("prev",))]),
            ('<a>;rel="next",<b>;rel="prev"', [("a", ("next",)), ("b", ("prev",))]),
            ("<a> ; rel = next ;", [("a", ("next",))]),
            ("<a>; rel='next'", [("a", ("next",))]),
            ('<a>; title="say \\"hi\\", ok"; rel=next', [("a", ("next",))]),
            ("<a>; rel=next; rel=prev", [("a", ("next",))]),
            ('<a>; rel="next', [("a", ())]),
            ("<a; rel=next", []),
        ],
    )
    def test_P11_link_headers(self, value: str, links: list[tuple[str, tuple[str, ...]]]) -> None:
        """Well-formed or not, reading ends and gives what can be read."""
        assert [(link.target, link.rels) for link in read_links([value])] == links

    @given(st.text('<>;,="\\ relnxt', max_size=60))
    def test_reading_links_always_ends(self, value: str) -> None:
        """Whatever stands there; and no link is made of nothing: each begins with its own bracket."""
        assert len(list(read_links([value]))) <= value.count("<")

    @pytest.mark.parametrize(("last", "stop"), [([], 2), ([("x-next", "")], 2), ([("x-next", "  ")], 2)])
    def test_P11_a_cursor_in_a_header(self, last: Headers, stop: int) -> None:
        """Absent and empty both end it; names of headers know no case."""
        answers = iter([({"rows": rows(0, 1)}, [("X-NEXT", "tok")]), ({"rows": rows(1, 2)}, last)])
        ending = walk(lambda values: next(answers), type="header_cursor", header="X-Next", variable="after")
        assert (ending.stop, ending.rows) == (StopReason.COMPLETE, rows(0, 2))
        assert ending.requests[1] == {"after": "tok"}


class TestRecords:
    def first_step(self, body: Json, **paginator: Any) -> int:
        workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(**paginator))
        return settle(workflow, pager_for(workflow.paginator), begin(), Page(200, (), body, URL)).rows

    @pytest.mark.parametrize(
        ("body", "count"),
        [
            ({"meta": {"tags": ["a"] * 9}, "data": {"items": rows(0, 3)}}, 3),
            (rows(0, 4), 4),
            ({"ids": [1, 2, 3]}, 3),
            ({"a": rows(0, 2), "b": rows(0, 5)}, 5),
            ({"id": 1, "name": "x"}, 1),
            ({"rows": rows(0, 1), "suggested_facets": rows(0, 2), "columns": ["a"] * 9}, 1),
            ({"rows": [[1, "x"], [2, "y"], [3, "z"]], "suggestedFacets": rows(0, 2)}, 3),
            ({"rows": rows(0, 1), "facet_results": {"level": {"results": rows(0, 5)}}}, 1),
            ({"items": [], "links": rows(0, 3)}, 0),
            ({"items": ["a", "b"], "errors": rows(0, 3)}, 2),
            ({"tags": [], "links": rows(0, 3)}, 3),
            ({"data": []}, 0),
            ({}, 0),
            (None, 0),
            ([], 0),
        ],
    )
    def test_the_records_are_the_largest_array(self, body: Json, count: int) -> None:
        """Of objects or lists, rather than of links or facets; an object without arrays is one row."""
        assert self.first_step(body) == count

    @pytest.mark.parametrize(
        ("path", "count"), [("a.b", 2), ("$.a.b", 2), ("$.a.b[*]", 2), ("$..b[*].id", 2), ("a", 1), ("x", 0)]
    )
    def test_a_record_path_decides(self, path: str, count: int) -> None:
        """Dotted or JSONPath, to the array or to its elements."""
        assert self.first_step({"a": {"b": rows(0, 2)}, "c": rows(0, 9)}, record_path=path) == count

    def test_the_array_is_chosen_once(self) -> None:
        """A later page with a larger array elsewhere, or none, does not change what the rows are."""
        bodies = iter([
            {"rows": rows(0, 5), "ads": rows(0, 1)},
            {"rows": rows(5, 7), "ads": rows(0, 9)},
            {"ads": rows(0, 9)},
        ])  # fmt: skip
        ending = walk(lambda values: (next(bodies), ()), record_path=None, **PAGES)
        assert (ending.stop, ending.progress.rows) == (StopReason.EMPTY_PAGE, 7)

    def test_an_empty_first_page_does_not_choose(self) -> None:
        """There the facets may be all that is in it."""
        bodies = iter([{"rows": [], "facets": ["a"]}, {"rows": rows(0, 5), "facets": ["a"]}, {"rows": []}])
        workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(**PAGES))  # type: ignore[arg-type]
        pager, progress = pager_for(workflow.paginator), begin()
        for _ in range(2):
            settle(workflow, pager, progress, Page(200, (), next(bodies), URL))
        assert progress.records == ("rows",)

    def test_facets_of_the_first_page_do_not_end_the_others(self) -> None:
        """Seen at Datasette: more facets are suggested than a short page has rows, and only on the first."""
        bodies = iter([
            {"rows": rows(0, 1), "suggested_facets": rows(0, 2), "next": "a"},
            {"rows": rows(1, 2), "suggested_facets": [], "next": "b"},
            {"rows": rows(2, 3), "suggested_facets": [], "next": "c"},
            {"rows": rows(3, 4), "suggested_facets": [], "next": None},
        ])  # fmt: skip
        ending = walk(lambda values: (next(bodies), ()), record_path=None, **CURSOR)
        assert (ending.stop, ending.progress.rows) == (StopReason.COMPLETE, 4)

    def test_links_that_differ_from_page_to_page_are_no_rows(self) -> None:
        """An item without rows ends, though every page links to itself and to the next."""
        linked = lambda values: ({"items": [], "links": [{"href": f"?page={values['page']}"}]}, ())  # noqa: E731
        ending = walk(linked, record_path=None, **PAGES)
        assert (ending.stop, ending.progress.rows) == (StopReason.EMPTY_PAGE, 0)

    def test_rows_that_orjson_refuses_are_digested(self) -> None:
        """Huge integers and lone surrogates are rows like others."""
        bodies = iter(
            [{"rows": [{"n": 10**400, "s": "\ud800"}]}, {"rows": [{"n": 10**400 + 1}]}, {"rows": []}]
        )
        assert walk(lambda values: (next(bodies), ()), **PAGES).progress.rows == 2


class TestLookahead:
    def progress(self, **known: Any) -> Progress:
        return Progress({"page": 2}, page=1, **({"rows": 10, "size": 10, "declared_total": 95} | known))

    def test_a_total_says_how_many_pages_are_left(self) -> None:
        """From the rows that came and the size of the pages; never beyond the page limit."""
        paginator = Paginator(**PAGES)  # type: ignore[arg-type]
        assert lookahead(paginator, self.progress()) == 9
        assert lookahead(paginator, self.progress(declared_total=5)) == 0
        limited = Paginator(**PAGES, max_pages_per_item=3)  # type: ignore[arg-type]
        assert lookahead(limited, self.progress()) == 2

    @pytest.mark.parametrize("known", [{"declared_total": None}, {"size": 0}], ids=str)
    def test_nothing_known_is_none(self, known: dict[str, Any]) -> None:
        """None is not 0: there may be many pages."""
        assert lookahead(Paginator(**PAGES), self.progress(**known)) is None  # type: ignore[arg-type]

    def test_pages_that_are_led_cannot_be_foreseen(self) -> None:
        """Only the page itself says what comes next."""
        assert lookahead(Paginator(**CURSOR), self.progress()) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("paginator", [PAGES, OFFSET], ids=str)
    def test_states_ahead_are_those_that_settling_reaches(self, paginator: dict[str, Any]) -> None:
        """As long as pages keep their size, a page fetched ahead is the one that is asked for next."""
        workflow = Workflow(name="w", endpoint_id="e", paginator=Paginator(**paginator, record_path="rows"))
        pager, progress = pager_for(workflow.paginator), begin(workflow.paginator)
        settle(workflow, pager, progress, Page(200, (), {"rows": rows(0, 7)}, URL))
        foreseen = ahead(workflow.paginator, progress, 4)
        for n, state in enumerate(foreseen, 1):
            assert progress.state == state
            settle(workflow, pager, progress, Page(200, (), {"rows": rows(n * 7, n * 7 + 7)}, URL))
