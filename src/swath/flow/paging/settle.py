"""How one page leads to the next, and when an item ends.

A pager is three small verbs: `first`, `apply`, `advance`. `settle` is the loop's one question after each
page, and knows no kind of pager: are the page's rows taken, and does the item go on? What must be remembered
between pages is a `Progress`, which stands in every checkpoint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from swath.errors import ItemFailed
from swath.flow.bodies import UNREAD
from swath.flow.definition import Json, LoopGuard, Paginator, Workflow
from swath.flow.execution import StopReason
from swath.flow.filters import bind_filters, matches
from swath.flow.paging.pagers import Page, Pager, State, pager_for
from swath.flow.paging.progress import Progress, ahead, begin, depth_cap, lookahead
from swath.flow.paging.records import (
    asked_size,
    choose_array,
    digest,
    find_records,
    holds_records,
    path_of,
    read_count,
    read_truth,
    walk,
)
from swath.flow.paths import MISSING
from swath.flow.segment import NOT_COUNTED

__all__ = [
    "Page",
    "Pager",
    "Progress",
    "State",
    "Step",
    "ahead",
    "begin",
    "depth_cap",
    "lookahead",
    "pager_for",
    "settle",
]

#: Pages in a row without new rows that end an item under every policy.
_ENDLESS: Final = 100
#: The same rows so often in a row are a loop even where each time another token comes with them.
_SAME_ROWS: Final = 3


class Step(msgspec.Struct, frozen=True):
    """What becomes of a page, and whether the item goes on."""

    #: False: the page repeats another, its rows are not taken.
    keep: bool
    #: None: go on with `progress.state`.
    stop: StopReason | None
    rows: int
    #: Stands for the page in the loop guard; empty where nothing could repeat.
    digest: bytes
    progress: Progress
    #: Why the item failed, where `stop` says so.
    failure: ItemFailed | None = None
    #: Pages of the item that count: fewer than were kept, where a loop was seen only after some rounds.
    pages: int = 0


@dataclass(slots=True)
class _Findings:
    """What one page says, read once."""

    rows: list[Json]
    more: bool | None
    following: State | None
    counted: bool
    failure: ItemFailed | None = None
    mark: bytes = b""


def settle(
    workflow: Workflow,
    pager: Pager,
    progress: Progress,
    page: Page,
    parameters: Mapping[str, Json] | None = None,
) -> Step:
    """Take one page into `progress` (in place) and say what becomes of it.

    `parameters` fill the value of `stop_when`. Nothing is raised for what an upstream answers: a next URL
    that cannot be read is a Step with `failure`. Of a body that is UNREAD, which only an item without paging
    can have, no rows are counted.
    """
    paginator, guard = workflow.paginator, workflow.loop_guard
    if page.body is UNREAD:
        progress.page += 1
        return Step(True, StopReason.COMPLETE, NOT_COUNTED, b"", progress, pages=progress.page)
    found = _read(paginator, pager, progress, page)
    if found.rows and paginator.type != "none" and _is_loop(guard, progress, found):
        return _end_loop(guard, progress, found)
    _take(progress, found)
    stop = _stop(paginator, progress, page, found, parameters or {})
    if stop is None and found.following is not None:
        progress.state = found.following
    return _step(progress, found, stop)


def _read(paginator: Paginator, pager: Pager, progress: Progress, page: Page) -> _Findings:
    rows = _find_rows(paginator, progress, page.body)
    if paginator.total_path:
        total = read_count(path_of(paginator.total_path).first(page.body, None))
        progress.declared_total = progress.declared_total if total is None else total
    more = _read_more(paginator, progress, page.body)
    try:
        following, failure = pager.advance(progress.state, page, len(rows)), None
    except ItemFailed as fault:
        following, failure = None, fault
    return _Findings(rows, more, following, not pager.led, failure)


def _read_more(paginator: Paginator, progress: Progress, body: Json) -> bool | None:
    """Return what the has-more flag says. One that said yes before says no by being null, as `next` does."""
    if not paginator.has_more_path:
        return None
    value = path_of(paginator.has_more_path).first(body, MISSING)
    more = None if value is MISSING else read_truth(value)
    if value is None and progress.promised:
        more = False
    progress.promised = bool(more)
    return more


def _find_rows(paginator: Paginator, progress: Progress, body: Json) -> list[Json]:
    """Return a page's rows; where no path is given, the array chosen on the first page that has records."""
    if paginator.record_path:
        return find_records(paginator.record_path, body)
    if progress.records is not None:
        return walk(body, progress.records)
    chosen = choose_array(body)
    if chosen is None:
        return [body] if body else []
    keys, rows = chosen
    if holds_records(rows):
        progress.records = keys
    return rows


def _is_loop(guard: LoopGuard, progress: Progress, found: _Findings) -> bool:
    """Tell whether a page with rows repeats: counted pages by their rows, led ones by rows and token."""
    rows = digest(found.rows)
    found.mark = rows if found.counted else digest(rows, found.following)
    known = progress.knows(found.mark) and (found.counted or found.following is not None)
    if not known and rows != progress.last:
        progress.stale, progress.fresh, progress.last = 0, (0, 0), rows
        return False
    if progress.stale == 0:
        progress.fresh = (progress.page, progress.rows)
    progress.stale, progress.last = progress.stale + 1, rows
    if guard == "allow":
        return progress.stale >= _ENDLESS
    return known or progress.stale >= _SAME_ROWS


def _end_loop(guard: LoopGuard, progress: Progress, found: _Findings) -> Step:
    progress.page, progress.rows = progress.fresh
    total = progress.declared_total
    if found.counted and total is not None and progress.rows >= total:
        stop, failure = StopReason.COMPLETE, None
    elif guard == "fail":
        stop = StopReason.FAILED
        failure = ItemFailed("loop_detected", "the upstream repeats pages that it gave before")
    else:
        stop, failure = StopReason.LOOP_DETECTED, None
    return Step(False, stop, 0, found.mark, progress, failure, progress.page)


def _take(progress: Progress, found: _Findings) -> None:
    progress.page += 1
    progress.rows += len(found.rows)
    if found.mark:
        progress.remember((found.mark,))


def _stop(
    paginator: Paginator, progress: Progress, page: Page, found: _Findings, parameters: Mapping[str, Json]
) -> StopReason | None:
    """Say whether the item ends after a page that was taken, and why."""
    if found.failure is not None:
        return StopReason.FAILED
    if _is_wanted_end(paginator, page, parameters):
        return StopReason.STOP_WHEN
    if found.following is None:
        return StopReason.COMPLETE if paginator.type == "none" else _at_last_token(found)
    stop = (
        _after_rows(paginator, progress, page, found)
        if found.rows
        else _after_none(paginator, progress, found)
    )
    if stop is None and progress.page >= (paginator.max_pages_per_item or progress.page + 1):
        return StopReason.PAGE_LIMIT
    return stop


def _at_last_token(found: _Findings) -> StopReason:
    """Say how an item ends that names no next page: failed, where the upstream says that it has more."""
    if found.more and found.rows:
        found.failure = ItemFailed(
            "next_missing", "the upstream says that it has more, but names no next page"
        )
        return StopReason.FAILED
    return StopReason.COMPLETE


def _is_wanted_end(paginator: Paginator, page: Page, parameters: Mapping[str, Json]) -> bool:
    if paginator.stop_when is None:
        return False
    for rule in bind_filters((paginator.stop_when,), parameters):
        values = path_of(rule.path).find(page.body) or [None]
        return any(matches(rule.op, value, rule.value) for value in values)
    return False


def _after_rows(paginator: Paginator, progress: Progress, page: Page, found: _Findings) -> StopReason | None:
    count, earlier = len(found.rows), progress.size
    progress.empties, progress.size = 0, max(earlier, count)
    if found.more is not None:
        return None if found.more else StopReason.COMPLETE
    # Totals lie (they count the page, or are capped), so one that is just reached by a full page is not
    # believed before the next page has come empty.
    if found.counted and progress.rows == progress.declared_total:
        expected = max(earlier, paginator.limit or 0) or asked_size(page.url)
        return StopReason.COMPLETE if count < expected else None
    return None


def _after_none(paginator: Paginator, progress: Progress, found: _Findings) -> StopReason | None:
    progress.empties += 1
    total = progress.declared_total
    if found.more is False:
        return StopReason.EMPTY_PAGE
    if found.counted and total is not None and progress.rows >= total:
        return StopReason.COMPLETE
    # Where a next page is announced, one empty page may stand in the middle.
    announced = not found.counted or found.more is True or total is not None
    patience = _ENDLESS if not paginator.stop_after_empty_page else 2 if announced else 1
    return StopReason.EMPTY_PAGE if progress.empties >= patience else None


def _step(progress: Progress, found: _Findings, stop: StopReason | None) -> Step:
    return Step(True, stop, len(found.rows), found.mark, progress, found.failure, progress.page)
