"""Lists of names and values, and addresses in parts, as Postman writes them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from swath.flow.definition import Json
from swath.importers.documents import objects

Node = dict[str, Any]


def assemble(parts: Node) -> str:
    """Put an address together from its parts, which know what is disabled, else take it as written."""
    host, path = parts.get("host"), parts.get("path")
    if not host:
        return str(parts.get("raw") or "")
    address = f"{parts.get('protocol') or ''}://" if parts.get("protocol") else ""
    address += ".".join(map(str, host)) if isinstance(host, list) else str(host)
    address += f":{parts['port']}" if parts.get("port") else ""
    segments = (
        [_segment_text(each) for each in path] if isinstance(path, list) else [str(path or "").lstrip("/")]
    )
    address += "".join(f"/{segment}" for segment in segments)
    return with_query(address, [_query_text(each) for each in enabled(parts.get("query"))])


def _segment_text(segment: Json) -> str:
    return str(segment.get("value", "")) if isinstance(segment, dict) else str(segment)


def _query_text(pair: Node) -> str:
    """Write a pair as Postman does: what would end it is encoded."""
    texts = [
        re.sub(r"[&#]", lambda found: f"%{ord(found[0]):02X}", str(pair.get(k) or ""))
        for k in ("key", "value")
    ]
    return texts[0] if pair.get("value") is None else "=".join(texts)


def with_query(url: str, more: list[str]) -> str:
    """Add written pairs to the query of an address."""
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(more)}" if more else url


def enabled(listed: Json) -> Iterator[Node]:
    """Yield what is not disabled of a list."""
    for each in objects(listed):
        if not each.get("disabled") and each.get("enabled", True):
            yield each


def pairs(listed: Json) -> Iterator[tuple[str, str]]:
    """Yield names and values of a list of pairs, those that are enabled."""
    if isinstance(listed, str):  # headers, as v2.0 may have them
        for line in listed.splitlines():
            name, _, value = line.partition(":")
            yield name.strip(), value.strip()
    for each in enabled(listed):
        key, given = each.get("key") or each.get("id"), each.get("value")
        if isinstance(key, str) and key:
            yield key, given if isinstance(given, str) else "" if given is None else json.dumps(given)
