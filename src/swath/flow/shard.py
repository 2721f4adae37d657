"""What became of a shard's items: the progress that a checkpoint makes true together with its segment."""

from collections import Counter
from collections.abc import Collection, Iterator

import msgspec

from swath.flow.execution import STOP_CODES, StopReason
from swath.flow.paging import Progress

_CODES = {reason: code for code, reason in enumerate(STOP_CODES, start=1)}


class ShardProgress(msgspec.Struct):
    """One byte an item (0: not ended), and where each begun item stands."""

    first: int
    outcomes: bytearray
    begun: dict[int, Progress]
    #: Declared totals of ended items that differ from the rows fetched: item -> (declared, fetched).
    declared: dict[int, tuple[int, int]] = {}
    #: Items of which only the first pages count: a loop was seen after some repeated ones were taken.
    cuts: dict[int, int] = {}
    #: Of items that were left amid a page: the seconds that they may still wait, how often the page failed,
    #: was refused for being too fast, and was asked for.
    tried: dict[int, tuple[float, int, int, int]] = {}
    #: How often items were begun anew; of those that were, the last time. Pages of earlier generations that
    #: such an item has do not count.
    generation: int = 0
    renewed: dict[int, int] = {}
    #: Items on trial, for a worker may have died with them; and how many did that had no other item of the
    #: shard, the one that has it now included.
    doubt: dict[int, int] = {}
    #: How many deaths were held against items that went on afterwards: somebody kills workers from outside.
    false_alarms: int = 0

    @classmethod
    def new(cls, first: int, count: int) -> "ShardProgress":
        return cls(first=first, outcomes=bytearray(count), begun={})

    @classmethod
    def decode(cls, stored: bytes) -> "ShardProgress":
        return msgspec.msgpack.decode(stored, type=cls)

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    def end(self, item: int, reason: StopReason) -> None:
        """Note that `item` ended; where it stood is forgotten."""
        self.absolve(item)
        self.outcomes[item - self.first] = _CODES[reason]
        for kept in (self.begun, self.tried, self.doubt):
            kept.pop(item, None)

    def absolve(self, item: int) -> None:
        """Note that a worker came further with an item on trial: those before it died of something else."""
        if (deaths := self.doubt.get(item, 0) - 1) > 0:
            self.false_alarms += deaths
            self.doubt[item] = 1

    def renew(self, items: Collection[int]) -> None:
        """Begin items anew: what was fetched of them so far no longer counts."""
        self.generation += bool(items)
        for item in items:
            self.outcomes[item - self.first] = 0
            for kept in (self.begun, self.declared, self.cuts, self.tried, self.doubt):
                kept.pop(item, None)
            self.renewed[item] = self.generation

    def superseded(self, generation: int) -> frozenset[int]:
        """Return the items whose pages of this generation do not count, for they were begun anew since."""
        return frozenset(item for item, last in self.renewed.items() if last > generation)

    def __contains__(self, item: int) -> bool:
        return 0 <= item - self.first < len(self.outcomes)

    def ended_for(self, reasons: Collection[StopReason]) -> Iterator[int]:
        """Yield the items that ended for one of these reasons, in order."""
        codes = {_CODES[reason] for reason in reasons}
        if any(code in self.outcomes for code in codes):  # most shards have none, and this is quick
            for offset, code in enumerate(self.outcomes):
                if code in codes:
                    yield self.first + offset

    def unfinished(self) -> Iterator[int]:
        """Yield the items that have not ended, in order."""
        for offset, code in enumerate(self.outcomes):
            if not code:
                yield self.first + offset

    def reasons(self) -> Counter[StopReason]:
        """Count the ended items by stop reason."""
        counts = Counter(self.outcomes)
        return Counter({STOP_CODES[code - 1]: count for code, count in counts.items() if code})

    def reason_of(self, item: int) -> StopReason | None:
        code = self.outcomes[item - self.first]
        return STOP_CODES[code - 1] if code else None
