"""PowerShell's own requests, `Invoke-WebRequest` and `Invoke-RestMethod`, copied from browsers or written."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

from swath.flow.definition import Json
from swath.importers.expressions import File
from swath.importers.holes import has_hole, with_holes
from swath.importers.imported import Draft
from swath.importers.powershell import Script
from swath.importers.sent import Sent
from swath.importers.transfer import stand_in

_FORM: Final = "application/x-www-form-urlencoded"
#: Parameters without a value, and those that concern only what PowerShell does with the answer.
_SWITCHES: Final = frozenset(
    """usebasicparsing passthru disablekeepalive resume skipheadervalidation verbose debug skiphttperrorcheck
    noproxy preserveauthorizationonredirect preservehttpmethodonredirect allowinsecureredirect
    allowunencryptedauthentication followrellink usedefaultcredentials proxyusedefaultcredentials
    skipcertificatecheck""".split()  # noqa: SIM905
)
_HARMLESS: Final = frozenset(
    """websession sessionvariable outfile erroraction warningaction errorvariable outvariable outbuffer
    maximumredirection statuscodevariable responseheadersvariable retryintervalsec httpversion sslprotocol
    maximumfollowrellink progressaction""".split()  # noqa: SIM905
)
#: Those that say what is sent, and how long and often.
_CARRIED: Final = frozenset(
    """uri method custommethod headers body form infile contenttype useragent timeoutsec
    operationtimeoutseconds maximumretrycount authentication token followrellink""".split()  # noqa: SIM905
)
_REASONS: Final = {
    "skipcertificatecheck": "Swath checks certificates always; give the authority under tls of the endpoint",
    "certificate": "give the certificate under tls of the endpoint",
    "proxy": "add it under proxies as http://host:port, and choose it with --proxy",
    "proxycredential": "give the proxy's login with --secret proxies.NAME=URL",
    "credential": "its user and password are not known; give them as a secret in an Authorization header",
    "usedefaultcredentials": "Swath does not log in as the user of Windows, by NTLM or Negotiate",
    "proxyusedefaultcredentials": "give the proxy's login with --secret proxies.NAME=URL",
}
#: What the protocol's own fields are called in a browser's copy.
_PSEUDO: Final = frozenset("authority method path scheme".split())  # noqa: SIM905

#: A request, what its workflow is given, and lists that loops around it go through.
Found = tuple[Sent, dict[str, Json], dict[str, list[str]]]


def find_requests(text: str, draft: Draft) -> Iterator[Found]:
    """Yield the requests of a script, with what it puts into variables before. Raises InvalidInput."""
    script = Script(text, _SWITCHES)
    requests = _Requests(script, draft)
    for given in script.read():
        sent = requests.build(given)
        texts = f"{sent.url} {sent.headers} {sent.body} {sent.multipart}"
        lists = {name: values for name, values in script.lists.items() if has_hole(name, texts)}
        yield sent, _settings(given), lists


class _Requests:
    """What the parameters of calls mean, with what the script has put into variables so far."""

    def __init__(self, script: Script, draft: Draft) -> None:
        self.script = script
        self.draft = draft

    def build(self, given: dict[str, Any]) -> Sent:
        for name in given:
            if name in _REASONS or name not in _CARRIED | _SWITCHES | _HARMLESS:
                why = _REASONS.get(name, "Swath has nothing that corresponds")
                self.draft.note(f"The parameter -{name} was left out: {why}.")
        return self._sent(given)

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
        if not isinstance(value, File):
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
        agent = given.get("useragent") or self.script.known.get("session.useragent")
        if agent:
            yield "User-Agent", with_holes(str(agent))
        if self.script.cookies:
            yield "Cookie", with_holes("; ".join(self.script.cookies))
        named = {str(each).lower() for each in table} if isinstance(table, dict) else set()
        if body is not None and ("contenttype" in given or "content-type" not in named):
            yield "Content-Type", str(given.get("contenttype", _FORM))


def _settings(given: dict[str, Any]) -> dict[str, Json]:
    """Return what the parameters mean for the workflow: times, tries, pages."""
    settings: dict[str, Json] = {}
    for name in ("timeoutsec", "operationtimeoutseconds"):
        if isinstance(seconds := given.get(name), int | float) and seconds > 0:
            settings["limits"] = {"timeout": seconds}
    if "followrellink" in given:
        settings["paginator"] = {"type": "header_link"}
    if isinstance(tries := given.get("maximumretrycount"), int) and tries > 0:
        settings["retry"] = {"max_attempts": min(tries + 1, 100)}
    return settings


def _with_query(url: str, pairs: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{pairs}"
