"""From what a formula holds to its text: what differs from the defaults, in the order of the reference."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import yaml

from swath.flow.definition import Endpoint, Json, Variable, VariableMapping, Workflow
from swath.flow.formula.structure import Formula
from swath.flow.formula.text import literal_dumper

_WIDTH = 110


def write_text(formula: Formula) -> str:
    """Return a formula as YAML."""
    text: str = yaml.dump(
        describe(formula), Dumper=literal_dumper(), sort_keys=False, allow_unicode=True, width=_WIDTH
    )
    return text


def describe(formula: Formula) -> dict[str, Json]:
    """Return a formula as plain values, in the form that is written; secret values are left out."""
    endpoints = {name: describe_endpoint(each) for name, each in formula.endpoints.items()}
    sections: dict[str, Json] = {
        "endpoints": endpoints,
        "workflows": {
            name: describe_workflow(each, formula.endpoints.get(each.endpoint_id))
            for name, each in formula.workflows.items()
        },
        "collections": {name: list(items) for name, items in formula.collections.items()},
        "proxies": {
            name: describe_proxy(each.type, each.location, each.url) for name, each in formula.proxies.items()
        },
    }
    return {name: section for name, section in sections.items() if section}


def describe_endpoint(endpoint: Endpoint) -> dict[str, Json]:
    """Return an endpoint's fields but its name, and but for the values of secrets."""
    described = describe_fields(endpoint)
    del described["name"]
    for name, variable in endpoint.variables.items():
        if variable.secret:
            described["variables"][name].pop("default", None)
    return described


def describe_workflow(workflow: Workflow, endpoint: Endpoint | None) -> dict[str, Json]:
    """Return a workflow's fields but its name, and but for the inputs that are secret."""
    described = describe_fields(workflow)
    del described["name"]
    secret = {
        name
        for name in workflow.inputs
        if endpoint is not None and endpoint.variables.get(name, Variable()).secret
    }
    kept = {name: value for name, value in workflow.inputs.items() if name not in secret}
    described = {"endpoint": described.pop("endpoint_id"), **described}
    if workflow.mappings:
        described["mappings"] = [_describe_mapping(each) for each in workflow.mappings]
    if kept:
        described["inputs"] = kept
    else:
        described.pop("inputs", None)
    return described


def describe_proxy(kind: str, location: str, url: str | None) -> dict[str, Json]:
    """Return a proxy's fields; the address holds no login."""
    return {"type": kind, "location": location, **({} if url is None else {"url": url})}


def _describe_mapping(mapping: VariableMapping) -> dict[str, Json]:
    described = describe_fields(mapping)
    described.pop("id", None)
    return _call(described, {"source_collection_id": "source_collection"}) | (
        {"from_result": _call(describe_fields(mapping.from_result), {"workflow_id": "workflow"})}
        if mapping.from_result
        else {}
    )


def _call(described: Mapping[str, Json], names: Mapping[str, str]) -> dict[str, Json]:
    """Return fields under the names that a formula has for them."""
    return {names.get(key, key): value for key, value in described.items()}


def describe_fields(value: Any) -> dict[str, Json]:
    """Return the fields of a dataclass that differ from their defaults."""
    bare = {}
    for field in fields(value):
        part = getattr(value, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if part != default:
            bare[field.name] = _plain(part)
    return bare


def _plain(value: Any) -> Json:
    if is_dataclass(value):
        return describe_fields(value)
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
