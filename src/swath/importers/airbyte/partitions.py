"""Partition routers and cursors in time: collections, rows of parents, batches and windows."""

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final

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


def split_parents(stream: Node) -> list[Node]:
    """Return a stream once for each parent that it goes through: all of a workflow's rows come from one."""
    retriever = stream.get("retriever")
    for router in routers_of(retriever) if isinstance(retriever, dict) else ():
        configs = objects(router.get("parent_stream_configs"))
        if len(configs) > 1 and isinstance(retriever, dict):
            return [_with_parent(stream, retriever, router, config) for config in configs]
    return [stream]


def _with_parent(stream: Node, retriever: Node, router: Node, config: Node) -> Node:
    routers = [
        {**each, "parent_stream_configs": [config]} if each is router else each
        for each in routers_of(retriever)
    ]
    return {**stream, "retriever": {**retriever, "partition_router": routers}}


@dataclass
class Partitions:
    """What routers and cursors make of a workflow. `kept` are the workflows so far, by stream."""

    draw: Draw
    interpolation: Interpolation
    draft: Draft
    kept: Mapping[str, str]
    mappings: list[Node] = field(default_factory=list)
    batches: dict[str, Node] = field(default_factory=dict)
    windows: list[Node] = field(default_factory=list)

    def add_router(self, router: Node) -> None:
        """Put a router's variable into the request, and map it to its values."""
        kind = router.get("type")
        if kind == "ListPartitionRouter":
            self.mappings += _add_list(router, self.draw, self.interpolation, self.draft)
        elif kind == "SubstreamPartitionRouter":
            self._add_parents(router)
        elif kind == "GroupingPartitionRouter":
            self._add_groups(router)
        else:
            told = f"The partition router {kind} was left out: map a collection to what it fills."
            self.interpolation.note(told)

    def _add_groups(self, router: Node) -> None:
        """Join so many values of the router inside into one request."""
        before = len(self.mappings)
        if isinstance(inner := router.get("underlying_partition_router"), dict):
            self.add_router(inner)
        size = str(router.get("group_size"))
        for mapping in self.mappings[before:]:
            variable = mapping["target_variable_name"]
            separator = self.draw.take_joint(variable)
            if separator is None:
                self.interpolation.note(f"The values of {variable} go joined by commas.")
            joint = {} if separator in (None, ",") else {"separator": separator}
            self.batches[variable] = {"size": int(size) if size.isdigit() else 1, **joint}

    def _add_parents(self, router: Node) -> None:
        for config in objects(router.get("parent_stream_configs")):
            variable = identifier(str(config.get("partition_field") or "parent"))
            self.interpolation.variables.setdefault(variable, {})
            _inject(config.get("request_option"), variable, self.draw, self.interpolation)
            stream = config.get("stream")
            name = str(stream.get("name") if isinstance(stream, dict) else stream)
            self._map_parent(variable, name, str(config.get("parent_key") or ""))
            for each in ("extra_fields", "lazy_read_pointer", "incremental_dependency"):
                if config.get(each):
                    self.interpolation.note(f"{each} of the parent {name} was left out.")

    def _map_parent(self, variable: str, stream: str, key: str) -> None:
        """Map a variable to a column of the parent's rows; all rows must come from one workflow."""
        workflow = self.kept.get(stream)
        others = {each["from_result"]["workflow"] for each in self.mappings if "from_result" in each}
        if workflow is None or not key or others - {workflow}:
            told = (
                f"{variable} is the {key} of each row of {stream}: run that first, and map that column to it."
            )
            self.interpolation.note(told)
            return
        column = key.replace("/", ".")
        source = {"workflow": workflow, "column": column}
        self.mappings.append({"target_variable_name": variable, "from_result": source})


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


def _inject(option: Json, variable: str, draw: Draw, interpolation: Interpolation) -> None:
    if isinstance(option, dict):
        draw.inject(option, hole(variable), interpolation, variable)


def add_cursor(given: Json, parts: Partitions) -> None:
    """Put the bounds of a cursor in time into the request; with steps they are windows."""
    draw, interpolation = parts.draw, parts.interpolation
    if not isinstance(given, dict) or given.get("type") not in (
        "DatetimeBasedCursor",
        "IncrementingCountCursor",
    ):
        if isinstance(given, dict):
            interpolation.note(f"The cursor {given.get('type')} was left out: every run fetches everything.")
        return
    start = given.get("start_datetime") or given.get("start_value")
    bounds = (
        ("start", "start_time", given.get("start_time_option"), start),
        ("end", "end_time", given.get("end_time_option"), given.get("end_datetime")),
    )
    used: dict[str, str] = {}
    for place, usual, option, value in bounds:
        name = identifier(str(given.get(f"partition_field_{place}") or usual))
        mentioned = _mentions(draw, name)
        if isinstance(option, dict):
            draw.inject(option, hole(name), interpolation, name)
        if isinstance(option, dict) or mentioned:
            interpolation.variables[name] = _bound(place, name, value, given, interpolation)
            used[place] = name
    if given.get("step"):
        _add_windows(given, used, parts)
    interpolation.note(f"Every run fetches everything, not only what is new by {given.get('cursor_field')}.")


def _add_windows(cursor: Node, used: Mapping[str, str], parts: Partitions) -> None:
    """Cut the time into steps where its beginning is written out and its format is one of ours."""
    variables, note = parts.interpolation.variables, parts.interpolation.note
    step, pattern = write_step(str(cursor["step"])), _format(cursor)
    first = variables.get(used.get("start", ""), {}).get("default")
    rule = {
        "from_variable": used.get("start"),
        "until_variable": used.get("end"),
        "first": _date(first, cursor),
        "last": _last(variables.get(used.get("end", ""), {}).get("default"), cursor),
        "step": step,
        "format": pattern,
        "inclusive": bool(cursor.get("cursor_granularity")),
    }
    if None in (rule["from_variable"], rule["first"], step, pattern):
        told = f"The time is not cut into steps of {cursor['step']}: write date_windows of your own."
        note(told)
        return
    parts.windows.append({key: value for key, value in rule.items() if value is not None})
    for name in used.values():
        variables[name].pop("default", None)


_UNITS: Final = {
    "Y": "year",
    "M": "month",
    "W": "week",
    "D": "day",
    "TH": "hour",
    "TM": "minute",
    "TS": "second",
}


def write_step(duration: str) -> str | None:
    """Return an ISO 8601 duration of one unit as we write it: `P1M` is `1 month`."""
    found = re.fullmatch(r"P(T?)(\d+)([YMWDHS])", duration.upper())
    unit = _UNITS.get(found[1] + found[3]) if found else None
    return None if found is None or unit is None else f"{found[2]} {unit}{'' if found[2] == '1' else 's'}"


def _format(cursor: Node) -> str | None:
    """Return the format of dates, None for one that strftime does not know."""
    pattern = str(cursor.get("datetime_format") or "%Y-%m-%dT%H:%M:%S.%fZ")
    epochs = {"%s": "epoch", "%ms": "epoch_ms"}
    known = re.sub(r"%[YmdHMSfzyjBb%]", "", pattern)
    return epochs.get(pattern) or (pattern if "%" not in known else None)


def _date(written: Json, cursor: Node) -> str | None:
    """Return a date as ISO 8601 has it, whichever of the cursor's formats it is written in."""
    formats = [cursor.get("datetime_format"), *(cursor.get("cursor_datetime_formats") or ()), "%Y-%m-%d"]
    start = cursor.get("start_datetime")
    formats += [start.get("datetime_format")] if isinstance(start, dict) else []
    for pattern in filter(None, formats):
        with suppress(ValueError):
            read = datetime.strptime(str(written), str(pattern))
            return read.date().isoformat() if read.time() == time() else read.isoformat()
    with suppress(ValueError):
        return datetime.fromisoformat(str(written)).isoformat()
    return None


def _last(written: Json, cursor: Node) -> str:
    day = _format(cursor) == "%Y-%m-%d"
    return _date(written, cursor) or ("today" if day else "now")


def _mentions(draw: Draw, name: str) -> bool:
    return re.search(rf"\{{\{{\s*{name}\b", repr([draw.url, draw.query, draw.headers, draw.body])) is not None


def _bound(place: str, name: str, value: Json, cursor: Node, interpolation: Interpolation) -> Node:
    """Declare a bound, with its value where that is written out or what the configuration has by default."""
    written = value.get("datetime") if isinstance(value, dict) else value
    declared: Node = {"description": f"Written as {cursor.get('datetime_format') or '%Y-%m-%d'}."}
    if place == "end":
        declared["required"] = False
    if isinstance(written, str | int) and "{{" not in str(written):
        declared["default"] = str(written)
    elif written:
        configured = _configured(str(written), interpolation) if cursor.get("step") else None
        if configured is not None:
            declared["default"] = configured
            interpolation.note(f"{name} begins at {configured}, an example of {written!r}: write your own.")
        elif place == "start" or not _NOW.search(str(written)):
            interpolation.note(f"Give {name} a value: the manifest has {written!r}.")
    return declared


_NOW: Final = re.compile(r"now_utc|today_utc|now\(|today\(")


def _configured(written: str, interpolation: Interpolation) -> str | None:
    """Return the default or an example of the configuration's value that a template is."""
    found = re.fullmatch(r"\{\{\s*config(?:\.|\[\s*['\"])(\w+)(?:['\"]\s*\])?[^|]*\}\}", written.strip())
    described = interpolation.properties.get(found[1]) if found else None
    if not isinstance(described, dict):
        return None
    examples = described.get("examples")
    value = described.get("default") or (examples[0] if isinstance(examples, list) and examples else None)
    return None if value is None else str(value)
