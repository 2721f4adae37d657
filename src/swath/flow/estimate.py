"""How much an execution will be, from the first pages of a few of its items."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from swath.flow.definition import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the first page of one item showed. `declared` is the total that the upstream tells."""

    rows: int
    bytes: int
    seconds: float
    declared: int | None = None
    #: Whether the page says that another one follows.
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of a whole execution. Where items have pages that no total bounds, `at_least` is true."""

    items: int
    requests: int
    rows: int
    bytes: int
    seconds: float
    at_least: bool


def estimate(items: int, workflow: Workflow, samples: Sequence[Sample]) -> Estimate | None:
    """Scale the samples up; None without any."""
    if not samples:
        return None
    pages = [_pages(workflow, sample) for sample in samples]
    share = items / len(samples)
    requests = ceil(sum(pages) * share)
    each = sum(sample.seconds for sample in samples) / len(samples)
    rows = sum(_rows(sample, count) for sample, count in zip(samples, pages, strict=True))
    size = sum(sample.bytes * count for sample, count in zip(samples, pages, strict=True))
    return Estimate(
        items=items,
        requests=requests,
        rows=ceil(rows * share),
        bytes=ceil(size * share),
        seconds=round(
            max(requests * each / min(workflow.concurrency, max(items, 1)), _paced(workflow, requests)), 1
        ),
        at_least=any(sample.more and sample.declared is None for sample in samples),
    )


def _pages(workflow: Workflow, sample: Sample) -> int:
    """Return how many pages an item has, as far as its first one tells."""
    if workflow.paginator.type == "none":
        return 1
    pages = 2 if sample.more else 1
    if sample.declared is not None and sample.rows:
        pages = max(1, ceil(sample.declared / sample.rows))
    most = workflow.paginator.max_pages_per_item
    return pages if most is None else min(pages, most)


def _rows(sample: Sample, pages: int) -> int:
    return sample.declared if sample.declared is not None and pages > 1 else sample.rows * pages


def _paced(workflow: Workflow, requests: int) -> float:
    """Return the seconds that the workflow's own limits take at least."""
    return max((requests / limit.requests * limit.per_seconds for limit in workflow.rate_limits), default=0.0)
