"""Scripts of PowerShell: what they put into variables, and the parameters that they give to web cmdlets."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.holes import hole
from swath.importers.windows import PowerShell

_CMDLET: Final = re.compile(
    r"(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm|curl(?=\s+-(?:Uri|Method|Headers)))\b", re.IGNORECASE
)
_ASSIGNED: Final = re.compile(r"\$(?:(?:script|global):)?([\w.]+)\s*=\s*(?=[\"'@(\[$\d])")
_NEW_TABLE: Final = re.compile(r"\$(\w+)\s*=\s*New-Object[^\n]*(?:Dictionary|Hashtable)[^\n]*", re.IGNORECASE)
#: An entry of a table that is set: `$table.Add(key, value)`, `$table[key] = value`.
_ENTRY: Final = re.compile(r"\$(\w+)(?:\.Add\(\s*(?!\()|\[\s*(?=[\"']))", re.IGNORECASE)
_CAST: Final = re.compile(r"\[[\w.]+\](?=[@\"'(\[])")
_FILE: Final = re.compile(r"(?:Get-Item|gi)\s+(?:-(?:Literal)?Path\s+)?", re.IGNORECASE)
_TO_JSON: Final = re.compile(r"ConvertTo-Json\b\s*(?:-InputObject\s+)?", re.IGNORECASE)
_SECURE: Final = re.compile(r"ConvertTo-SecureString\b\s*(?:-String\s+)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_COOKIE: Final = re.compile(r"Net\.Cookie\(\s*")
_PARAMETER: Final = re.compile(r"-([A-Za-z]+):?")
_BARE: Final = re.compile(r"[^\s;,|(){}\"']+")
_SPACE: Final = re.compile(r"(?:\s|`\n|#.*)*")


@dataclass(frozen=True, slots=True)
class File:
    """What stands for a file where its content is meant."""

    path: str


class Script:
    """A script as far as it has been read: what its variables hold, and the cookies that it has set.

    Parameters named `switches` have no value. Names are kept in small letters, as none differ by case.
    """

    def __init__(self, text: str, switches: Collection[str]) -> None:
        self.text = text.replace("\r\n", "\n")
        self.switches = switches
        self.at = 0
        self.known: dict[str, Any] = {}
        self.cookies: list[str] = []

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the parameters of each call of a web cmdlet, as it is reached. Raises InvalidInput."""
        while self.at < len(self.text):
            if found := _COOKIE.match(self.text, self.at):
                self.at = found.end()
                self._add_cookie()
            elif found := _NEW_TABLE.match(self.text, self.at):
                self.at = found.end()
                self.known[found[1].lower()] = {}
            elif found := _ENTRY.match(self.text, self.at):
                self.at = found.end()
                self._add_entry(found[1].lower())
            elif found := _ASSIGNED.match(self.text, self.at):
                self.at = found.end()
                if _CMDLET.match(self.text, self.at) is None:
                    self._assign(found[1], self._converted(self._listed()))
            elif (found := _CMDLET.match(self.text, self.at)) and not self.text[
                self.at - 1 : self.at
            ].isalnum():
                self.at = found.end()
                yield self._parameters()
            else:
                self.at += 1

    def _assign(self, name: str, value: Any) -> None:
        """Keep the value of a variable, or of a field of a table."""
        table, _, key = name.partition(".")
        known = self.known.get(table.lower())
        if key and isinstance(known, dict):
            known[key] = value
        else:
            self.known[name.lower()] = value

    def _add_entry(self, table: str) -> None:
        key = str(self._value())
        self._skip(r"\s*(?:,|\]\s*=)\s*")
        known = self.known.setdefault(table, {})
        if isinstance(known, dict):
            known[key] = self._value()

    def _converted(self, value: Any) -> Any:
        found = re.compile(r"\s*\|\s*ConvertTo-Json[^\n]*", re.IGNORECASE).match(self.text, self.at)
        return json.dumps(value) if found else value

    def _add_cookie(self) -> None:
        name = self._value()
        self._skip(r"\s*,\s*")
        self.cookies.append(f"{name}={self._value()}")

    # --- values

    def _skip(self, pattern: str = "") -> None:
        found = (re.compile(pattern) if pattern else _SPACE).match(self.text, self.at)
        self.at = found.end() if found else self.at

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
            text, self.at = PowerShell(self.text, self.known).string(self.at)
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
        if found := re.compile(r"\$(?:(?:env|script|global):)?([\w.]+)", re.IGNORECASE).match(
            self.text, self.at
        ):
            self.at = found.end()
            return self._variable(found[1])
        return self._bare()

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
        if _NUMBER.fullmatch(text) and not text.lstrip("-").startswith("0"):
            return float(text) if "." in text else int(text)
        return text

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
        return PowerShell("", self.known).here_string(text) if mark == '"' else text

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
            table[key] = self._converted(self._listed())

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
        value = json.dumps(self._value()) if to_json else self._value()
        inside = re.compile(r"([^()\"']*)\)+").match(self.text, self.at)
        if inside is not None:
            self.at = inside.end()
            if "convertto-json" in inside[1].lower():
                return json.dumps(value)
        return value

    # --- one call

    def _parameters(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        while True:
            self._skip(r"(?:[ \t]|`\n)*")
            if self.text[self.at : self.at + 1] in ("", "\n", ";", "|", ")"):
                return given
            if splat := re.compile(r"@(\w+)").match(self.text, self.at):
                self.at = splat.end()
                table = self.known.get(splat[1].lower(), {})
                given |= (
                    {key.lower(): value for key, value in table.items()} if isinstance(table, dict) else {}
                )
                continue
            found = _PARAMETER.match(self.text, self.at)
            name = found[1].lower() if found else "uri"
            self.at = found.end() if found else self.at
            given[name] = True if name in self.switches else self._value()
