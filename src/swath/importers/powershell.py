"""PowerShell's own requests, `Invoke-WebRequest` and `Invoke-RestMethod`, copied from browsers or written."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.holes import hole, with_holes
from swath.importers.imported import Draft
from swath.importers.sent import Sent
from swath.importers.transfer import stand_in
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
_FORM: Final = "application/x-www-form-urlencoded"
#: Parameters without a value, and those that concern only what PowerShell does with the answer.
_SWITCHES: Final = frozenset(
    ["usebasicparsing", "passthru", "disablekeepalive", "resume", "skipheadervalidation", "verbose"]
)
_HARMLESS: Final = frozenset(
    ["websession", "sessionvariable", "outfile", "erroraction", "maximumredirection", "outvariable"]
)
#: Those that say what is sent, and how long and often.
_CARRIED: Final = frozenset(
    """uri method custommethod headers body form infile contenttype useragent timeoutsec
    operationtimeoutseconds maximumretrycount authentication token""".split()  # noqa: SIM905
)
_REASONS: Final = {
    "skipcertificatecheck": "Swath checks certificates always; give the authority under tls of the endpoint",
    "certificate": "give the certificate under tls of the endpoint",
    "proxy": "add it under proxies as http://host:port, and choose it with --proxy",
    "proxycredential": "give the proxy's login with --secret proxies.NAME=URL",
    "credential": "its user and password are not known; give them as a secret in an Authorization header",
    "usedefaultcredentials": "Swath does not speak NTLM authentication",
}
#: What the protocol's own fields are called in a browser's copy.
_PSEUDO: Final = frozenset("authority method path scheme".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class _File:
    """What stands for a file among the parts of a form."""

    path: str


#: A request, and what its workflow is given.
Found = tuple[Sent, dict[str, Json]]


def find_requests(text: str, draft: Draft) -> Iterator[Found]:
    """Yield the requests of a script, with what it puts into variables before. Raises InvalidInput."""
    yield from _Script(text.replace("\r\n", "\n"), draft).read()


class _Script:
    def __init__(self, text: str, draft: Draft) -> None:
        self.text = text
        self.draft = draft
        self.at = 0
        self.known: dict[str, Any] = {}
        self.cookies: list[str] = []

    def read(self) -> Iterator[Found]:
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
                yield self._request(self._parameters())
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
            return _File(str(self._value()))
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

    # --- one request

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
            given[name] = True if name in _SWITCHES or name == "skipcertificatecheck" else self._value()

    def _request(self, given: dict[str, Any]) -> Found:
        for name in given:
            if name not in _CARRIED | _SWITCHES | _HARMLESS:
                why = _REASONS.get(name, "Swath has nothing that corresponds")
                self.draft.note(f"The parameter -{name} was left out: {why}.")
        return self._sent(given), _settings(given)

    def _sent(self, given: dict[str, Any]) -> Sent:
        method = str(given.get("method") or given.get("custommethod") or "GET").upper()
        url, body = with_holes(str(given.get("uri", ""))), given.get("body")
        if isinstance(body, dict):
            pairs = urlencode(body)
            url, body = (_with_query(url, pairs), None) if method == "GET" else (url, pairs)
        text = None if body is None else with_holes(str(body))
        if "infile" in given:
            text = stand_in(str(given["infile"]), "body", self.draft)
        headers = list(self._headers(given, text))
        form = given.get("form")
        parts = {key: self._part(each) for key, each in form.items()} if isinstance(form, dict) else None
        return Sent(url=url, method=method, headers=headers, body=text, multipart=parts)

    def _part(self, value: Any) -> Json:
        if not isinstance(value, _File):
            return with_holes(str(value))
        content = stand_in(value.path, "file", self.draft)
        name = re.split(r"[/\\]", value.path)[-1]
        return {"filename": name, "content": content, "content_type": "application/octet-stream"}

    def _headers(self, given: dict[str, Any], body: Json) -> Iterator[tuple[str, str]]:
        table = given.get("headers")
        for name, value in table.items() if isinstance(table, dict) else ():
            if name.lower() not in _PSEUDO:
                yield name, with_holes(str(value))
        if "token" in given and str(given.get("authentication", "")).lower() in ("bearer", "oauth"):
            yield "Authorization", f"Bearer {with_holes(str(given['token']))}"
        agent = given.get("useragent") or self.known.get("session.useragent")
        if agent:
            yield "User-Agent", with_holes(str(agent))
        if self.cookies:
            yield "Cookie", with_holes("; ".join(self.cookies))
        named = {str(each).lower() for each in table} if isinstance(table, dict) else set()
        if body is not None and ("contenttype" in given or "content-type" not in named):
            yield "Content-Type", str(given.get("contenttype", _FORM))


def _settings(given: dict[str, Any]) -> dict[str, Json]:
    """Return what the parameters mean for the workflow: times and tries."""
    settings: dict[str, Json] = {}
    for name in ("timeoutsec", "operationtimeoutseconds"):
        if isinstance(seconds := given.get(name), int | float) and seconds > 0:
            settings["limits"] = {"timeout": seconds}
    if isinstance(tries := given.get("maximumretrycount"), int) and tries > 0:
        settings["retry"] = {"max_attempts": min(tries + 1, 100)}
    return settings


def _with_query(url: str, pairs: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{pairs}"
