"""Expressions in manifests: what comes from configuration, partition and interval as our variables."""

import re
from collections.abc import Callable
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.request.encoding import encode_text
from swath.flow.request.template import TAG, Templates
from swath.importers.credentials import is_secret_name
from swath.importers.documents import as_object
from swath.importers.holes import hole, identifier

Node = dict[str, Any]

_KEY: Final = (
    r"""(?:\.(?!get\b)\w+|\[\s*['"][^'"]+['"]\s*\]"""
    r"""|\.get\(\s*['"][^'"]+['"]\s*(?:,\s*(?:\{\}|None|none|''|""))?\))"""
)
_DEFAULT: Final = r"""(?:'([^']*)'|"([^"]*)"|(\d+))"""
_REFERENCE: Final = re.compile(
    rf"(?<![\w.])(config|stream_partition|partition|stream_slice|stream_interval)((?:{_KEY})+)"
    rf"|(?<![\w.])config\.get\(\s*['\"](\w+)['\"]\s*,\s*{_DEFAULT}\s*\)"
)
_NAME: Final = re.compile(r"""\.get\(\s*['"]([^'"]+)['"]|\.(\w+)|\[\s*['"]([^'"]+)['"]""")
_OR_DEFAULT: Final = re.compile(rf"\{{\{{\s*(\w+)\s+or\s+{_DEFAULT}\s*\}}\}}")
#: Whole expressions that lead to a value: of the answer, its headers, a record.
_PATH: Final = re.compile(rf"(\w+)((?:{_KEY}|\[-?\d+\])*)")


def keys_of(expression: str) -> tuple[str, ...]:
    """Return the keys of `['a'].b.get('c')`."""
    return tuple(found[1] or found[2] or found[3] for found in _NAME.finditer(expression))


def read_path(text: str, root: str) -> str | None:
    """Return the dotted path of a template that is one value below `root`, None for any other."""
    inside = re.fullmatch(r"\{\{\s*(.*?)\s*\}\}", text.strip(), re.DOTALL)
    found = _PATH.fullmatch(inside[1]) if inside else None
    if found is None or found[1] != root:
        return None
    return write_path(keys_of(found[2])) or None


def write_path(keys: tuple[str, ...] | list[str]) -> str:
    """Write keys as one of our paths."""
    path = ""
    for key in keys:
        if key in ("*", "**"):
            path += "[*]"
        elif re.fullmatch(r"[^\s.\[\]\"'$][^\s.\[\]\"']*", key):
            path += f".{key}" if path else key
        else:
            quoted = key.replace("\\", "\\\\").replace('"', '\\"')
            path += f'["{quoted}"]'
    return path


class Interpolation:
    """Makes our templates of a manifest's, and declares the variables that come up, by its specification."""

    def __init__(self, properties: Node, note: Callable[[str], None]) -> None:
        self.properties = properties
        self.note = note
        self.variables: dict[str, Node] = {}

    def write(self, value: Json, place: str) -> Json:
        """Return a value with its templates as ours; what cannot be one is None, and noted."""
        if isinstance(value, dict):
            pairs = ((str(key), self.write(each, f"{place}.{key}")) for key, each in value.items())
            return {key: each for key, each in pairs if each is not None}
        if isinstance(value, list):
            return [self.write(each, place) for each in value]
        if not isinstance(value, str):
            return value
        text = TAG.sub(lambda tag: _REFERENCE.sub(self._name, tag[0]), value)
        text = _OR_DEFAULT.sub(self._with_default, text)
        if not self._is_known(text, place):
            self.note(f"{place} was left out: {value!r} uses what Swath's templates do not have.")
            return None
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: hole(found[1]), text)

    def _is_known(self, text: str, place: str) -> bool:
        """Tell whether a template compiles and uses nothing but declared variables."""
        try:
            return Templates().compile(text, encode_text, place).names <= self.variables.keys()
        except InvalidInput:
            return False

    def text(self, value: Json, place: str) -> str:
        written = self.write(str(value) if value is not None else "", place)
        return str(written if written is not None else "")

    def _name(self, found: re.Match[str]) -> str:
        if found[3]:
            default = next((each for each in found.groups()[3:] if each is not None), "")
            return self._declare((found[3],), default)
        keys = keys_of(found[2])
        if found[1] == "config":
            return self._declare(keys)
        keys = keys[1:] if keys[0] == "extra_fields" and len(keys) > 1 else keys
        name = identifier(keys[0])
        self.variables.setdefault(name, {})
        return name

    def _with_default(self, found: re.Match[str]) -> str:
        default = next((each for each in found.groups()[1:] if each is not None), "")
        self.variables.setdefault(found[1], {}).setdefault("default", default)
        return hole(found[1])

    def _declare(self, keys: tuple[str, ...], default: Json = None) -> str:
        """Declare a variable for a value of the configuration, as its specification describes it."""
        described: Node = {"properties": self.properties}
        for key in keys:
            known = described.get("properties")
            described = as_object(as_object(known).get(key))
        name = identifier("_".join(keys[-2:]) if keys[0] == "credentials" else "_".join(keys))
        name = identifier(keys[-1]) if keys[0] == "credentials" else name
        self.variables.setdefault(name, _declaration(described, keys[-1], default))
        return name


def _declaration(described: Node, key: str, default: Json) -> Node:
    secret = described.get("airbyte_secret") is True or is_secret_name(key)
    examples = described.get("examples")
    kind = {"integer": "integer", "number": "number", "boolean": "boolean", "array": "json"}
    found: Node = {
        "type": kind.get(str(described.get("type"))),
        "description": " ".join(re.sub(r"<[^>]*>", "", str(described.get("description") or "")).split())[
            :200
        ],
        "secret": secret,
    }
    if not secret:
        found["default"] = described.get("default") if default is None else default
        found["sample"] = examples[0] if isinstance(examples, list) and examples else None
    return {key: value for key, value in found.items() if value not in (None, "", False)}
