"""What an item remembers between its pages, and what follows from it for the pages to come."""

from collections.abc import Iterable
from math import ceil
from typing import Final

import msgspec

from swath.flow.definition import Paginator
from swath.flow.execution import StopReason
from swath.flow.paging.pagers import State, pager_for
from swath.flow.paging.records import DIGEST_SIZE

#: Digests kept of one item: a longer cycle than this goes unseen.
_SEEN_BYTES: Final = 16_384 * DIGEST_SIZE


class Progress(msgspec.Struct, omit_defaults=True):
    """What an item remembers between pages; `settle` moves it on in place."""

    state: State
    #: Number of the next page, and so of the pages that count.
    page: int = 0
    rows: int = 0
    declared_total: int | None = None
    #: Whether the has-more flag of the page before said yes.
    promised: bool = False
    #: Keys that lead to the rows, once found; None: not yet.
    records: tuple[str, ...] | None = None
    #: Rows of the largest page.
    size: int = 0
    #: Empty pages in a row, and pages in a row without new rows, up to now.
    empties: int = 0
    stale: int = 0
    #: Pages and rows before the pages without new rows.
    fresh: tuple[int, int] = (0, 0)
    last: bytes = b""
    seen: bytes = b""

    def remember(self, digests: Iterable[bytes]) -> None:
        """Note the digests of pages that are taken."""
        self.seen = (self.seen + b"".join(digests))[-_SEEN_BYTES:]

    def knows(self, mark: bytes) -> bool:
        at = self.seen.find(mark)
        while at % DIGEST_SIZE and at > 0:
            at = self.seen.find(mark, at + 1)
        return at >= 0

    def trim(self) -> "Progress":
        """Return a copy without digests, for who restores them by `remember`."""
        return msgspec.structs.replace(self, seen=b"")


def begin(paginator: Paginator | None = None) -> Progress:
    """Return the progress of an item that has no page yet; every pager reads an empty state as its first."""
    return Progress(pager_for(paginator).first() if paginator else {})


def lookahead(paginator: Paginator, progress: Progress) -> int | None:
    """Return how many further pages are known to exist, None if nothing says so."""
    if (
        paginator.type not in ("page_number", "offset")
        or progress.declared_total is None
        or not progress.size
    ):
        return None
    pages = ceil(max(0, progress.declared_total - progress.rows) / progress.size)
    if paginator.max_pages_per_item is not None:
        pages = min(pages, max(0, paginator.max_pages_per_item - progress.page))
    return pages


def ahead(paginator: Paginator, progress: Progress, count: int) -> list[State]:
    """Return the states of the next `count` pages, as they will be if pages keep their size.

    A page fetched ahead may be settled only if its state equals `progress.state` then, else it is dropped.
    """
    state = progress.state
    if paginator.type == "page_number":
        number = state.get("page", paginator.start)
        return [{"page": number + n} for n in range(count)]
    if paginator.type == "offset":
        return [{"offset": state.get("offset", 0) + n * progress.size} for n in range(count)]
    return [state][:count]


def depth_cap(progress: Progress, status: int | None) -> StopReason | None:
    """Say how an item ends whose page was refused with `status`; None: an ordinary failure.

    A refusal after pages that worked is the upstream's bound (`depth_cap`), or simply the end of the list
    (`complete`): some answer 404 past the last page.
    """
    if progress.rows == 0 or status is None:
        return None
    counted = "page" in progress.state or "offset" in progress.state
    total = progress.declared_total
    if counted and status in (400, 404, 410, 416, 422) and total is not None and progress.rows >= total:
        return StopReason.COMPLETE
    if counted and status in (404, 410, 416) and total is None:
        return StopReason.COMPLETE
    refusals = (400, 403, 404, 410, 413, 416, 422) if counted else (400, 413, 416, 422)
    return StopReason.DEPTH_CAP if status in refusals else None
