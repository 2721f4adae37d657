"""Changes to a formula's text that leave the rest as it was written: comments, order, spelling.

Only the lines of what has changed are written anew. YAML can say things in more ways than this knows
(anchors, keys of several lines): whoever asks compares what the new text says with what it should.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from swath.flow.definition import Json
from swath.flow.formula.text import literal_dumper

Path = tuple[str | int, ...]
_LINE_START = re.compile(r"\n(?=[^\n])")


def dump(value: Json) -> str:
    """Return plain values as YAML."""
    text = yaml.dump(value, Dumper=literal_dumper(), sort_keys=False, allow_unicode=True, width=110)
    return str(text)


def amend(text: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> str:
    """Return the text with all that differs between two values, of which it says the first."""
    for path in _differences(before, after, ()):
        text = _Text(text).put(path, after)
    return text


def rename(text: str, path: Path, name: str) -> str:
    """Return the text with another key in the place of one."""
    return _Text(text).rename(path, name)


def _differences(before: Any, after: Any, path: Path) -> Iterator[Path]:
    """Yield the innermost places that differ."""
    if isinstance(before, dict) and isinstance(after, dict) and before and after:
        for key in {**before, **after}:
            if key not in before or key not in after:
                yield (*path, key)
            else:
                yield from _differences(before[key], after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, (*path, place))
    elif before != after:
        yield path


def _look_up(value: Any, path: Path) -> tuple[bool, Any]:
    """Return whether there is a value at a place, and which."""
    for key in path:
        if isinstance(value, dict) and key not in value:
            return False, None
        value = value[key]
    return True, value


class _Text:
    """A text and its nodes, with their places in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(each.end() for each in re.finditer("\n", text))]
        self._root: Any = yaml.compose(text, Loader=yaml.CSafeLoader)

    def put(self, path: Path, after: Mapping[str, Json]) -> str:
        """Return the text with what `after` has at a place."""
        found, value = _look_up(after, path)
        above = self._find(path[:-1]) if path else None
        if above is None or (above is self._root and above.flow_style):
            return dump(after)
        if above.flow_style:  # in braces: all of them are written anew
            return self._put_flow(above, _look_up(after, path[:-1])[1])
        if isinstance(above, yaml.SequenceNode):
            node = above.value[path[-1]]
            return self._replace(self._at(node.start_mark), self._end(node), _write_item(value, node))
        return self._put_key(above, path, after, found, value)

    def _put_key(self, above: Any, path: Path, after: Mapping[str, Json], found: bool, value: Json) -> str:
        entry = next((pair for pair in above.value if pair[0].value == path[-1]), None)
        indent = above.value[0][0].start_mark.column
        if entry is None:
            line = _indent("\n" + dump({path[-1]: value}).rstrip("\n"), indent)
            end = self._line_end(self._end(above))
            return self._replace(end, end, line)
        if found:
            return self._put_value(entry[0], entry[1], value, indent)
        start = self._starts[entry[0].start_mark.line]
        if len(above.value) == 1 or self._text[start : self._at(entry[0].start_mark)].strip():
            return self.put(path[:-1], after)
        return self._replace(start, self._line_end(self._end(entry[1])) + 1, "")

    def _put_value(self, key: Any, node: Any, value: Json, indent: int) -> str:
        """Write a key's value; a comment behind the key stays where the value stands below it, as before."""
        written = _indent(dump({"k": value})[2:].rstrip("\n"), indent)
        start = self._text.index(":", self._at(key.end_mark)) + 1
        if node.start_mark.line > key.end_mark.line and written.startswith("\n"):
            start = self._starts[node.start_mark.line] - 1
        return self._replace(start, max(start, self._end(node)), written)

    def _put_flow(self, node: Any, value: Json) -> str:
        written = yaml.safe_dump(
            value, sort_keys=False, allow_unicode=True, width=2**30, default_flow_style=True
        )
        return self._replace(self._at(node.start_mark), self._end(node), written.rstrip("\n"))

    def rename(self, path: Path, name: str) -> str:
        above = self._find(path[:-1])
        key = next(key for key, _ in above.value if key.value == path[-1])
        written = dump({name: 0}).removesuffix(": 0\n")
        return self._replace(self._at(key.start_mark), self._at(key.end_mark), written)

    def _find(self, path: Path) -> Any:
        node: Any = self._root
        for key in path:
            if isinstance(node, yaml.MappingNode):
                node = next(value for name, value in node.value if name.value == key)
            else:
                node = node.value[key]
        return node

    def _replace(self, start: int, end: int, by: str) -> str:
        return self._text[:start] + by + self._text[end:]

    def _at(self, mark: Any) -> int:
        start: int = self._starts[mark.line]
        return start + int(mark.column)

    def _line_end(self, place: int) -> int:
        end = self._text.find("\n", place)
        return len(self._text) if end < 0 else end

    def _end(self, node: Any) -> int:
        """Return where a node ends; of what stands in blocks, without the empty lines behind it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end: int = self._at(node.end_mark)
        is_block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        return len(self._text[:end].rstrip()) if is_block else end


def _write_item(value: Json, node: Any) -> str:
    """Return a list's item, without its hyphen."""
    return _indent(dump([value])[2:].rstrip("\n"), node.start_mark.column - 2)


def _indent(text: str, width: int) -> str:
    return _LINE_START.sub("\n" + " " * width, text)
