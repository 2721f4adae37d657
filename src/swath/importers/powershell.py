"""Scripts of PowerShell: what they put into variables, and the parameters that they give to web cmdlets."""

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from swath.importers.expressions import Expressions

_CMDLET: Final = re.compile(
    r"(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm|curl(?=\s+-(?:Uri|Method|Headers)))\b", re.IGNORECASE
)
_ASSIGNED: Final = re.compile(r"\$(?:(?:script|global):)?([\w.]+)\s*=\s*(?=[\"'@(\[$\d])")
_NEW_TABLE: Final = re.compile(r"\$(\w+)\s*=\s*New-Object[^\n]*(?:Dictionary|Hashtable)[^\n]*", re.IGNORECASE)
#: An entry of a table that is set: `$table.Add(key, value)`, `$table[key] = value`.
_ENTRY: Final = re.compile(r"\$(\w+)(?:\.Add\(\s*(?!\()|\[\s*(?=[\"']))", re.IGNORECASE)
_LOOP: Final = re.compile(r"foreach\s*\(\s*\$(\w+)\s+in\s+", re.IGNORECASE)
_COOKIE: Final = re.compile(r"Net\.Cookie\(\s*")
_PARAMETER: Final = re.compile(r"-([A-Za-z]+):?")
_SET: Final = re.compile(r"\s*\$(?:true|false)\b", re.IGNORECASE)


class Script(Expressions):
    """A script as far as it has been read: what its variables hold, and the cookies that it has set.

    Parameters named `switches` have no value. Names are kept in small letters, as none differ by case.
    """

    def __init__(self, text: str, switches: Collection[str]) -> None:
        super().__init__(text)
        self.switches = switches
        self.cookies: list[str] = []
        #: What loops go through, by their variables.
        self.lists: dict[str, list[str]] = {}

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the parameters of each call of a web cmdlet, as it is reached. Raises InvalidInput."""
        while self.at < len(self.text):
            if found := _COOKIE.match(self.text, self.at):
                self.at = found.end()
                self._add_cookie()
            elif found := _NEW_TABLE.match(self.text, self.at):
                self.at = found.end()
                self.known[found[1].lower()] = {}
            elif found := _LOOP.match(self.text, self.at):
                self.at = found.end()
                self._enter(found[1])
            elif found := _ENTRY.match(self.text, self.at):
                self.at = found.end()
                self._add_entry(found[1].lower())
            elif found := _ASSIGNED.match(self.text, self.at):
                self.at = found.end()
                if _CMDLET.match(self.text, self.at) is None:
                    self._assign(found[1], self._converted(self._expression()))
            elif (found := _CMDLET.match(self.text, self.at)) and not self.text[
                self.at - 1 : self.at
            ].isalnum():
                self.at = found.end()
                yield self._parameters()
            else:
                self.at += 1

    def _enter(self, name: str) -> None:
        """Keep the list that a loop goes through, if it is known here."""
        value = self._expression()
        self.known.pop(name.lower(), None)
        self.lists.pop(name, None)
        if isinstance(value, list) and not any("{{" in str(each) for each in value):
            self.lists[name] = [str(each) for each in value]

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

    def _add_cookie(self) -> None:
        name = self._value()
        self._skip(r"\s*,\s*")
        self.cookies.append(f"{name}={self._value()}")

    # --- one call

    def _parameters(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        while True:
            self._skip(r"(?:[ \t]|`\n)*")
            if self.text[self.at : self.at + 1] in ("", "\n", ";", "|", ")", "}"):
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
            if name in self.switches:
                self._skip(_SET.pattern if self.text[self.at - 1] == ":" else r"")
                given[name] = True
            else:
                given[name] = self._value()
