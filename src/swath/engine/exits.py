"""Exits: the ways out, which of them a request takes, and what is known of their health.

Two kinds of blame are kept apart. An exit that cannot be reached or refuses us is in quarantine for
everything; one that a target bans, or cannot be reached through, rests for that target only.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swath.engine.guard import read_proxy_url
from swath.errors import InvalidInput
from swath.flow.definition import Json, ProxyType

__all__ = ["DIRECT", "Exit", "ExitPool", "parse_proxy_url"]

#: Faults of the exit itself, whatever the target was.
OF_THE_EXIT = frozenset({"proxy_unreachable", "proxy_auth_required"})
#: Faults that leave no doubt at the first sight.
CERTAIN = frozenset({"proxy_auth_required"})
#: Seconds of the first quarantine; each further one without a success between is twice as long.
FIRST_REST = 10.0
LONGEST_REST = 600.0
#: Faults or bans in a row after which an exit rests.
MOST_IN_A_ROW = 3
#: Seconds in which a probe should have ended; then there is another.
PROBE_TIME = 60.0
#: Targets of which the order of the exits is remembered.
MOST_LINES = 100
_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out. `url` is the proxy's, None for a direct connection; its credentials stay out of `repr`."""

    id: str
    type: ProxyType
    location: str = ""
    url: str | None = field(default=None, repr=False)
    #: Whether an administrator put it up: then the address guard lets it be, wherever it stands.
    trusted: bool = True

    @property
    def exempt(self) -> bool:
        """Whether the proxy's own address is none of the guard's business."""
        return self.trusted and self.type != "custom"

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0] if self.url else ""

    @property
    def label(self) -> str:
        """The proxy's URL with its credentials masked, or `direct`."""
        if self.url is None:
            return "direct"
        scheme, _, rest = self.url.partition("://")
        login, at, address = rest.rpartition("@")
        return f"{scheme}://{'***@' if at and login else ''}{address.rstrip('/')}"


DIRECT = Exit("direct", "direct")


def parse_proxy_url(text: str, field: str = "proxy.url") -> str:
    """Return a proxy's URL in full; without a scheme it is an HTTP proxy. Raises InvalidInput.

    The message never repeats the text, which may hold a password.
    """
    text = text.strip()
    if not text:
        raise InvalidInput(field, "Blank.")
    url = read_proxy_url(text if "://" in text else f"http://{text}")
    if url is None:
        raise InvalidInput(field, "is not a proxy's URL; it reads like http://user:password@host:port")
    if url.scheme not in _SCHEMES:
        raise InvalidInput(field, f"the scheme must be one of {', '.join(_SCHEMES)}")
    if not url.host_str:
        raise InvalidInput(field, "has no host; it reads like http://user:password@host:port")
    if url.path not in ("", "/") or url.query_string is not None or url.fragment is not None:
        raise InvalidInput(field, "has something after host and port")
    return str(url).rstrip("/")


@dataclass(slots=True)
class _Health:
    """Of an exit, or of an exit towards one target. One that nothing is known of has none."""

    row: int = 0
    rests: int = 0
    #: The end of its rest; 0 where it has none.
    until: float = 0.0
    #: The request that tries whether it is well again is under way.
    probing: bool = False


Report = Callable[[str, dict[str, Json]], None]


class ExitPool:
    """The exits of one execution in this process. `report(kind, data)` is told of events of the execution.

    Once a quarantine is over, one request is let through as the probe: its success revives the exit, its
    fault makes the rest twice as long. `sticky` keeps an item on its exit while that one is well.
    """

    def __init__(
        self,
        exits: Sequence[Exit],
        *,
        sticky: bool = False,
        report: Report | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exits = tuple(exits) or (DIRECT,)
        self._sticky = sticky
        self._report = report or (lambda kind, data: None)
        self._clock = clock
        #: Of each target, the exits in the order of their last use towards it.
        self._lines: OrderedDict[str, deque[Exit]] = OrderedDict()
        self._ill: dict[str, _Health] = {}
        self._ill_towards: dict[tuple[str, str], _Health] = {}
        self._kept: dict[int, Exit] = {}

    def __len__(self) -> int:
        return len(self._exits)

    def choose(self, target: str, item: int | None = None, avoid: Exit | None = None) -> Exit:
        """Return the exit for a request: the least recently used one towards the target that is well.

        `avoid` is the exit that just failed. Where none is well, the one whose rest ends first: an
        execution whose exits are all ill goes on, and its items tell of the faults.
        """
        if len(self._exits) == 1:
            return self._exits[0]
        exit = self._of_item(target, item, avoid) or self._next(target, avoid)
        for health in self._healths(exit, target):
            if health.until:
                health.probing, health.until = True, self._clock() + PROBE_TIME
        if self._sticky and item is not None:
            self._kept[item] = exit
        return exit

    def forget(self, item: int) -> None:
        """An item has ended: no exit need be kept for it."""
        self._kept.pop(item, None)

    def report_success(self, exit: Exit, target: str) -> None:
        """An answer came through: the exit is well, also towards this target."""
        if not self._ill and not self._ill_towards:
            return
        found = (self._ill.pop(exit.id, None), self._ill_towards.pop((exit.id, target), None))
        if any(health is not None and health.until for health in found):
            self._tell("exit_revived", exit, target)

    def report_fault(self, exit: Exit, target: str, code: str = "proxy_unreachable") -> None:
        """An exchange failed by the exit's fault; `code` is the FetchFault's."""
        if code in OF_THE_EXIT:
            health = self._ill.setdefault(exit.id, _Health())
        else:
            health = self._ill_towards.setdefault((exit.id, target), _Health())
        self._count(health, exit, target, code)

    def report_ban(self, exit: Exit, target: str, code: str = "banned") -> None:
        """The target refused what came through this exit, as its status or a rule tells."""
        self._count(self._ill_towards.setdefault((exit.id, target), _Health()), exit, target, code)

    def report_swap(self, before: Exit, after: Exit, target: str, code: str) -> None:
        """A request goes on through another exit."""
        if before != after:
            self._report("exit_swapped", {"from": before.id, "to": after.id, "target": target, "code": code})

    def is_well(self, exit: Exit, target: str) -> bool:
        """Tell whether a request may go through: there is no rest, or it is over and waits for a probe."""
        now = self._clock()
        return all(health.until <= now for health in self._healths(exit, target))

    def _of_item(self, target: str, item: int | None, avoid: Exit | None) -> Exit | None:
        exit = self._kept.get(item) if item is not None else None
        return exit if exit is not None and exit != avoid and self.is_well(exit, target) else None

    def _next(self, target: str, avoid: Exit | None) -> Exit:
        line = self._line(target)
        for _ in range(len(line)):
            exit = line[0]
            line.rotate(-1)
            if exit != avoid and self.is_well(exit, target):
                return exit
        others = [exit for exit in self._exits if exit != avoid]
        return min(others, key=lambda exit: max(health.until for health in self._healths(exit, target)))

    def _line(self, target: str) -> deque[Exit]:
        line = self._lines.get(target)
        if line is None:
            line = self._lines[target] = deque(self._exits)
            if len(self._lines) > MOST_LINES:
                self._lines.popitem(last=False)
        return line

    def _healths(self, exit: Exit, target: str) -> list[_Health]:
        found = (self._ill.get(exit.id), self._ill_towards.get((exit.id, target)))
        return [health for health in found if health is not None]

    def _count(self, health: _Health, exit: Exit, target: str, code: str) -> None:
        if health.until and not health.probing:
            return  # the fault of a request from before the rest
        health.row += 1
        if health.probing or code in CERTAIN or health.row >= MOST_IN_A_ROW:
            rest = min(FIRST_REST * 2**health.rests, LONGEST_REST)
            health.row, health.rests, health.probing = 0, health.rests + 1, False
            health.until = self._clock() + rest
            self._tell("exit_quarantined", exit, target, code=code, seconds=rest)

    def _tell(self, kind: str, exit: Exit, target: str, **more: Json) -> None:
        self._report(kind, {"exit": exit.id, "location": exit.location, "target": target, **more})
