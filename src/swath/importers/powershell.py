"""PowerShell's own requests, `Invoke-WebRequest` and `Invoke-RestMethod`, copied from browsers or written."""

import json
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.holes import hole, with_holes
from swath.importers.imported import Draft
from swath.importers.sent import Sent
from swath.importers.windows import PowerShell

_CMDLET: Final = re.compile(r"(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm)\b", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"\$([\w.]+)\s*=\s*(?=[\"'@(\[$])")
_COOKIE: Final = re.compile(r"Net\.Cookie\(\s*")
_PARAMETER: Final = re.compile(r"-([A-Za-z]+):?")
_BARE: Final = re.compile(r"[^\s;|(){}\"']+")
_SPACE: Final = re.compile(r"(?:\s|`\n|#.*)*")
_FORM: Final = "application/x-www-form-urlencoded"
#: Parameters without a value, and those that concern only what PowerShell does with the answer.
_SWITCHES: Final = frozenset(
    ["usebasicparsing", "passthru", "disablekeepalive", "resume", "skipheadervalidation", "verbose"]
)
_HARMLESS: Final = frozenset(
    ["websession", "sessionvariable", "outfile", "erroraction", "maximumredirection", "outvariable"]
)
#: What the protocol's own fields are called in a browser's copy.
_PSEUDO: Final = frozenset("authority method path scheme".split())  # noqa: SIM905


def find_requests(text: str, draft: Draft) -> Iterator[Sent]:
    """Yield the requests of a script, with what it puts into variables before. Raises InvalidInput."""
    yield from _Script(text.replace("\r\n", "\n"), draft).read()


class _Script:
    def __init__(self, text: str, draft: Draft) -> None:
        self.text = text
        self.draft = draft
        self.at = 0
        self.known: dict[str, Json] = {}
        self.cookies: list[str] = []

    def read(self) -> Iterator[Sent]:
        while self.at < len(self.text):
            if found := _COOKIE.match(self.text, self.at):
                self.at = found.end()
                self._add_cookie()
            elif found := _ASSIGNED.match(self.text, self.at):
                self.at = found.end()
                if _CMDLET.match(self.text, self.at) is None:
                    self.known[found[1].lower()] = self._converted(self._value())
            elif (found := _CMDLET.match(self.text, self.at)) and not self.text[
                self.at - 1 : self.at
            ].isalnum():
                self.at = found.end()
                yield self._request(self._parameters())
            else:
                self.at += 1

    def _converted(self, value: Json) -> Json:
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

    def _value(self) -> Json:
        """Read a text, a table, a variable, or what stands in brackets."""
        self._skip()
        rest = self.text[self.at : self.at + 2]
        if rest[:1] in ('"', "'"):
            text, self.at = PowerShell(self.text).string(self.at)
            return text
        if rest in ('@"', "@'"):
            return self._here_string(rest[1])
        if rest == "@{":
            return self._table()
        if rest[:1] == "(":
            return self._bracket()
        if found := re.compile(r"\$(?:env:)?([\w.]+)").match(self.text, self.at):
            self.at = found.end()
            return self.known.get(found[1].lower(), hole(found[1].replace(".", "_")))
        found = _BARE.match(self.text, self.at)
        if found is None:
            raise InvalidInput("command", f"Cannot read the PowerShell at character {self.at + 1}.")
        self.at = found.end()
        return found[0]

    def _here_string(self, mark: str) -> str:
        end = self.text.find(f"\n{mark}@", self.at)
        if end < 0:
            raise InvalidInput(
                "command", f"The text that @{mark} begins is not closed. Copy the whole command."
            )
        text = self.text[self.at : end].partition("\n")[2]
        self.at = end + 3
        return text

    def _table(self) -> dict[str, Json]:
        table: dict[str, Json] = {}
        self.at += 2
        while True:
            self._skip(r"(?:[\s;]|`\n)*")
            if self.text[self.at : self.at + 1] in ("}", ""):
                self.at += 1
                return table
            key = str(self._key())
            self._skip(r"\s*=\s*")
            table[key] = self._value()

    def _key(self) -> Json:
        found = re.compile(r"[\w-]+").match(self.text, self.at)
        if found is None:
            return self._value()
        self.at = found.end()
        return found[0]

    def _bracket(self) -> Json:
        """Read `(...)`: its value, through `ConvertTo-Json` where it says so, or what GetBytes is given."""
        self.at += 1
        self._skip(r"\s*\[[\w.]+\]::\w+\.GetBytes\(\s*|\s*\[[^\]]*\]\s*")
        value = self._value()
        inside = re.compile(r"([^()\"']*)\)+").match(self.text, self.at)
        if inside is not None:
            self.at = inside.end()
            if "convertto-json" in inside[1].lower():
                return json.dumps(value)
        return value

    # --- one request

    def _parameters(self) -> dict[str, Json]:
        given: dict[str, Json] = {}
        while True:
            self._skip(r"(?:[ \t]|`\n)*")
            if self.text[self.at : self.at + 1] in ("", "\n", ";", "|", ")"):
                return given
            found = _PARAMETER.match(self.text, self.at)
            name = found[1].lower() if found else "uri"
            self.at = found.end() if found else self.at
            given[name] = True if name in _SWITCHES or name == "skipcertificatecheck" else self._value()

    def _request(self, given: dict[str, Json]) -> Sent:
        for name in given:
            if (
                name
                not in {"uri", "method", "headers", "body", "contenttype", "useragent"}
                | _SWITCHES
                | _HARMLESS
            ):
                self.draft.note(f"The parameter -{name} was left out: Swath has nothing that corresponds.")
        method = str(given.get("method", "GET")).upper()
        url, body = with_holes(str(given.get("uri", ""))), given.get("body")
        if isinstance(body, dict):
            pairs = urlencode(body)
            url, body = (_with_query(url, pairs), None) if method == "GET" else (url, pairs)
        headers = list(self._headers(given, body))
        return Sent(
            url=url, method=method, headers=headers, body=None if body is None else with_holes(str(body))
        )

    def _headers(self, given: dict[str, Json], body: Json) -> Iterator[tuple[str, str]]:
        table = given.get("headers")
        for name, value in table.items() if isinstance(table, dict) else ():
            if name.lower() not in _PSEUDO:
                yield name, with_holes(str(value))
        agent = given.get("useragent") or self.known.get("session.useragent")
        if agent:
            yield "User-Agent", with_holes(str(agent))
        if self.cookies:
            yield "Cookie", with_holes("; ".join(self.cookies))
        if body is not None:
            yield "Content-Type", str(given.get("contenttype", _FORM))


def _with_query(url: str, pairs: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{pairs}"
