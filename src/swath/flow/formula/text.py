"""The text of a formula, YAML or JSON: plain values, and the line on which each of them stands."""

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

import yaml

from swath.errors import InvalidInput
from swath.flow.definition import Json

Path = tuple[str | int, ...]

#: Characters of a formula; a longer list belongs into a collection of its own.
LONGEST: Final = 4 * 1024 * 1024
_DEEPEST = 100
#: Values that aliases may repeat in all, so that a few lines do not stand for millions.
_MOST_VALUES = 1_000_000

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
#: What ends a line for YAML, but would not come back as itself.
_FOREIGN_BREAK: Final = re.compile("[\r\x85\u2028\u2029]")
_STRING: Final = "tag:yaml.org,2002:str"


class SourceText:
    """A formula as it was written. Raises InvalidInput where it is neither YAML nor JSON.

    Plain words are read as YAML 1.2 has it: `no` is a word, `2024-01-01` a text.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise InvalidInput(
                "formula", f"Longer than {LONGEST >> 20} MB; put long lists into collections of their own."
            )
        self.text = text.removeprefix("\ufeff")
        self._lines: dict[Path, int] | None = None
        self.value: Json = self._read()
        if "\\u" in text.lower() and not _is_well_formed(self.value):
            raise InvalidInput("formula", "Holds half of a surrogate pair, which is no character.")

    @classmethod
    def of(cls, value: Json) -> "SourceText":
        """Return plain values as the text that they would be in JSON."""
        return cls(json.dumps(value, ensure_ascii=False, indent=2))

    def line(self, path: Path) -> int:
        """Return the line of a value, or of what it would stand in."""
        lines = self._find_lines()
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

    def _read(self) -> Json:
        if self.text.lstrip()[:1] != "{":
            return self._compose(self.text)
        try:
            return json.loads(self.text, parse_constant=_refuse, object_pairs_hook=_unique)
        except RecursionError:
            raise InvalidInput("formula", "Nested too deeply.") from None
        except json.JSONDecodeError as error:
            broken = f"Line {error.lineno}: not JSON: {error.msg}."
        except ValueError as error:
            raise InvalidInput("formula", f"Not JSON: {error}.") from None
        try:
            return self._compose(self.text)  # YAML has braces too
        except InvalidInput:
            raise InvalidInput("formula", broken) from None

    def _find_lines(self) -> dict[Path, int]:
        """Return the lines of a JSON text only when they are asked for: a good one needs none."""
        if self._lines is None:
            try:
                self._compose(self.text.replace("\t", " "))
            except InvalidInput:
                self._lines = {}
        return self._lines or {}

    def _compose(self, text: str) -> Json:
        try:
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.context_mark if _is_open_quote(error) else error.problem_mark or error.context_mark
            line = min(mark.line, text.count("\n", 0, len(text) - 1)) + 1 if mark else 1
            raise InvalidInput("formula", f"Line {line}: not YAML: {_explain(error)}") from None
        except yaml.YAMLError as error:
            raise InvalidInput("formula", f"Not YAML: {error}.") from None
        except RecursionError:
            raise InvalidInput("formula", "Nested too deeply.") from None
        builder = _Builder()
        value = None if node is None else builder.build(node, ())
        self._lines = builder.lines
        return value


def _is_well_formed(value: Json) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return built


def _is_open_quote(error: yaml.MarkedYAMLError) -> bool:
    """Tell whether a quote swallows all the rest: it is wrong where it begins, not where the text ends."""
    return "quoted scalar" in str(error.context) and "end of stream" in str(error.problem)


def _explain(error: yaml.MarkedYAMLError) -> str:
    if _is_open_quote(error):
        return "a quote that begins here is not closed."
    told = f"{error.problem or error.context}"
    if "cannot start any token" in told:
        told += "; write tabs as spaces, and put texts with special characters in quotes"
    elif "mapping values are not allowed" in told:
        told += "; put a text that holds a colon in quotes, and indent all keys of an object alike"
    return f"{told}."


class _Builder:
    """Makes plain values of YAML's nodes, and notes their lines."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._count = 0

    def build(self, node: yaml.Node, path: Path) -> Json:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > _MOST_VALUES or len(path) > _DEEPEST:
            raise InvalidInput("formula", f"Line {line}: too many values, or nested too deeply.")
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            return self._build_object(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(part, (*path, number)) for number, part in enumerate(node.value)]
        value = _read_scalar(node)
        return str(node.value) if isinstance(value, float) and _is_item(path) else value

    def _build_object(self, node: yaml.MappingNode, path: Path) -> dict[str, Json]:
        built: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidInput(
                    "formula", f"Line {line}: a key must be a text; put {{{{variables}}}} in quotes."
                )
            key = str(key_node.value)
            if key == "<<" and key_node.style in (None, ""):
                for part in self._merge(value_node, path):
                    merged = {**part, **merged}
                continue
            if key in built:
                raise InvalidInput("formula", f"Line {line}: the key {key!r} stands here twice.")
            self.lines[(*path, key)] = line
            built[key] = self.build(value_node, (*path, key))
        return {**merged, **built}

    def _merge(self, node: yaml.Node, path: Path) -> Iterator[dict[str, Json]]:
        """Yield the objects that `<<` names, the one that wins first."""
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                line = part.start_mark.line + 1
                raise InvalidInput("formula", f"Line {line}: `<<` takes an object, as in `<<: *name`.")
            yield self._build_object(part, path)


def _is_item(path: Path) -> bool:
    """Tell whether a place is an item of a collection: a text, so that 1.10 stays what it is."""
    return path[:1] == ("collections",) and len(path) in (3, 4) and isinstance(path[-1], int)


def _read_scalar(node: Any) -> Json:
    text = str(node.value)
    if node.style not in (None, "") or node.tag == "!":  # in quotes, or a block
        return text
    if node.tag.startswith("!"):
        line = node.start_mark.line + 1
        raise InvalidInput("formula", f"Line {line}: tags such as {node.tag} are not read.")
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 4_000 else text
    return float(text) if _NUMBER.fullmatch(text) else text


def literal_dumper() -> type[yaml.SafeDumper]:
    """Return a dumper that writes texts of several lines as blocks, and lists indented below their key."""

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
            return super().increase_indent(flow, False)

        def ignore_aliases(self, data: Hashable) -> bool:
            return True

    def write(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        style = '"' if _FOREIGN_BREAK.search(text) else "|" if "\n" in text.strip("\n") else None
        return dumper.represent_scalar(_STRING, text, style=style)

    Dumper.add_representer(str, write)
    return Dumper
