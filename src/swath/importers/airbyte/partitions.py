"""Partition routers and cursors in time: lists become collections, parents and windows are told of."""

import ast
import re
from collections.abc import Iterator
from typing import Any

from swath.flow.definition import Json
from swath.importers.airbyte.interpolation import Interpolation
from swath.importers.airbyte.requests import Draw
from swath.importers.documents import objects
from swath.importers.holes import hole, identifier, variables_of
from swath.importers.imported import Draft

Node = dict[str, Any]


def routers_of(retriever: Node) -> list[Node]:
    """Return the routers of a retriever; several together are a product."""
    given = retriever.get("partition_router") or retriever.get("stream_slicer")
    return list(_flatten(given))


def _flatten(given: Json) -> Iterator[Node]:
    if isinstance(given, list):
        for each in given:
            yield from _flatten(each)
    elif isinstance(given, dict) and str(given.get("type")).startswith("CartesianProduct"):
        yield from _flatten(given.get("stream_slicers"))
    elif isinstance(given, dict):
        yield given


def parents_of(router: Node) -> list[Node]:
    """Return the streams whose rows a router goes through."""
    inner = router.get("underlying_partition_router")
    if isinstance(inner, dict):
        return parents_of(inner)
    return objects([each.get("stream") for each in objects(router.get("parent_stream_configs"))])


def add_router(router: Node, draw: Draw, interpolation: Interpolation, draft: Draft) -> Iterator[Node]:
    """Put a router's variable into the request and yield the mappings to its values."""
    kind = router.get("type")
    if kind == "ListPartitionRouter":
        yield from _add_list(router, draw, interpolation, draft)
    elif kind == "SubstreamPartitionRouter":
        _add_parents(router, draw, interpolation)
    elif kind == "GroupingPartitionRouter":
        interpolation.note(
            f"Values go in groups of {router.get('group_size')}: give them joined, so many at a time."
        )
        inner = router.get("underlying_partition_router")
        if isinstance(inner, dict):
            yield from add_router(inner, draw, interpolation, draft)
    else:
        interpolation.note(f"The partition router {kind} was left out: map a collection to what it fills.")


def _add_list(router: Node, draw: Draw, interpolation: Interpolation, draft: Draft) -> Iterator[Node]:
    variable = identifier(str(router.get("cursor_field") or "partition"))
    interpolation.variables.setdefault(variable, {})
    _inject(router.get("request_option"), variable, draw, interpolation)
    values = _values(router.get("values"))
    if values:
        collection = draft.collect(variable, values)
        yield {"target_variable_name": variable, "source_collection": collection}
        return
    source = interpolation.text(router.get("values"), "values")
    named = ", ".join(sorted(variables_of(source))) or str(router.get("values"))
    for name in variables_of(source):
        interpolation.variables.pop(name, None)
    interpolation.note(
        f"{variable} goes through the list {named} of the configuration: map a collection to it."
    )


def _values(given: Json) -> list[Json]:
    """Return a list of values, which may be written as a text."""
    if isinstance(given, str) and given.strip().startswith("["):
        try:
            given = ast.literal_eval(given.strip())
        except (ValueError, SyntaxError):
            return []
    return (
        [each if isinstance(each, int | float) else str(each) for each in given]
        if isinstance(given, list)
        else []
    )


def _add_parents(router: Node, draw: Draw, interpolation: Interpolation) -> None:
    for config in objects(router.get("parent_stream_configs")):
        variable = identifier(str(config.get("partition_field") or "parent"))
        interpolation.variables.setdefault(variable, {})
        _inject(config.get("request_option"), variable, draw, interpolation)
        stream = config.get("stream")
        name = stream.get("name") if isinstance(stream, dict) else stream
        key = config.get("parent_key")
        interpolation.note(
            f"{variable} is the {key} of each row of {name}: run that first, and map that column to it."
        )


def _inject(option: Json, variable: str, draw: Draw, interpolation: Interpolation) -> None:
    if isinstance(option, dict):
        draw.inject(option, hole(variable), interpolation, variable)


def add_cursor(given: Json, draw: Draw, interpolation: Interpolation) -> None:
    """Put the bounds of a cursor in time into the request."""
    if not isinstance(given, dict) or given.get("type") not in (
        "DatetimeBasedCursor",
        "IncrementingCountCursor",
    ):
        if isinstance(given, dict):
            interpolation.note(f"The cursor {given.get('type')} was left out: every run fetches everything.")
        return
    bounds = (
        (
            "start_time",
            given.get("start_time_option"),
            given.get("start_datetime") or given.get("start_value"),
        ),
        ("end_time", given.get("end_time_option"), given.get("end_datetime")),
    )
    for name, option, value in bounds:
        used = _mentions(draw, name)
        if isinstance(option, dict):
            draw.inject(option, hole(name), interpolation, name)
        if isinstance(option, dict) or used:
            interpolation.variables[name] = _bound(name, value, given, interpolation)
    if given.get("step"):
        interpolation.note(
            f"The time is not cut into steps of {given['step']}: give start_time and end_time as lists."
        )
    interpolation.note(f"Every run fetches everything, not only what is new by {given.get('cursor_field')}.")


def _mentions(draw: Draw, name: str) -> bool:
    return re.search(rf"\{{\{{\s*{name}\b", repr([draw.url, draw.query, draw.headers, draw.body])) is not None


def _bound(name: str, value: Json, cursor: Node, interpolation: Interpolation) -> Node:
    """Declare a bound, with its value where that is written out."""
    written = value.get("datetime") if isinstance(value, dict) else value
    declared: Node = {"description": f"Written as {cursor.get('datetime_format') or '%Y-%m-%d'}."}
    if name == "end_time":
        declared["required"] = False
    if isinstance(written, str | int) and "{{" not in str(written):
        declared["default"] = str(written)
    elif written:
        interpolation.note(f"Give {name} a value: the manifest has {written!r}.")
    return declared
