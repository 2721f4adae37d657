"""What a rate limit applies to: target × credential × exit, within one owner."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from swath.engine.exits import Exit
from swath.engine.frozen import secrets_of
from swath.engine.pacing import Pace, Paces, Tempo
from swath.flow.definition import Definition, RateLimit

#: By the key of a scope: the pace that its target was found to bear. One for the process.
Tempos = dict[str, Tempo]


class Scopes:
    """The scopes of one execution; executions with the same owner and credential share them."""

    def __init__(
        self,
        owner_id: str,
        definition: Definition,
        limits: Sequence[RateLimit],
        proxy_rate: float | None,
        tempos: Tempos | None = None,
    ) -> None:
        self._owner_id = owner_id
        self._limits = limits
        self._proxy_rate = proxy_rate
        self._credential = _fingerprint(definition)
        self._known: dict[tuple[str, str], tuple[Pace, ...]] = {}
        self._own: dict[tuple[str, str], str] = {}
        #: Where the workflow asks for an automatic pace.
        self._tempos = tempos

    def of(self, target: str, exit: Exit) -> Paces:
        """Return all paces that a request to the target through the exit must keep."""
        found = self._known.get((target, exit.id))
        if found is None:
            found = self._known[target, exit.id] = tuple(self._lay(target, exit))
        tempo = self.tempo(target, exit)
        return found if tempo is None else (*found, tempo)

    def keys(self) -> set[str]:
        """Return the keys of all scopes that requests have gone through."""
        return {pace.key for paces in self._known.values() for pace in paces}

    def own(self, target: str, exit: Exit) -> str:
        """Return the key of the narrowest scope: what a 429 pauses."""
        key = self._own.get((target, exit.id))
        if key is None:
            key = f"{self._owner_id} {target} {self._credential} {exit.id}"
            self._own[target, exit.id] = key
        return key

    def tempo(self, target: str, exit: Exit) -> Tempo | None:
        """Return what finds the pace of the narrowest scope, if that is asked for."""
        if self._tempos is None:
            return None
        key = name_tempo(self.own(target, exit))
        tempo = self._tempos.get(key)
        if tempo is None:
            tempo = self._tempos[key] = Tempo(key)
        return tempo

    def _lay(self, target: str, exit: Exit) -> list[Pace]:
        keys = {
            "target": f"{self._owner_id} {target}",
            "credential": f"{self._owner_id} {target} {self._credential}",
            "exit": f"{self._owner_id} {target} exit {exit.id}",
        }
        # Not by their rate: two executions with different limits on one scope hold it jointly.
        paces: dict[str, Pace] = {}
        for limit in sorted(self._limits, key=lambda limit: -limit.requests):
            key = f"{keys[limit.scope]} per {limit.per_seconds}"
            paces[key] = Pace(key, limit.requests, limit.per_seconds)
        if self._proxy_rate and exit.type != "direct":
            paces["proxy"] = Pace(f"proxy {exit.id}", self._proxy_rate)
        return [Pace(self.own(target, exit)), *paces.values()]


def name_tempo(own: str) -> str:
    """Return the key of the automatic pace of a narrowest scope."""
    return f"{own} automatic"


def _fingerprint(definition: Definition) -> str:
    """Return what stands for the credential: secrets, and the headers that carry one; none is kept."""
    headers = {
        name: value
        for name, value in definition.endpoint.headers.items()
        if name.lower() in ("authorization", "cookie", "x-api-key")
    }
    told = msgspec.json.encode([secrets_of(definition), headers], order="sorted")
    return sha256(told).hexdigest()[:16]
