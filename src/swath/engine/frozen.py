"""What an execution's row holds of its definition, and how it is read with its secrets in the clear."""

import msgspec

from swath.flow.definition import Definition, Json, ProxyType
from swath.store.vault import Vault, unseal


class Frozen(msgspec.Struct, kw_only=True):
    """The definition, and the exits that its proxy choice stood for when it was triggered."""

    definition: Definition
    #: (id, type, location, url) of each exit; where it is stored, the url is sealed.
    exits: list[tuple[str, ProxyType, str, Json]] = []


def open_frozen(stored: str, vault: Vault) -> Frozen:
    """Read a frozen definition with its secrets in the clear."""
    return msgspec.convert(unseal(msgspec.json.decode(stored), vault), Frozen)


def secrets_of(definition: Definition) -> list[str]:
    """Return the values of the definition's secret variables."""
    variables = definition.endpoint.variables
    names = [name for name, variable in variables.items() if variable.secret]
    values = [definition.constants.get(name, variables[name].default) for name in names]
    return [str(value) for value in values if value]
