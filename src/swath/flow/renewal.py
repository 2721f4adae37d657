"""Which items of an ended execution its retry fetches anew, and how a shard begins that keeps the others."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from swath.flow.execution import DONE, LIMITED, PARTIAL, StopReason
from swath.flow.shard import ShardProgress

Which = Literal["failed", "partial", "limited"]

#: The stop reasons that each word stands for.
REASONS: Mapping[Which, frozenset[StopReason]] = {
    "failed": frozenset(StopReason) - DONE - PARTIAL,
    "partial": PARTIAL,
    "limited": LIMITED,
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The items that a retry fetches anew: those named, or those that ended in certain ways."""

    which: tuple[Which, ...] = ()
    items: tuple[int, ...] | None = None

    @property
    def reasons(self) -> frozenset[StopReason]:
        return frozenset[StopReason]().union(*(REASONS[which] for which in self.which))

    def count(self, reasons: Mapping[StopReason, int]) -> int:
        """Return how many items are chosen, of which so many ended for each reason."""
        if self.items is not None:
            return len(set(self.items))
        return sum(reasons.get(reason, 0) for reason in self.reasons)

    def keeps(self, left: StopReason) -> bool:
        """Tell whether some items that never began, for the reason `left`, are not fetched now either."""
        return self.items is not None or left not in self.reasons


def renew(progress: ShardProgress, choice: Choice, left: StopReason) -> bool:
    """Have a shard begin anew with the chosen items; return whether pages that it has no longer count.

    Items that had not ended, for the reason `left`, are chosen or end now.
    """
    if choice.items is not None:
        chosen = [item for item in choice.items if item in progress]
    else:
        chosen = list(progress.ended_for(choice.reasons))
        if left in choice.reasons:
            chosen += progress.begun
    progress.renew(chosen)
    if choice.keeps(left):
        for item in set(progress.unfinished()) - set(chosen):
            progress.end(item, left)
    return bool(chosen)
