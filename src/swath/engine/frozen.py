"""What an execution's row holds of its definition, and how it is read with its secrets in the clear."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from swath.flow.definition import Definition, Endpoint, Json, ProxyChoice, ProxyType, RateLimit
from swath.store.vault import Vault, unseal

#: Definitions kept open; each may hold lists that were given as parameters.
REMEMBERED = 16


class Frozen(msgspec.Struct, kw_only=True):
    """The definition, and the exits that its proxy choice stood for when it was triggered."""

    definition: Definition
    #: (id, type, location, url) of each exit; where it is stored, the url is sealed.
    exits: list[tuple[str, ProxyType, str, Json]] = []


class Adjustments(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an owner has changed of an execution since it was triggered; None: as it was frozen."""

    rate_limits: tuple[RateLimit, ...] | None = None
    concurrency: int | None = None
    proxy: ProxyChoice | None = None
    exits: list[tuple[str, ProxyType, str, Json]] | None = None


class Opened:
    """Reads frozen definitions with their secrets in the clear, and remembers those last read."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: OrderedDict[str, Frozen] = OrderedDict()

    def of(self, row: Any) -> Frozen:
        """Return what an execution's row holds; it never changes, so it is read once."""
        frozen = self._known.get(row.id)
        if frozen is None:
            frozen = msgspec.convert(unseal(msgspec.json.decode(row.definition), self._vault), Frozen)
            self._known[row.id] = frozen
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return frozen

    def adjustments(self, row: Any) -> Adjustments:
        """Return what an execution's row holds of changes, with its secrets in the clear."""
        stored = msgspec.json.decode(row.adjustments or "{}")
        return msgspec.convert(unseal(stored, self._vault), Adjustments)


def secrets_of(definition: Definition) -> list[str]:
    """Return the values of the definition's secret variables."""
    return secret_values(definition.endpoint, definition.constants)


def secret_values(endpoint: Endpoint, given: Mapping[str, Json]) -> list[str]:
    """Return the values that an endpoint's secret variables have, of those given or by default."""
    secret = {name: variable for name, variable in endpoint.variables.items() if variable.secret}
    values = [given.get(name, variable.default) for name, variable in secret.items()]
    return [str(value) for value in values if value]
