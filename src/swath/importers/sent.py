"""A request as some tool wrote it down, made an endpoint that sends the same and holds no secret."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.request.pairs import encode_query
from swath.importers.addresses import authority_of, parse_address
from swath.importers.credentials import is_secret_name, secret_part, split_scheme
from swath.importers.holes import Veil, by_place, hole, identifier, literal, plain_braces, variables_of
from swath.importers.imported import Draft
from swath.importers.payloads import read_form, read_json

#: What the client writes by itself, whatever a source says.
_OF_THE_CLIENT: Final = frozenset(
    """content-length transfer-encoding connection accept-encoding keep-alive proxy-connection te
    trailer upgrade expect proxy-authorization""".split()  # noqa: SIM905
)
#: Headers that ask for an answer without rows where nothing has changed.
_CONDITIONAL: Final = frozenset(
    "if-none-match if-modified-since if-match if-unmodified-since if-range".split()  # noqa: SIM905
)
_FORM: Final = "application/x-www-form-urlencoded"
_DEFAULT_TYPES: Final = {"json": "application/json", "form": _FORM, "text": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it was written down. Its texts are templates: what is literal went through `literal`."""

    url: str
    method: str = "GET"
    headers: Sequence[tuple[str, str]] = ()
    body: str | None = None
    multipart: dict[str, Json] | None = None
    #: What a source declares of variables.
    variables: dict[str, dict[str, Json]] = field(default_factory=dict)


def build_endpoint(sent: Sent, draft: Draft) -> dict[str, Json]:
    """Return the endpoint as a formula holds it; its secrets and what is left out go to the draft."""
    return _Builder(sent, draft).build()


class _Builder:
    def __init__(self, sent: Sent, draft: Draft) -> None:
        self.sent = sent
        self.draft = draft
        self.veil = Veil()
        self.secret: set[str] = set()
        self.types: dict[str, str] = {}
        #: Whether the query by names would send the same bytes.
        self.exact = True

    def build(self) -> dict[str, Json]:
        url, query, more = self._address()
        headers = self._headers([*more, *self.sent.headers])
        body = self._body(headers)
        endpoint: dict[str, Json] = {
            "method": self.sent.method.upper(),
            "url": url,
            "query": query,
            "headers": headers,
            "body": body,
        }
        return {**endpoint, "variables": self._variables()}

    def _variables(self) -> dict[str, Json]:
        """Return what must be declared: what the source says, types, and which are secret."""
        declared = {name: dict(known) for name, known in self.sent.variables.items()}
        for name, kind in self.types.items():
            declared.setdefault(name, {})["type"] = kind
        for name in sorted(self.secret):
            declared.setdefault(name, {})["secret"] = True
        return declared

    def _hide(self, name: str, value: str) -> str:
        """Return a hole for a secret value."""
        variable = self.draft.hide(identifier(name).lower(), value)
        self.secret.add(variable)
        return hole(variable)

    # --- the address

    def _address(self) -> tuple[str, dict[str, Json], list[tuple[str, str]]]:
        """Return URL, query, and the header that credentials in the URL mean."""
        url = parse_address(self.veil.cover(plain_braces(self.sent.url)))
        if self.veil.hides(url.host_str or "") or "x9hole" in (url.host_str or ""):
            raise InvalidInput("url", f"The host of {self.sent.url} is a variable. Write the host out.")
        more = []
        if url.username:
            known = f"{unquote(url.username)}:{unquote(url.password or '')}"
            more.append(("Authorization", f"Basic {base64.b64encode(known.encode()).decode()}"))
        path = "/".join(self._segment(each) for each in url.path.split("/"))
        address = self.veil.lift(url.origin_ascii + path)
        texts = (url.query_string or "").split("&")
        pairs = [self._pair(each) for each in texts if each]
        self._tell_of_signs(address, [] if url.query_string is None else texts)
        query = self._query(pairs)
        if query is None:
            joined = "&".join(name if value is None else f"{name}={value}" for name, value in pairs)
            return by_place(self.veil.lift(f"{address}?{plain_braces(joined)}")), {}, more
        return address, query, more

    def _tell_of_signs(self, address: str, texts: Sequence[str]) -> None:
        """Note the signs of a URL that go out otherwise than they were written, though they mean the same."""
        if texts == [""]:
            self.draft.note(f"The ? at the end of {address} is not sent, as nothing follows it.")
        elif "" in texts:
            self.draft.note(f"Of the query of {address} only pairs are sent, without the & that joins none.")
        if plain_braces(self.sent.url) != self.sent.url:
            self.draft.note(f"Braces in the URL {address} that could be a variable's are sent as %7B.")

    def _segment(self, segment: str) -> str:
        found = secret_part(unquote(segment))
        if found is None or quote(found, safe="") not in segment:
            return segment
        return segment.replace(quote(found, safe=""), self._cover(self._hide("key", found)))

    def _cover(self, text: str) -> str:
        return self.veil.cover(text)

    def _pair(self, text: str) -> tuple[str, str | None]:
        """Return a pair of the query, still encoded, a secret one with a hole."""
        name, mark, value = text.partition("=")
        if not mark:
            return name, None
        key = unquote(name)
        if self.veil.is_whole(value):
            self._mark(key, value)
        elif value and not self.veil.hides(value) and (is_secret_name(key, alone=True) or secret_part(value)):
            filled = self._hide(key, unquote_plus(value))
            if _rewritten(value) != value:  # Swath would leave `/` and the like plain
                self.exact, filled = False, f"{filled[:-2]} | urlencode }}}}"
            return name, self._cover(filled)
        return name, value

    def _mark(self, name: str, covered: str) -> None:
        """Declare the variables in a secret's place secret."""
        if is_secret_name(name, alone=True):
            self.secret.update(variables_of(self.veil.lift(covered)))

    def _query(self, pairs: Iterable[tuple[str, str | None]]) -> dict[str, Json] | None:
        """Return the query by names, or None where that would not send the same bytes in the same order."""
        query: dict[str, Json] = {}
        last = None
        for name, value in pairs:
            if not self.exact or value is None or _rewritten(name) != name or _rewritten(value) != value:
                return None
            key, text = self._plain(name), self._plain(value)
            if key not in query:
                query[key] = text
            elif key == last:
                query[key] = [*_listed(query[key]), text]
            else:
                return None
            last = key
        return query

    def _plain(self, encoded: str) -> str:
        return by_place(self.veil.lift(literal(unquote(encoded))))

    # --- headers

    def _headers(self, given: Iterable[tuple[str, str]]) -> dict[str, str]:
        headers: dict[str, str] = {}
        names: dict[str, str] = {}
        for name, value in given:
            key = name.lower().strip()
            if not key or key.startswith(":") or key in _OF_THE_CLIENT or self._is_own_host(key, value):
                continue
            if key in _CONDITIONAL:
                self.draft.note(f"The header {name} was left out: an answer to it may bring no rows.")
                continue
            kept = self._header(name, value.strip())
            if key in names:
                self.draft.note(f"The header {name}, given more than once, is sent as one with all values.")
                kept = f"{headers[names[key]]}{'; ' if key == 'cookie' else ', '}{kept}"
            headers[names.setdefault(key, name)] = kept
        return headers

    def _is_own_host(self, key: str, value: str) -> bool:
        return key == "host" and value.strip().lower() == authority_of(self.veil.cover(self.sent.url))

    def _header(self, name: str, value: str) -> str:
        key = name.lower()
        if "{{" in value:
            if is_secret_name(key):
                self.secret.update(variables_of(value))
            return value
        if key == "authorization" and value:
            return self._authorization(value)
        if value and is_secret_name(key):
            return self._hide(key, value)
        found = secret_part(value)
        return value.replace(found, self._hide(key, found)) if found else value

    def _authorization(self, value: str) -> str:
        scheme, credentials = split_scheme(value)
        if scheme.lower() == "basic " and (known := _decode_basic(credentials)) is not None:
            variable = self._hide("credentials", known)[2:-2]
            return f"{scheme}{{{{ {variable} | base64 }}}}"
        return scheme + self._hide("token" if scheme else "authorization", credentials)

    # --- the body

    def _body(self, headers: dict[str, str]) -> dict[str, Json] | None:
        """Return the body; a content type that Swath sends by itself leaves the headers."""
        if self.sent.multipart is not None:
            _drop_type(headers, None)
            return {"multipart": self._tree("", self._covered(self.sent.multipart))}
        if self.sent.body is None:
            return None
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        body = self._shaped(self.sent.body, kind)
        if not kind:
            self.draft.note("The body had no content type; Swath sends one.")
        _drop_type(headers, _DEFAULT_TYPES[next(iter(body))])
        return body

    def _shaped(self, text: str, kind: str) -> dict[str, Json]:
        covered = self.veil.cover(text)
        if kind.startswith(_FORM):
            form = read_form(covered)
            if form is not None:
                return {"form": {self._filled(k): _encoded_later(self._tree(k, v)) for k, v in form.items()}}
        read = read_json(covered)
        if read is not None and isinstance(read.value, dict | list):
            for bare in read.bare:
                self.types.update(dict.fromkeys(variables_of(self.veil.lift(bare)), "json"))
            if read.rewritten:
                self.draft.note(
                    "The JSON of the body is the same, but is written anew: without the spaces in it, and "
                    "characters as they are for \\u escapes."
                )
            return {"json": self._tree("", read.value)}
        return {"text": self._text(covered)}

    def _tree(self, name: str, value: Json) -> Json:
        if isinstance(value, dict):
            return {self._filled(key): self._tree(key, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._tree(name, each) for each in value]
        if not isinstance(value, str):
            return value
        if self.veil.is_whole(value):
            self._mark(name, value)
        elif value and not self.veil.hides(value):
            if is_secret_name(name):
                return self._hide(name, value)
            if found := secret_part(value):
                return literal(value).replace(found, self._hide(name or "token", found))
        return self._filled(value)

    def _covered(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {self.veil.cover(key): self._covered(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._covered(each) for each in value]
        return self.veil.cover(value) if isinstance(value, str) else value

    def _filled(self, covered: str) -> str:
        return self.veil.lift(literal(covered))

    def _text(self, covered: str) -> str:
        """Return a text without the secrets in it: those of a form's pairs, and those that look like one."""

        def hide_pair(found: re.Match[str]) -> str:
            name, value = unquote(found[1]), found[2]
            if self.veil.hides(value):
                self._mark(name, value)
                return found[0]
            return f"{found[1]}={self._hide(name, value)}" if is_secret_name(name) else found[0]

        text = re.sub(r"(?<![^&\s])([\w.\[\]%-]+)=([^&\s{}]+)", hide_pair, literal(covered))
        while found := secret_part(text):
            text = text.replace(found, self._hide("token", found))
        return self.veil.lift(text)


def _encoded_later(value: Json) -> Json:
    """Return the values of a form's field without what encodes them where there is no form."""
    return [_encoded_later(each) for each in value] if isinstance(value, list) else by_place(str(value))


def _rewritten(encoded: str) -> str:
    """Return a name or value of a query as Swath would write it."""
    return encode_query(unquote(encoded, errors="replace"))


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _decode_basic(credentials: str) -> str | None:
    try:
        known = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return known if base64.b64encode(known.encode()).decode() == credentials else None


def _drop_type(headers: dict[str, str], usual: str | None) -> None:
    """Take out a content type that Swath sends by itself; None: any."""
    for name in list(headers):
        if name.lower() == "content-type" and usual in (None, headers[name]):
            del headers[name]
