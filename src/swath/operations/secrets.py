"""Secret values of definitions: sealed before they are stored, kept where their mask comes back."""

from collections.abc import Mapping
from dataclasses import replace

from swath.flow.definition import Endpoint, Json, Tls, Workflow
from swath.flow.masking import MASK
from swath.store.vault import Vault, is_sealed


def seal_endpoint(vault: Vault, new: Endpoint, old: Endpoint | None = None) -> Endpoint:
    """Seal the defaults of secret variables; a mask stands for what `old` has."""
    known = old.variables if old is not None else {}
    variables = {}
    for name, variable in new.variables.items():
        default = variable.default
        if default == MASK and name in known and is_sealed(known[name].default):
            default = known[name].default
        elif variable.secret and default is not None:
            default = vault.seal_value(default)
        variables[name] = replace(variable, default=default)
    return replace(new, variables=variables, tls=_seal_tls(vault, new.tls, old.tls if old else None))


def _seal_tls(vault: Vault, new: Tls | None, old: Tls | None) -> Tls | None:
    if new is None:
        return None
    client = new.client
    if client == MASK and old is not None and is_sealed(old.client):
        client = old.client
    elif client is not None:
        client = vault.seal_value(client)
    return replace(new, client=client)


def seal_workflow(vault: Vault, new: Workflow, endpoint: Endpoint, old: Workflow | None = None) -> Workflow:
    """Seal the inputs that are secret variables of the endpoint; a mask stands for what `old` has."""
    known: Mapping[str, Json] = old.inputs if old is not None else {}
    inputs = {}
    for name, value in new.inputs.items():
        if value == MASK and is_sealed(known.get(name)):
            value = known[name]
        elif name in endpoint.variables and endpoint.variables[name].secret and value is not None:
            value = vault.seal_value(value)
        inputs[name] = value
    return replace(new, inputs=inputs)
