"""Where a value stands inside a JSON document: dotted paths, and JSONPath when the path starts with `$`.

`results.created_at`, `items[0].id`, `pages[-1]`, `edges[*].node` and `["a.b"].c` are dotted paths: there
a name that meets an array means every element of it. `$.next` and `$['a'][0]` are JSONPaths simple enough
for the same walk, without that reading of arrays; all other JSONPaths go to jsonpath_rfc9535.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import jsonpath_rfc9535
from jsonpath_rfc9535 import JSONPathError, JSONPathQuery

from swath.errors import InvalidInput
from swath.flow.definition import Json

MISSING: Any = object()


class Every:
    """The step `[*]`: all elements of an array."""

    __slots__ = ()


EVERY = Every()

#: One step of a path: a key, an index, or every element.
Step = str | int | Every

_DOTTED = re.compile(
    r"""\.?(?:([^.\[\]"']+)|\[(-?\d+)\]|\[(\*)\]|\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\])"""
)
_SIMPLE = re.compile(
    r"""(?:\.([A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)|\[(0|-?[1-9]\d{0,14})\]|\[(\*)\]|\[("[^"\\]*"|'[^'\\]*')\])"""
)


class Path(Protocol):
    """A compiled path. `steps` is None where only a JSONPath engine can walk it."""

    text: str
    steps: tuple[Step, ...] | None

    def first(self, value: Json, default: Json = None) -> Json:
        """Return the first value found in document order, or `default`."""

    def find(self, value: Json) -> list[Json]:
        """Return all values found, in document order."""


def compile_path(path: str) -> Path:
    """Compile a path. Raises InvalidInput for one that cannot be read."""
    if not path or not path.strip():
        raise InvalidInput(
            "path", "Blank. Name a key, e.g. results.id, or give a JSONPath, e.g. $.results[*].id."
        )
    if path.startswith("$"):
        return _compile_jsonpath(path)
    return DottedPath(path, tuple(_read_steps(path)))


class DottedPath:
    """A path walked step by step; `spread` is whether a name means every element of an array it meets."""

    __slots__ = ("_spread", "steps", "text")

    def __init__(self, text: str, steps: tuple[Step, ...], *, spread: bool = True) -> None:
        self.text = text
        self.steps: tuple[Step, ...] | None = steps
        self._spread = spread

    def first(self, value: Json, default: Json = None) -> Json:
        steps = self.steps or ()
        for depth, step in enumerate(steps):
            if type(value) is dict and type(step) is str:
                value = value.get(step, MISSING)
                if value is MISSING:
                    return default
            else:
                return next(self._walk(value, steps[depth:]), default)
        return value

    def find(self, value: Json) -> list[Json]:
        return list(self._walk(value, self.steps or ()))

    def _walk(self, value: Json, steps: tuple[Step, ...]) -> Iterator[Json]:
        if not steps:
            yield value
            return
        step, rest = steps[0], steps[1:]
        if self._spread and isinstance(step, str) and isinstance(value, list):
            for element in value:
                yield from self._walk(element, steps)
            return
        for child in _children(value, step, self._spread):
            yield from self._walk(child, rest)


class JSONPath:
    """A path for the JSONPath engine."""

    __slots__ = ("_query", "steps", "text")

    def __init__(self, text: str, query: JSONPathQuery) -> None:
        self.text = text
        self.steps: tuple[Step, ...] | None = None
        self._query = query

    def first(self, value: Json, default: Json = None) -> Json:
        node = self._query.find_one(value)
        return default if node is None else node.value

    def find(self, value: Json) -> list[Json]:
        return [node.value for node in self._query.finditer(value)]

    def locations(self, value: Json) -> list[tuple[tuple[int | str, ...], Json]]:
        """Return the matches with their places."""
        return [(node.location, node.value) for node in self._query.finditer(value)]


def _children(value: Json, step: Step, spread: bool) -> Iterable[Json]:
    if isinstance(step, str):
        return (value[step],) if isinstance(value, dict) and step in value else ()
    if isinstance(step, int):
        return (value[step],) if isinstance(value, list) and -len(value) <= step < len(value) else ()
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) and not spread else ()


def _read_steps(path: str) -> Iterator[Step]:
    position = 0
    while position < len(path):
        match = _DOTTED.match(path, position)
        if match is None or (position == 0 and path[0] == "."):
            raise InvalidInput("path", _explain(path, position))
        yield _step(match)
        position = match.end()
    if path.endswith("."):
        raise InvalidInput("path", _explain(path, len(path) - 1))


def _step(match: re.Match[str]) -> Step:
    name, index, every, quoted = match.groups()
    if name is not None:
        return str(name)
    if index is not None:
        return int(index)
    return EVERY if every else re.sub(r"\\(.)", r"\1", quoted[1:-1])


def _explain(path: str, position: int) -> str:
    return (
        f"Cannot read {path!r} at character {position + 1}. Write keys with dots between them and indices in "
        'brackets, e.g. results[0].id; put a key that holds dots or brackets into ["..."].'
    )


def _compile_jsonpath(path: str) -> Path:
    try:
        query = jsonpath_rfc9535.compile(path)
    except JSONPathError as error:
        raise InvalidInput("path", f"{path!r} is not a JSONPath (RFC 9535): {error.args[0]}") from None
    steps = _simple_steps(path)
    return JSONPath(path, query) if steps is None else DottedPath(path, steps, spread=False)


def _simple_steps(path: str) -> tuple[Step, ...] | None:
    """Return the steps of a JSONPath of names, indices and wildcards alone, or None."""
    steps = []
    position = 1
    while position < len(path):
        match = _SIMPLE.match(path, position)
        if match is None:
            return None
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)
