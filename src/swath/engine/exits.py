"""Exits: the ways out, which of them a request takes, and what is known of their health.

Two kinds of blame are kept apart. An exit that cannot be reached or refuses us is in quarantine for
everything; one that a target bans, or cannot be reached through, rests for that target only.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from swath.engine.guard import read_proxy_url
from swath.errors import InvalidInput
from swath.flow.definition import Json, ProxyType

__all__ = ["DIRECT", "Exit", "ExitPool", "parse_proxy_url"]

#: Faults of the exit itself, whatever the target was.
OF_THE_EXIT = frozenset({"proxy_unreachable", "proxy_auth_required"})
#: Seconds of the first quarantine; each further one without a success between is twice as long.
FIRST_REST = 10.0
LONGEST_REST = 600.0
#: Faults or bans in a row after which an exit rests; one is enough of those that leave no doubt.
MOST_IN_A_ROW = 3
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
    """Of an exit, or of an exit towards one target."""

    row: int = 0
    rests: int = 0
    until: float = 0.0
    #: The one request that tries whether it is well again is under way.
    trying: bool = False

    @property
    def resting(self) -> bool:
        return self.until > 0.0


Report = Callable[[str, dict[str, Json]], None]


class ExitPool:
    """The exits of one execution in this process. `report(kind, data)` is told of events of the execution.

    Once a quarantine is over, one request is let through as the probe: its success revives the exit, its
    fault doubles the rest. `sticky` keeps an item on its exit while that one is well.
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
        self._ticks = 0
        self._used: dict[tuple[str, str], int] = {}
        self._of_exit: dict[str, _Health] = {}
        self._of_pair: dict[tuple[str, str], _Health] = {}
        self._item_exits: dict[int, Exit] = {}

    def __len__(self) -> int:
        return len(self._exits)

    def choose(self, target: str, item: int | None = None, avoid: Exit | None = None) -> Exit:
        """Return the exit for a request: the least recently used one towards the target that is well.

        `avoid` is the exit that just failed. Where none is well, the one whose rest ends first: an
        execution whose exits are all ill still goes on, and its items tell of the faults.
        """
        if len(self._exits) == 1:
            return self._exits[0]
        exit = self._kept(target, item, avoid) or self._pick(target, avoid)
        self._ticks += 1
        self._used[exit.id, target] = self._ticks
        for health in self._healths(exit, target):
            health.trying = health.resting
        if self._sticky and item is not None:
            self._item_exits[item] = exit
        return exit

    def forget(self, item: int) -> None:
        """An item has ended: its exit need not be kept for it."""
        self._item_exits.pop(item, None)

    def report_success(self, exit: Exit, target: str) -> None:
        """An answer came through: the exit is well, also towards this target."""
        for health in self._healths(exit, target):
            if health.resting:
                self._tell("exit_revived", exit, target)
            health.row, health.rests, health.until, health.trying = 0, 0, 0.0, False

    def report_fault(self, exit: Exit, target: str, code: str = "proxy_unreachable") -> None:
        """An exchange failed by the exit's fault; `code` is the FetchFault's."""
        if code in OF_THE_EXIT:
            health = self._of_exit.setdefault(exit.id, _Health())
            certain = code == "proxy_auth_required"
        else:
            health, certain = self._of_pair.setdefault((exit.id, target), _Health()), False
        self._count(health, exit, target, code, certain)

    def report_ban(self, exit: Exit, target: str, code: str = "banned") -> None:
        """The target refused what came through this exit, by status or by rule."""
        self._count(self._of_pair.setdefault((exit.id, target), _Health()), exit, target, code, False)

    def report_swap(self, before: Exit, after: Exit, target: str, code: str) -> None:
        """A request goes on through another exit."""
        if before.id != after.id:
            self._report("exit_swapped", {"from": before.id, "to": after.id, "target": target, "code": code})

    def is_well(self, exit: Exit, target: str) -> bool:
        """Tell whether a request may go through: no rest, or one that is over and waits for its probe."""
        now = self._clock()
        return all(
            not health.resting or (health.until <= now and not health.trying)
            for health in self._healths(exit, target)
        )

    def _kept(self, target: str, item: int | None, avoid: Exit | None) -> Exit | None:
        if item is None or not self._sticky:
            return None
        exit = self._item_exits.get(item)
        if exit is None or exit == avoid or not self.is_well(exit, target):
            return None
        return exit

    def _pick(self, target: str, avoid: Exit | None) -> Exit:
        well = [exit for exit in self._exits if exit != avoid and self.is_well(exit, target)]
        if well:
            return min(well, key=lambda exit: self._used.get((exit.id, target), 0))
        others = [exit for exit in self._exits if exit != avoid]
        return min(others, key=lambda exit: max((h.until for h in self._healths(exit, target)), default=0.0))

    def _healths(self, exit: Exit, target: str) -> list[_Health]:
        found = (self._of_exit.get(exit.id), self._of_pair.get((exit.id, target)))
        return [health for health in found if health is not None]

    def _count(self, health: _Health, exit: Exit, target: str, code: str, certain: bool) -> None:
        tried = health.resting
        health.row += 1
        if tried and not health.trying:
            return  # a request from before the rest
        if tried or certain or health.row >= MOST_IN_A_ROW:
            health.rests += 1
            rest = min(FIRST_REST * 2 ** (health.rests - 1), LONGEST_REST)
            health.until, health.trying, health.row = self._clock() + rest, False, 0
            self._tell("exit_quarantined", exit, target, code=code, seconds=rest)

    def _tell(self, kind: str, exit: Exit, target: str, **more: Json) -> None:
        self._report(kind, {"exit": exit.id, "location": exit.location, "target": target, **more})
