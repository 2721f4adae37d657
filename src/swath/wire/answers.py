"""From what operations return to JSON: envelopes, times, masked secrets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from swath.errors import FieldError
from swath.flow.definition import Json
from swath.flow.request.template import dump
from swath.operations.collections import CollectionView
from swath.operations.endpoints import EndpointView
from swath.operations.executions import iso, with_addresses
from swath.operations.formulas import Applied
from swath.operations.users import TokenView
from swath.operations.workflows import WorkflowView
from swath.store.vault import mask_sealed

#: An execution with its results' addresses in full.
show_execution = with_addresses


def write_object(value: Json) -> bytes:
    """Return the answer that is one object."""
    return dump({"object": value})


def write_rows(view: Mapping[str, Json]) -> bytes:
    """Return the answer that holds rows, whose values may be JSON already."""
    return msgspec.json.encode({"object": view})


def write_list(values: Iterable[Json], next_cursor: str | None) -> bytes:
    """Return the answer that is a list; `next_cursor` stands beside it only where more remain."""
    more = {} if next_cursor is None else {"next_cursor": next_cursor}
    return dump({"objects": list(values), **more})


def write_errors(fields: Iterable[tuple[str, str]]) -> bytes:
    return dump({"errors": [{field: message} for field, message in fields]})


def write_error(error: FieldError) -> bytes:
    return write_errors(error.fields)


def show(view: Any) -> dict[str, Json]:
    """Return a view with its times as clients read them."""
    return _with_times(msgspec.to_builtins(view))


def show_token(view: TokenView) -> dict[str, Json]:
    """Return a token as it stands in lists."""
    shown = show(view)
    del shown["token"]
    return shown


def write_collection_start(view: CollectionView) -> bytes:
    """Return a collection's answer up to its first item: `]}}` behind the last one ends it."""
    return dump({"object": show(view)}).removesuffix(b"}}") + b',"items":['


def write_items(kind: str | None, values: Sequence[str]) -> bytes:
    """Return items as JSON, commas between them; objects are kept as JSON already."""
    return ",".join(values).encode() if kind == "json" else dump(values)[1:-1]


def show_endpoint(view: EndpointView) -> dict[str, Json]:
    definition = mask_sealed(msgspec.to_builtins(view.endpoint))
    names = {"variable_names": view.variable_names}
    return {"id": view.id, **definition, **names, **_times(view.created_at, view.updated_at)}


def show_workflow(view: WorkflowView) -> dict[str, Json]:
    definition = mask_sealed(msgspec.to_builtins(view.workflow))
    definition["mappings"] = [_show_mapping(mapping) for mapping in definition["mappings"]]
    return {"id": view.id, **definition, **_times(view.created_at, view.updated_at)}


def _show_mapping(mapping: dict[str, Json]) -> dict[str, Json]:
    """Return a mapping; that of a collection has the documented keys, and no other."""
    hidden = () if mapping["from_result"] else ("from_result",)
    return {"id": None, **{name: value for name, value in mapping.items() if name not in hidden}}


def show_applied(applied: Applied) -> dict[str, Json]:
    shown: dict[str, Json] = msgspec.to_builtins(applied)
    shown["workflows"] = [{"name": name, "id": each} for name, each in applied.workflows.items()]
    return shown


def _times(created_at: int, updated_at: int) -> dict[str, Json]:
    return {"created_at": iso(created_at), "updated_at": iso(updated_at)}


def _with_times(view: dict[str, Json]) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for name, value in view.items():
        if isinstance(value, dict):
            shown[name] = _with_times(value)
        else:
            shown[name] = iso(value) if name.endswith("_at") else value
    return shown
