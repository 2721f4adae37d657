"""From an endpoint and the values of its variables to one request.

Everything is compiled once per execution. Values are encoded by the place where they stand, and after
rendering the address is compared with the template's: no value changes where a request goes.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import orjson
from pyreqwest.http import Url

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Endpoint, Json, Tls, Variable
from swath.flow.request.address import compile_address
from swath.flow.request.encoding import encode_header
from swath.flow.request.payload import compile_body
from swath.flow.request.template import TAG, UNSET, Templates, Text, Values

__all__ = ["UNSET", "Request", "RequestTemplate"]

Header = tuple[str, str]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: The client writes these itself, so that no request can be smuggled through them.
_OF_THE_CLIENT: Final = frozenset({"content-length", "transfer-encoding", "connection"})


class Request(msgspec.Struct, frozen=True):
    """One request, ready to be sent."""

    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes | None = None
    #: Certificates of its own; None: the usual ones.
    tls: Tls | None = None

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
        self._address = compile_address(endpoint, templates)
        self._headers = _compile_headers(endpoint.headers, templates)
        self._tls = endpoint.tls
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
            return Request(self._method, url, headers, None, self._tls)
        kind, content = self._body(resolved)
        return Request(self._method, url, _typed(headers, kind), content, self._tls)


Resolve = Callable[[Values, dict[str, Json]], None]


def _resolver(name: str, variable: Variable, needed: bool) -> Resolve:
    """Return what puts one variable's value in place: as given, by default, or empty where it is optional."""
    default, convert = variable.default, _CONVERSIONS.get(variable.type)
    missing = f"the variable {name} has no value: map it, or give it a default"
    if variable.secret:
        missing = f"the secret {name} has no value: give it with --secret {name}=VALUE, or to the endpoint"
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
            raise ItemFailed("input_missing", missing)

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
