"""Pace: when a request may be sent, so that no scope sees more than its limit.

Each scope is a generic cell rate (GCRA): it knows only the time at which its next slot is due. A request
goes when a slot is due in every scope that it concerns, and takes one of each at that moment; it holds
none while it waits for another, so that a slow exit never uses up a target's slots. All executions of
the process share the scopes.
"""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from swath.errors import InvalidInput

#: Seconds by which slots may come late and are still taken: a twentieth of a second's worth, or one slot.
SLACK = 0.05
#: Seconds' worth of slots that are reserved at a time where several processes share a scope.
BLOCK = 0.15
#: Scopes remembered before those that are idle are dropped.
MOST_SCOPES = 10_000

#: Requests per second that the automatic mode begins with and keeps between, and what it adds per second.
FIRST_RATE, LOWEST_RATE, HIGHEST_RATE = 4.0, 0.1, 10_000.0
GROWTH = 1.0

#: Takes the next `count` slots of a scope (key, interval, count) that other processes share; returns the
#: seconds until the first of them is due.
Reserve = Callable[[str, float, int], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Pace:
    """A limit on one scope: at most `requests` in `per_seconds`. Without a number only pauses hold it.

    Each limit needs a key of its own, also where two are on the same target.
    """

    key: str
    requests: float | None = None
    per_seconds: float = 1.0
    #: Seconds between two slots; 0 without a number.
    interval: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self.requests is not None and not (self.requests > 0 and 0 < self.per_seconds < math.inf):
            raise InvalidInput("rate_limits", "requests and per_seconds must be above 0")
        object.__setattr__(self, "interval", self.per_seconds / self.requests if self.requests else 0.0)


#: What a request must keep: limits that stand, and such as are being found.
Paces = Sequence["Pace | Tempo"]


@dataclass(slots=True)
class _Scope:
    """`due` is when the next slot is, `left` how many have been reserved from there on."""

    due: float
    left: float = math.inf
    #: Until when the scope is held, whatever else is said of its slots.
    held: float = -math.inf
    waiting: "list[tuple[int, _Waiter]]" = field(default_factory=list)
    server: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Waiter:
    paces: Paces
    turn: asyncio.Future[None]


class Pacer:
    """Hands out slots, first come first served. `clock` and `sleep` count seconds; a test hands in its own.

    Without `reserve` the slots are this process's alone; with it they come from wherever it keeps them.
    """

    def __init__(
        self,
        *,
        reserve: Reserve | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._reserve = reserve
        self._clock = clock
        self._sleep = sleep
        self._scopes: dict[str, _Scope] = {}
        self._numbers = itertools.count()

    def share(self, reserve: Reserve) -> None:
        """Take slots from where other processes take theirs; before the first is asked for."""
        self._reserve = reserve

    async def slot(self, paces: Paces) -> float:
        """Wait until every scope has a slot, and take them. Returns how many seconds it took."""
        if not paces:
            return 0.0
        blocking = self._queued(paces) or self._try(paces)
        if blocking is None:
            return 0.0
        begun = self._clock()
        waiter = _Waiter(paces, asyncio.get_running_loop().create_future())
        self._queue(blocking, next(self._numbers), waiter)
        await waiter.turn
        return self._clock() - begun

    def try_slot(self, paces: Paces, *, overtake: bool = False) -> bool:
        """Take a slot of every scope if all are due now, and nobody waits for one of them.

        Who has given back a slot before may overtake those who wait.
        """
        return (overtake or self._queued(paces) is None) and self._try(paces) is None

    def give_back(self, paces: Paces) -> None:
        """Return slots that were taken for a request that is not sent; a pause since then holds."""
        for pace in paces:
            scope = self._scope(pace.key)
            scope.due = max(scope.due - pace.interval, scope.held)
            scope.left += pace.interval > 0

    def restart(self, key: str) -> None:
        """Have a scope's next slot due now, for its limit has changed; a pause holds."""
        scope = self._scope(key)
        scope.due = max(scope.held, self._clock())
        if self._reserve is not None:
            scope.left = 0
        if scope.server is not None:  # it sleeps until what was due before
            scope.server.cancel()
            scope.server = asyncio.create_task(self._serve(key, scope))

    def pause(self, key: str, until: float) -> None:
        """Hold a whole scope until a time of the pacer's clock; of two pauses the longer holds."""
        scope = self._scope(key)
        scope.held = max(scope.held, until)
        scope.due = max(scope.due, until)

    def pause_for(self, key: str, seconds: float) -> None:
        """Hold a whole scope for some seconds from now."""
        self.pause(key, self._clock() + seconds)

    def paused_for(self, keys: Iterable[str]) -> float:
        """Return for how many seconds the last of the scopes is held."""
        until = -math.inf
        for key in keys:
            scope = self._scopes.get(key)
            if scope is not None and scope.held > until:
                until = scope.held
        return 0.0 if until == -math.inf else max(0.0, until - self._clock())

    async def close(self) -> None:
        """Let all who wait go without a slot: they are cancelled."""
        servers = [scope.server for scope in self._scopes.values() if scope.server]
        for scope in self._scopes.values():
            for _, waiter in scope.waiting:
                waiter.turn.cancel()
        for server in servers:
            server.cancel()
        await asyncio.gather(*servers, return_exceptions=True)
        self._scopes.clear()

    def _queued(self, paces: Paces) -> str | None:
        """Return the key of a scope that others wait for already: nobody overtakes them."""
        for pace in paces:
            scope = self._scopes.get(pace.key)
            if scope is not None and scope.waiting:
                return pace.key
        return None

    def _try(self, paces: Paces, waited: bool = False) -> str | None:
        """Take a slot of every scope, or none and return the key of the one that is due last."""
        now = latest = self._clock()
        blocking = None
        for pace in paces:
            scope = self._scope(pace.key)
            if pace.interval:
                self._forfeit(scope, pace.interval, now, waited)
            due = scope.due if scope.left > 0 or not pace.interval else math.inf
            if due > latest:
                latest, blocking = due, pace.key
        if blocking is not None:
            return blocking
        for pace in paces:
            if pace.interval:
                scope = self._scopes[pace.key]
                scope.due += pace.interval
                scope.left -= 1
        return None

    def _forfeit(self, scope: _Scope, interval: float, now: float, waited: bool) -> None:
        """Give up the slots that nobody took in time, or they would all be taken at once.

        Slots that somebody waited for, and the process was too busy to hand out, may come a little late.
        """
        shared = scope.left != math.inf
        slack = max(interval, SLACK) if waited or shared else 0.0
        late = now - slack - scope.due
        if late <= 0:
            return
        if shared:
            missed = math.ceil(late / interval)
            scope.due += missed * interval
            scope.left -= missed
        else:
            scope.due += late

    def _scope(self, key: str) -> _Scope:
        scope = self._scopes.get(key)
        if scope is None:
            if len(self._scopes) >= MOST_SCOPES:
                self._drop_idle()
            scope = _Scope(self._clock(), math.inf if self._reserve is None else 0)
            self._scopes[key] = scope
        return scope

    def _drop_idle(self) -> None:
        now = self._clock()
        self._scopes = {
            key: scope
            for key, scope in self._scopes.items()
            if scope.due > now or scope.waiting or scope.server
        }

    def _queue(self, key: str, number: int, waiter: _Waiter) -> None:
        scope = self._scopes[key]
        heapq.heappush(scope.waiting, (number, waiter))
        if scope.server is None:
            scope.server = asyncio.create_task(self._serve(key, scope))

    async def _serve(self, key: str, scope: _Scope) -> None:
        """Call the waiting of one scope as its slots come due, until nobody waits."""
        try:
            while scope.waiting:
                await self._refill(key, scope)
                await self._wait_for(scope)
                self._call_next(scope)
        except Exception as error:
            for _, waiter in scope.waiting:
                if not waiter.turn.done():
                    waiter.turn.set_exception(error)
            scope.waiting.clear()
        finally:
            if scope.server is asyncio.current_task():
                scope.server = None

    async def _wait_for(self, scope: _Scope) -> None:
        while (wait := scope.due - self._clock()) > 0:
            await self._sleep(wait)

    def _call_next(self, scope: _Scope) -> None:
        """Let the waiting go, or wait elsewhere, until this scope has no slot due."""
        while scope.waiting and scope.due <= self._clock():
            number, waiter = heapq.heappop(scope.waiting)
            if waiter.turn.done():
                continue
            blocking = self._try(waiter.paces, waited=True)
            if blocking is None:
                waiter.turn.set_result(None)
                continue
            self._queue(blocking, number, waiter)
            if self._scopes[blocking] is scope:
                return

    async def _refill(self, key: str, scope: _Scope) -> None:
        """Reserve a block of slots where they are shared and used up."""
        paces = (pace for _, waiter in scope.waiting for pace in waiter.paces if pace.key == key)
        interval = max(pace.interval for pace in paces)
        if self._reserve is None or scope.left > 0 or not interval:
            return
        count = max(1, int(BLOCK / interval))
        wait = await self._reserve(key, interval, count)
        scope.due, scope.left = max(scope.due, self._clock() + wait), count


@dataclass(slots=True)
class Tempo:
    """Finds the pace that a target bears, where nothing is configured and the user asked for it.

    The rate doubles every second until the target first strains; from then on it grows by a little with
    every answer, and falls by a third at each strain. One burst of refusals counts as one strain.
    """

    key: str
    rate: float = FIRST_RATE
    _searching: bool = True
    _strained_at: float = -math.inf

    @property
    def interval(self) -> float:
        """Seconds between two slots, as of now: who waits already goes by it as well."""
        return 1.0 / self.rate

    def succeed(self) -> None:
        """An answer came, and the target did not mind."""
        growth = 1.0 if self._searching else GROWTH / self.rate
        self.rate = min(self.rate + growth, HIGHEST_RATE)

    def strain(self, now: float) -> None:
        """The target refused for being asked too often, or broke down."""
        if now - self._strained_at >= 1.0:
            self._strained_at, self._searching = now, False
            self.rate = max(self.rate * 2 / 3, LOWEST_RATE)
