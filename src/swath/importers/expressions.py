"""Expressions of PowerShell: texts, tables, lists, variables, and what scripts do with them."""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.globs import count
from swath.importers.holes import hole, identifier
from swath.importers.windows import PowerShell

_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_CAST: Final = re.compile(r"\[[\w.]+\](?=[@\"'(\[])")
_FILE: Final = re.compile(r"(?:Get-Item|gi)\s+(?:-(?:Literal)?Path\s+)?", re.IGNORECASE)
_TO_JSON: Final = re.compile(r"ConvertTo-Json\b\s*(?:-InputObject\s+)?", re.IGNORECASE)
_SECURE: Final = re.compile(r"ConvertTo-SecureString\b\s*(?:-String\s+)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_OPERATOR: Final = re.compile(r"\s*(\+|-f\b)\s*", re.IGNORECASE)
_PLACE: Final = re.compile(r"\{(\d+)(?:[,:][^}]*)?\}")
_BYTES: Final = re.compile(r"\[[\w.]+\]::\w+\.GetBytes\(", re.IGNORECASE)
_BASE64: Final = re.compile(r"\[(?:System\.)?Convert\]::ToBase64String\(", re.IGNORECASE)
#: What only a PowerShell can compute: a call of .NET, or of a command in brackets.
_CALL: Final = re.compile(r"\[[\w.]+\]::(\w+)(?:\.\w+)*")
_COMMAND: Final = re.compile(r"[A-Za-z]+-[A-Za-z]+\b[^()]*")
_BARE: Final = re.compile(r"[^\s;,|(){}\"']+")
_SPACE: Final = re.compile(r"(?:\s|`\n|#.*)*")


@dataclass(frozen=True, slots=True)
class File:
    """What stands for a file where its content is meant."""

    path: str


class Expressions:
    """Reads values from where it stands in a text; `known` are those of variables, named in small letters."""

    def __init__(self, text: str, known: dict[str, Any] | None = None) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.known = {} if known is None else known

    def _skip(self, pattern: str = "") -> None:
        found = (re.compile(pattern) if pattern else _SPACE).match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _expression(self) -> Any:
        """Read a value, and what `+` and `-f` add to it."""
        value = self._listed()
        while found := _OPERATOR.match(self.text, self.at):
            self.at = found.end()
            more = self._listed()
            value = _joined(value, more) if found[1] == "+" else _formatted(str(value), more)
        return value

    def _listed(self) -> Any:
        """Read a value, or several with commas between them."""
        values = [self._value()]
        while found := re.compile(r"\s*,\s*").match(self.text, self.at):
            self.at = found.end()
            values.append(self._value())
        return values if len(values) > 1 else values[0]

    def _value(self) -> Any:
        """Read a text, a table, a list, a variable, a number, or what stands in brackets."""
        self._skip()
        if cast := _CAST.match(self.text, self.at):
            self.at = cast.end()
        rest = self.text[self.at : self.at + 2]
        if rest[:1] in ('"', "'"):
            text, self.at = PowerShell(self.text, self.known, self._computed).string(self.at)
            return text
        if rest in ('@"', "@'"):
            return self._here_string(rest[1])
        if rest == "@{":
            return self._table()
        if rest == "@(":
            return self._array()
        if rest[:1] == "(":
            return self._bracket()
        if found := _FILE.match(self.text, self.at):
            self.at = found.end()
            return File(str(self._value()))
        if found := _BASE64.match(self.text, self.at) or _BYTES.match(self.text, self.at):
            self.at = found.end()
            return self._encoded(found.re is _BASE64)
        if found := _CALL.match(self.text, self.at):
            self.at = found.end()
            self._skip(r"(?:\([^()]*\)|\.\w+)*")
            return hole(identifier(found[1]))
        if found := re.compile(r"\$(?:(?:env|script|global):)?([\w.]+)", re.IGNORECASE).match(
            self.text, self.at
        ):
            self.at = found.end()
            return self._variable(found[1])
        return self._bare()

    def _encoded(self, is_base64: bool) -> str:
        """Read the text that a call is given: its bytes are the text, which base64 may hide."""
        text = str(self._expression())
        self._skip(r"\s*\)")
        if not is_base64:
            return text
        if "{{" in text:
            return hole(identifier(f"base64_of_{text}"))
        return b64encode(text.encode()).decode()

    def _computed(self, inside: str) -> str:
        """Return what stands for a `$(...)` in a text; of what cannot be known here, a variable."""
        script = Expressions(inside, self.known)
        known = re.match(r"\s*(?:[\"'$(]|\[)", inside)
        value = script._expression() if known else None
        return str(value) if known and not inside[script.at :].strip() else hole(identifier(inside[:40]))

    def _variable(self, name: str) -> Any:
        if name.lower() in _CONSTANTS:
            return _CONSTANTS[name.lower()]
        table, _, key = name.partition(".")
        known = self.known.get(table.lower())
        if key and isinstance(known, dict) and key in known:
            return known[key]
        return self.known.get(name.lower(), hole(name.replace(".", "_")))

    def _bare(self) -> Json:
        found = _BARE.match(self.text, self.at)
        if found is None:
            raise InvalidInput("command", f"Cannot read the PowerShell at character {self.at + 1}.")
        self.at = found.end()
        text = found[0]
        if counted := _RANGE.fullmatch(text):
            first, last = int(counted[1]), int(counted[2])
            return list(count(first, last, 1 if first <= last else -1, text))
        if _NUMBER.fullmatch(text) and not text.lstrip("-").startswith("0"):
            return float(text) if "." in text else int(text)
        return PowerShell("", self.known, self._computed).here_string(text)

    def _array(self) -> list[Any]:
        self.at += 2
        values: list[Any] = []
        while True:
            self._skip(r"(?:[\s,;]|`\n)*")
            if self.text[self.at : self.at + 1] in (")", ""):
                self.at += 1
                return values
            values.append(self._value())

    def _here_string(self, mark: str) -> str:
        end = self.text.find(f"\n{mark}@", self.at)
        if end < 0:
            raise InvalidInput(
                "command", f"The text that @{mark} begins is not closed. Copy the whole command."
            )
        text = self.text[self.at : end].partition("\n")[2]
        self.at = end + 3
        reader = PowerShell("", self.known, self._computed)
        return reader.here_string(text) if mark == '"' else text

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {}
        self.at += 2
        while True:
            self._skip(r"(?:[\s;]|`\n)*")
            if self.text[self.at : self.at + 1] in ("}", ""):
                self.at += 1
                return table
            key = str(self._key())
            self._skip(r"\s*=\s*")
            table[key] = self._converted(self._expression())

    def _key(self) -> Any:
        found = re.compile(r"[\w-]+").match(self.text, self.at)
        if found is None:
            return self._value()
        self.at = found.end()
        return found[0]

    def _bracket(self) -> Any:
        """Read `(...)`: its value, through `ConvertTo-Json` where it says so, or what GetBytes is given."""
        self.at += 1
        self._skip(r"\s*\[[\w.]+\]::\w+\.GetBytes\(\s*|\s*\[[^\]]*\]\s*|\s*")
        to_json = _TO_JSON.match(self.text, self.at)
        if leading := to_json or _SECURE.match(self.text, self.at):
            self.at = leading.end()
        if not leading and (found := _COMMAND.match(self.text, self.at)) and not _FILE.match(found[0]):
            self.at = found.end()
            value: Any = hole(identifier(found[0].strip()[:40]))
        else:
            value = json.dumps(self._expression()) if to_json else self._expression()
        inside = re.compile(r"([^()\"']*)\)+").match(self.text, self.at)
        if inside is not None:
            self.at = inside.end()
            if "convertto-json" in inside[1].lower():
                return json.dumps(value)
        return value

    def _converted(self, value: Any) -> Any:
        found = re.compile(r"\s*\|\s*ConvertTo-Json[^\n]*", re.IGNORECASE).match(self.text, self.at)
        return json.dumps(value) if found else value


def _joined(value: Any, more: Any) -> Any:
    """Return what `+` makes of two values: a longer table, list or text."""
    if isinstance(value, dict) and isinstance(more, dict):
        return value | more
    if isinstance(value, list):
        return [*value, *(more if isinstance(more, list) else [more])]
    return f"{value}{more}"


def _formatted(text: str, values: Any) -> str:
    """Return what `-f` makes of a text with `{0}` and values."""
    listed = values if isinstance(values, list) else [values]
    return _PLACE.sub(lambda found: str(listed[int(found[1])]) if int(found[1]) < len(listed) else "", text)
