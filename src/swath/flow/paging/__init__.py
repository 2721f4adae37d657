"""How one page leads to the next, and when an item ends."""

from swath.flow.paging.settle import (
    Page,
    Progress,
    State,
    Step,
    ahead,
    begin,
    depth_cap,
    lookahead,
    pager_for,
    settle,
)

__all__ = [
    "Page",
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
