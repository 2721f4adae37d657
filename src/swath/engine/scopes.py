"""What a rate limit applies to: target × credential × exit, within one owner."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from swath.engine.exits import Exit
from swath.engine.frozen import secrets_of
from swath.engine.pacing import Pace
from swath.flow.definition import Definition


class Scopes:
    """The scopes of one execution; executions with the same owner and credential share them."""

    def __init__(self, owner_id: str, definition: Definition, proxy_rate: float | None) -> None:
        self._owner_id = owner_id
        self._limits = definition.workflow.rate_limits
        self._proxy_rate = proxy_rate
        self._credential = _fingerprint(definition)
        self._known: dict[tuple[str, str], tuple[Pace, ...]] = {}

    def of(self, target: str, exit: Exit) -> Sequence[Pace]:
        """Return all paces that a request to the target through the exit must keep."""
        found = self._known.get((target, exit.id))
        if found is None:
            found = self._known[target, exit.id] = tuple(self._lay(target, exit))
        return found

    def own(self, target: str, exit: Exit) -> str:
        """Return the key of the narrowest scope: what a 429 pauses."""
        return f"{self._owner_id} {target} {self._credential} {exit.id}"

    def _lay(self, target: str, exit: Exit) -> list[Pace]:
        keys = {
            "target": f"{self._owner_id} {target}",
            "credential": f"{self._owner_id} {target} {self._credential}",
            "exit": f"{self._owner_id} {target} exit {exit.id}",
        }
        paces = [
            Pace(
                f"{keys[limit.scope]} {limit.requests}/{limit.per_seconds}", limit.requests, limit.per_seconds
            )
            for limit in self._limits
        ]
        if self._proxy_rate and exit.type != "direct":
            paces.append(Pace(f"proxy {exit.id}", self._proxy_rate))
        return [Pace(self.own(target, exit)), *paces]


def _fingerprint(definition: Definition) -> str:
    """Return what stands for the credential: secrets, and the headers that carry one; none is kept."""
    headers = {
        name: value
        for name, value in definition.endpoint.headers.items()
        if name.lower() in ("authorization", "cookie", "x-api-key")
    }
    told = msgspec.json.encode([secrets_of(definition), headers], order="sorted")
    return sha256(told).hexdigest()[:16]
