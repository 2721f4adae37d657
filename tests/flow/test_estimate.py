"""Estimates: how much an execution will be."""

from swath.flow.definition import Paginator, RateLimit, Workflow
from swath.flow.estimate import Estimate, Sample, estimate

PLAIN = Workflow(name="w", endpoint_id="e", concurrency=10)
PAGED = Workflow(name="w", endpoint_id="e", concurrency=10, paginator=Paginator(type="page_number"))


def test_one_page_items_are_scaled_up() -> None:
    """As many requests as items; the time is that of the concurrent ones."""
    samples = [Sample(rows=10, bytes=1_000, seconds=0.2), Sample(rows=20, bytes=3_000, seconds=0.4)]
    assert estimate(1_000, PLAIN, samples) == Estimate(
        items=1_000, requests=1_000, rows=15_000, bytes=2_000_000, seconds=30.0, at_least=False
    )


def test_a_declared_total_tells_the_pages() -> None:
    """250 rows at 100 a page are three pages; the most pages of the paginator bound it."""
    sample = Sample(rows=100, bytes=500, seconds=1.0, declared=250, more=True)
    told = estimate(10, PAGED, [sample])
    assert told is not None
    assert (told.requests, told.rows, told.at_least) == (30, 2_500, False)
    short = Workflow(name="w", endpoint_id="e", paginator=Paginator(type="page_number", max_pages_per_item=2))
    bounded = estimate(10, short, [sample])
    assert bounded is not None
    assert bounded.requests == 20


def test_pages_that_no_total_bounds_are_at_least_two() -> None:
    """The first page says that another follows, and nothing says how many."""
    told = estimate(5, PAGED, [Sample(rows=10, bytes=1, seconds=1.0, more=True)])
    assert told is not None
    assert (told.requests, told.at_least) == (10, True)


def test_limits_take_their_time() -> None:
    """Two a second are two a second, however quick the upstream is."""
    slow = Workflow(name="w", endpoint_id="e", rate_limits=(RateLimit(requests=2),))
    told = estimate(100, slow, [Sample(rows=1, bytes=1, seconds=0.01)])
    assert told is not None
    assert told.seconds == 50.0


def test_nothing_is_known_without_a_sample() -> None:
    """No guess is made of nothing."""
    assert estimate(5, PLAIN, []) is None
