"""Requests that differ in one value only: one endpoint, and a list of the values."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from swath.importers.hints import Spot, fill_spot, find_spots
from swath.importers.imported import Draft

#: An endpoint, and the value in it that others have another of.
Member = tuple[str, Spot]


def merge_alike(draft: Draft, *, headers: bool) -> None:
    """Put one endpoint, its variable mapped to a list, in the place of those that differ in one value.

    Those of a recording may count, trace or sign each request: whether `headers` must be alike, too.
    """
    groups: defaultdict[str, list[Member]] = defaultdict(list)
    for name, endpoint in draft.endpoints.items():
        for spot in find_spots(endpoint, codes=True):
            if spot.variable in endpoint.get("variables", {}) or draft.workflows[name].get("mappings"):
                continue
            filled = dict(endpoint)
            fill_spot(filled, spot, spot.variable)
            groups[_key(filled, headers)].append((name, spot))
    merged: set[str] = set()
    for members in sorted(groups.values(), key=len, reverse=True):
        left = [member for member in members if member[0] not in merged]
        if len({spot.value for _, spot in left}) > 1:
            _merge(draft, left)
            merged |= {name for name, _ in left}


def _key(endpoint: Mapping[str, Any], headers: bool) -> str:
    """Return what makes of two endpoints the same request."""
    address, _, query = str(endpoint["url"]).partition("?")
    pairs = [*map(list, parse_qsl(query, keep_blank_values=True)), *(endpoint.get("query") or {}).items()]
    told = [
        endpoint.get("method"),
        address,
        pairs,
        endpoint.get("body"),
        endpoint.get("headers") if headers else None,
    ]
    return json.dumps(told, sort_keys=True)


def _merge(draft: Draft, members: Sequence[Member]) -> None:
    (first, spot), names = members[0], [name for name, _ in members]
    endpoint = draft.endpoints[first]
    fill_spot(endpoint, spot, spot.variable)
    endpoint["variables"] = {**endpoint.get("variables", {}), spot.variable: {}}
    values = list(dict.fromkeys(each.value for _, each in members))
    mapping = {
        "target_variable_name": spot.variable,
        "source_collection": draft.collect(spot.variable, values),
    }
    paginated = (draft.workflows[name] for name in names if draft.workflows[name].get("paginator"))
    draft.workflows[first] = {
        **next(paginated, draft.workflows[first]),
        "endpoint": first,
        "mappings": [mapping],
    }
    for name in names[1:]:
        del draft.endpoints[name], draft.workflows[name]
    gone = (f"{first}: {spot.value} looks like ", *(f"{name}{mark}" for name in names[1:] for mark in ": "))
    draft.notes = [note for note in draft.notes if not note.startswith(gone)]
    draft.note(f"{first}: {len(values)} requests differ only in {spot.variable}; their values are its list.")
