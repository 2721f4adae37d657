"""From an endpoint and the values of its variables to one request.

Everything is compiled once per execution. Values are encoded by the place where they stand, and after
rendering the address is compared with the template's: no value changes where a request goes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from pyreqwest.http import Url

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Endpoint, Json, Variable
from swath.flow.pairs import Add, Pairs, encode_query, join_pairs
from swath.flow.payload import compile_body
from swath.flow.template import (
    TAG,
    UNSET,
    Templates,
    Text,
    Values,
    encode_header,
    encode_part,
    whole_variable,
    write,
)

__all__ = ["UNSET", "Request", "RequestTemplate"]

Header = tuple[str, str]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DOTS = re.compile(r"[/\\](?:\.|%2e){1,2}(?=[/\\?#]|$)", re.IGNORECASE)
#: The client writes these itself, so that no request can be smuggled through them.
_OF_THE_CLIENT: Final = frozenset({"content-length", "transfer-encoding", "connection"})
_ADVICE: Final = "write the host out, or make the whole URL one variable: {{url}}"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes | None = None

    @property
    def target(self) -> str:
        """The host that is asked, with its port where that is not the scheme's own."""
        url = Url(self.url)
        return f"{url.host_str}:{url.port}" if url.port else str(url.host_str)


class RequestTemplate:
    """An endpoint, compiled. Raises InvalidInput, naming the field, for what does not compile."""

    #: The variables that the templates use.
    names: frozenset[str]

    def __init__(self, endpoint: Endpoint) -> None:
        templates = Templates(endpoint.variables)
        self._method = _check_method(endpoint.method)
        self._address = _compile_address(endpoint, templates)
        self._headers = _compile_headers(endpoint.headers, templates)
        body = endpoint.body
        self._body = compile_body(body, templates, endpoint.keep_empty) if body is not None else None
        self.names = frozenset(templates.names)
        self._resolvers = [
            _resolver(name, endpoint.variables.get(name, Variable()), name in templates.needed)
            for name in sorted(templates.names)
        ]

    def render(self, values: Mapping[str, Json], url: str | None = None) -> Request:
        """Fill the template; raises ItemFailed for a value that is missing, of a wrong type, or not safe.

        `url` is a whole address that a page led to, and takes the place of the endpoint's own.
        """
        resolved: dict[str, Json] = {}
        for resolve in self._resolvers:
            resolve(values, resolved)
        url = url or self._address(resolved)
        headers = self._headers(resolved)
        if self._body is None:
            return Request(self._method, url, headers)
        kind, content = self._body(resolved)
        return Request(self._method, url, _typed(headers, kind), content)


Resolve = Callable[[Values, dict[str, Json]], None]


def _resolver(name: str, variable: Variable, needed: bool) -> Resolve:
    """Return what puts one variable's value in place: as given, by default, or empty where it is optional."""
    default, convert = variable.default, _CONVERSIONS.get(variable.type)
    no_cursor = UNSET if default in (None, "") else default

    def resolve(values: Values, resolved: dict[str, Json]) -> None:
        value = values.get(name)
        if value is UNSET:
            value = no_cursor
        elif value is None:
            value = default
        if value is not None:
            resolved[name] = value if convert is None else _convert(name, value, variable.type)
        elif not variable.required:
            resolved[name] = None
        elif needed:
            raise ItemFailed("input_missing", f"the variable {name} has no value")

    return resolve


def _convert(name: str, value: Json, kind: str) -> Json:
    if not isinstance(value, str) or value == "":
        return value
    try:
        return _CONVERSIONS[kind](value.strip())
    except (ValueError, KeyError):
        raise ItemFailed("input_invalid", f"the value of {name} is not of type {kind}") from None


def _read_number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CONVERSIONS: Mapping[str, Callable[[str], Json]] = {
    "integer": int,
    "number": _read_number,
    "boolean": lambda text: _BOOLEANS[text.lower()],
    "json": orjson.loads,
}


def _check_method(method: str) -> str:
    if not _TOKEN.fullmatch(method):
        raise InvalidInput("method", "is not the name of an HTTP method")
    return method.upper()


Render = Callable[[Values], str]


def _compile_address(endpoint: Endpoint, templates: Templates) -> Render:
    pairs = Pairs(templates, encode_query, drop_empty=not endpoint.keep_empty, keep_unset=endpoint.keep_empty)
    query = pairs.compile(endpoint.query, "query")
    whole = whole_variable(endpoint.url.strip(), templates.known)
    if whole is not None:
        return _compile_whole(templates.compile(endpoint.url.strip(), write, "url"), query)
    return _Address(endpoint.url.strip(), query, pairs).render


def _compile_whole(text: Text, query: list[Add]) -> Render:
    """Compile a URL that is one variable: the address guard, not the template, says where it may lead."""

    def render(values: Values) -> str:
        given = text.render(values)
        url = _parse(given)
        if url is None or url.scheme not in ("http", "https") or not url.host_str:
            raise ItemFailed("bad_url", "the value for the URL is not an absolute http or https URL")
        more = join_pairs(query, values)
        joined = "&".join(part for part in (url.query_string, more) if part)
        return str(url.with_fragment(None).with_query_string(joined or None))

    return render


class _Address:
    """A URL whose scheme, host, port and number of path segments stand fast."""

    def __init__(self, template: str, query: list[Add], pairs: Pairs) -> None:
        self._templates = pairs.templates
        origin, path, own = _split(template)
        self._plain = _check_origin(origin)
        self._origin = _origin_of(self._plain)
        self._base = origin
        self._path = self._templates.compile(path, encode_part, "url")
        self._filled = _check_path(origin, path)
        self._query = [*self._own(own, pairs), *query]

    def _own(self, query: str, pairs: Pairs) -> list[Add]:
        """Compile the query that stands in the URL itself."""
        if "{%" in query:
            text = self._templates.compile(query, encode_part, "url")
            return [lambda values, out: out.append(text.render(values))]
        return [self._pair(part, pairs) for part in _cut(query, "&") if part]

    def _pair(self, part: str, pairs: Pairs) -> Add:
        name, *rest = _cut(part, "=", 1)
        key = self._templates.compile(name, encode_part, "url")
        if not rest or key.static is None:
            text = self._templates.compile(part, encode_part, "url")
            return lambda values, out: out.append(text.render(values))
        return pairs.written(name, self._templates.compile(rest[0], encode_part, "url"))

    def render(self, values: Values) -> str:
        path = self._path.render(values)
        if _DOTS.search(path):
            raise ItemFailed("unsafe_path", "a path segment may not come out as . or ..")
        query = join_pairs(self._query, values)
        url = _parse(f"{self._base}{path}?{query}" if query else self._base + path)
        if url is None or _origin_of(url) != self._origin:
            raise ItemFailed("unsafe_url", "the values would change the scheme, host or port of the URL")
        self._check_segments(url.path_segments or [])
        return str(url)

    def _check_segments(self, segments: list[str]) -> None:
        if len(segments) != len(self._filled):
            raise ItemFailed("unsafe_path", "the values would change the number of path segments")
        if not all(map(_holds, segments, self._filled)):
            raise ItemFailed("input_missing", "a value in the path is empty")


def _holds(segment: str, filled: bool) -> bool:
    return segment != "" or not filled


def _masked(template: str) -> str:
    """Return a text of the same length in which no tag shows its inside."""
    return TAG.sub(lambda tag: "\0" * len(tag[0]), template)


def _cut(text: str, mark: str, times: int = -1) -> list[str]:
    """Split at a character outside of tags."""
    pieces, start = [], 0
    for length in map(len, _masked(text).split(mark, times)):
        pieces.append(text[start : start + length])
        start += length + 1
    return pieces


def _split(template: str) -> tuple[str, str, str]:
    """Split a URL template into scheme with authority, path, and query; the fragment is never sent."""
    url = _cut(template, "#", 1)[0]
    rest, *query = _cut(url, "?", 1)
    found = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\\]*", _masked(rest))
    if found is None:
        problem = "begins with a variable" if rest.startswith("{{") else "is not an absolute URL"
        raise InvalidInput("url", f"{problem}; {_ADVICE}")
    return rest[: found.end()], rest[found.end() :] or "/", query[0] if query else ""


def _check_origin(origin: str) -> Url:
    if "{{" in origin or "{%" in origin:
        raise InvalidInput("url", f"the host may not come from a variable; {_ADVICE}")
    url = _parse(origin)
    if url is None or url.scheme not in ("http", "https") or not url.host_str:
        raise InvalidInput("url", "needs a scheme of http or https, and a host")
    return url


def _check_path(origin: str, path: str) -> list[bool]:
    """Return for each path segment of the template whether it holds something."""
    masked = _masked(path)
    if "{%" in path:
        raise InvalidInput("url", "the path may hold {{...}} but no {%...%}: its segments stand fast")
    if _DOTS.search(masked):
        raise InvalidInput("url", "the path may not hold . or .. as a segment")
    url = _parse(origin + masked.replace("\0", "x"))
    if url is None:
        raise InvalidInput("url", "is not a URL")
    return [segment != "" for segment in url.path_segments or []]


def _parse(url: str) -> Url | None:
    try:
        return Url(url)
    except ValueError:
        return None


def _origin_of(url: Url) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host_str, url.port_or_known_default


def _compile_headers(
    headers: Mapping[str, str], templates: Templates
) -> Callable[[Values], tuple[Header, ...]]:
    compiled = [
        (name, _compile_header(name, value, templates))
        for name, value in headers.items()
        if _is_sent(name, value)
    ]
    if all(text.static is not None for _, text in compiled):
        constant = tuple((name, (text.static or "").strip()) for name, text in compiled)
        return lambda values: constant
    return lambda values: tuple(
        [
            (name, value)
            for name, text in compiled
            if (value := text.render(values).strip()) or text.whole is None
        ]
    )


def _is_sent(name: str, value: str) -> bool:
    """Tell whether a header is ours to send; what the client writes itself is left to it."""
    if not _TOKEN.fullmatch(name):
        raise InvalidInput(f"headers.{name}", "is not the name of a header")
    fixed = _OF_THE_CLIENT | {"host"}
    if name.lower() in fixed and ("{{" in value or "{%" in value):
        raise InvalidInput(f"headers.{name}", "may not come from a variable")
    return name.lower() not in _OF_THE_CLIENT


def _compile_header(name: str, value: str, templates: Templates) -> Text:
    try:
        encode_header(TAG.sub("", value))
    except ItemFailed as fault:
        raise InvalidInput(f"headers.{name}", fault.message) from None
    return templates.compile(value, encode_header, f"headers.{name}")


def _typed(headers: tuple[Header, ...], kind: str) -> tuple[Header, ...]:
    """Add the content type unless the endpoint sets one; a multipart one must carry our boundary."""
    multipart = kind.startswith("multipart/")
    if multipart:
        headers = tuple(pair for pair in headers if pair[0].lower() != "content-type")
    elif any(name.lower() == "content-type" for name, _ in headers):
        return headers
    return (*headers, ("Content-Type", kind))
