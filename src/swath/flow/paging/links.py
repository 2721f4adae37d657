"""The `Link` header (RFC 8288), read as servers really write it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAM = re.compile(
    r"""\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]*)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]*)))?"""
)


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `rels` are lower case; `anchored`: it speaks of another page than the one fetched."""

    target: str
    rels: tuple[str, ...]
    anchored: bool = False


def read_links(values: Iterable[str]) -> Iterator[Link]:
    """Read the links of all `Link` headers of an answer, in order; what is no link is skipped."""
    for value in values:
        position = 0
        while target := _TARGET.search(value, position):
            params, position = _read_params(value, target.end())
            rels = params.get("rel", "").lower().split()
            yield Link(target[1].strip(), tuple(rels), "anchor" in params)


def _read_params(value: str, position: int) -> tuple[dict[str, str], int]:
    """Read the parameters from `position`; of repeated ones the first counts."""
    params: dict[str, str] = {}
    while param := _PARAM.match(value, position):
        name, quoted, token = param.groups()
        text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (token or "").strip("'")
        params.setdefault(name.lower(), text)
        position = param.end()
    return params, position


def find_target(values: Iterable[str], rel: str) -> str | None:
    """Return the first target with the relation `rel`."""
    wanted = rel.lower()
    return next(
        (link.target for link in read_links(values) if wanted in link.rels and not link.anchored), None
    )
