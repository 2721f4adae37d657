"""The token of an execution: fetched once for all of its items, and fetched again when it is refused."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

from swath.engine.times import Clock
from swath.errors import ItemFailed
from swath.flow.checks import request_of
from swath.flow.definition import Definition, Json
from swath.flow.paths import compile_path
from swath.flow.request import Request, RequestTemplate

#: Seconds before its end in which a token is not used any more, at most a tenth of its time.
EARLY = 30.0
#: Seconds for which a refusal to give a token stands for all who ask.
REFUSED_FOR = 30.0

Ask = Callable[[Request], Awaitable[Json]]


class Auth:
    """Holds the token. `learn` is told of each new one, so that it is masked from then on."""

    def __init__(self, definition: Definition, clock: Clock, learn: Callable[[str], None]) -> None:
        refresh = definition.workflow.auth
        assert refresh is not None
        self._refresh = refresh
        self._template = RequestTemplate(request_of(refresh, definition.endpoint))
        self._constants = definition.constants
        self._clock, self._learn = clock, learn
        declared = definition.endpoint.variables.get(refresh.variable)
        given = definition.constants.get(refresh.variable, declared.default if declared else None)
        self._token: Json = given or None
        self._until = float("inf")
        self._lock = asyncio.Lock()
        self._refused: tuple[float, ItemFailed] | None = None
        #: How many tokens there have been: who was refused says with which one.
        self.generation = 0

    @property
    def values(self) -> Mapping[str, Json]:
        """The variable that the token fills."""
        return {self._refresh.variable: self._token}

    @property
    def good_until(self) -> float:
        """When the token ends, by the steady clock; never, where nobody knows or it has ended already."""
        return self._until if self._until > self._clock.steady() else math.inf

    async def ready(self, ask: Ask) -> None:
        """See to it that there is a token that is still good."""
        if self._token is None or self._clock.steady() >= self._until:
            await self.renew(self.generation, ask)

    async def renew(self, refused: int, ask: Ask) -> None:
        """Fetch a token unless there has been a newer one since generation `refused`. Raises ItemFailed."""
        async with self._lock:
            if self.generation != refused:
                return
            if self._refused is not None and self._clock.steady() < self._refused[0]:
                raise self._refused[1]
            try:
                self._take(await ask(self._template.render(self._constants)))
            except ItemFailed as error:
                failed = ItemFailed("auth_failed", f"No token: {error.message}", retryable=True)
                # No sample: the answer may hold the token where nobody looked for it.
                failed.attempts, failed.last_status, failed.exit = (
                    error.attempts,
                    error.last_status,
                    error.exit,
                )
                self._refused = self._clock.steady() + REFUSED_FOR, failed
                raise failed from None

    def _take(self, answer: Json) -> None:
        token = compile_path(self._refresh.token_path).first(answer, None)
        if not isinstance(token, str | int) or isinstance(token, bool) or token == "":
            raise ItemFailed("auth_failed", f"the answer has none at {self._refresh.token_path}")
        self._learn(str(token))
        self._token, self._refused = token, None
        self._until = self._clock.steady() + self._lifetime(answer)
        self.generation += 1

    def _lifetime(self, answer: Json) -> float:
        if self._refresh.expires_path is None:
            return float("inf")
        found = compile_path(self._refresh.expires_path).first(answer, None)
        try:
            seconds = float(found)
        except (TypeError, ValueError):
            return float("inf")
        return seconds - min(EARLY, seconds / 10)
