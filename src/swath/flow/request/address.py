"""Where a request goes: a URL whose scheme, host, port and path segments no value can change."""

import re
from collections.abc import Callable
from typing import Final

from pyreqwest.http import Url

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Endpoint
from swath.flow.request.encoding import encode_part, write
from swath.flow.request.pairs import Add, Pairs, encode_query, join_pairs
from swath.flow.request.template import TAG, Templates, Text, Values, whole_variable

Render = Callable[[Values], str]

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\\]*")
_DOTS = re.compile(r"[/\\](?:\.|%2e){1,2}(?=[/\\?#]|$)", re.IGNORECASE)
_ADVICE: Final = "write the host out, or make the whole URL one variable: {{url}}"


def compile_address(endpoint: Endpoint, templates: Templates) -> Render:
    """Compile an endpoint's URL and query; raises InvalidInput for a URL whose host is not plain text."""
    keep_empty = endpoint.keep_empty
    pairs = Pairs(templates, encode_query, drop_empty=not keep_empty, keep_unset=keep_empty)
    query = pairs.compile(endpoint.query, "query")
    template = endpoint.url.strip()
    if whole_variable(template, templates.known) is not None:
        return _compile_whole(templates.compile(template, write, "url"), query)
    return _Address(template, query, pairs).render


def _compile_whole(text: Text, query: list[Add]) -> Render:
    """Compile a URL that is one variable: the address guard, not the template, says where it may lead."""

    def render(values: Values) -> str:
        url = _parse(text.render(values))
        if url is None or url.scheme not in ("http", "https") or not url.host_str:
            raise ItemFailed("bad_url", "the value for the URL is not an absolute http or https URL")
        joined = "&".join(part for part in (url.query_string, join_pairs(query, values)) if part)
        return str(url.with_fragment(None).with_query_string(joined or None))

    return render


class _Address:
    """A URL template. By construction values cannot move it; that they did not is checked all the same."""

    def __init__(self, template: str, query: list[Add], pairs: Pairs) -> None:
        self._templates = pairs.templates
        origin, path, own = _split(template)
        self._origin = _check_origin(origin)
        self._path = self._templates.compile(path, encode_part, "url")
        segments = _check_path(self._origin, path)
        self._slashes = len(segments)
        self._empty = segments.count("")
        self._query = [*self._own(own, pairs), *query]

    def _own(self, query: str, pairs: Pairs) -> list[Add]:
        """Compile the query that stands in the URL itself."""
        if "{%" in query:
            text = self._templates.compile(query, encode_part, "url")
            return [lambda values, out: out.append(text.render(values))]
        return [self._pair(part, pairs) for part in _cut(query, "&") if part]

    def _pair(self, part: str, pairs: Pairs) -> Add:
        name, *rest = _cut(part, "=", 1)
        if not rest or "{{" in name:
            text = self._templates.compile(part, encode_part, "url")
            return lambda values, out: out.append(text.render(values))
        return pairs.written(name, self._templates.compile(rest[0], encode_part, "url"))

    def render(self, values: Values) -> str:
        path = self._path.render(values)
        if ("/." in path or "/%2" in path) and _DOTS.search(path):
            raise ItemFailed("unsafe_path", "a path segment may not come out as . or ..")
        query = join_pairs(self._query, values)
        url = _parse(f"{self._origin}{path}?{query}" if query else self._origin + path)
        text = str(url)
        if url is None or not text.startswith(self._origin + "/"):
            raise ItemFailed("unsafe_url", "the values would change the scheme, host or port of the URL")
        self._check(text[len(self._origin) :].partition("?")[0])
        return text

    def _check(self, path: str) -> None:
        """Refuse a path with other segments than the template's: more, fewer, or empty where it had some."""
        if path.count("/") != self._slashes:
            raise ItemFailed("unsafe_path", "the values would change the number of path segments")
        if ("//" in path or path.endswith("/")) and path.split("/").count("") - 1 != self._empty:
            raise ItemFailed(
                "input_missing", f"empty in the path: one of {', '.join(sorted(self._path.names))}"
            )


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
    found = _ORIGIN.match(_masked(rest))
    if found is None:
        problem = "begins with a variable" if rest.startswith("{{") else "is not an absolute URL"
        raise InvalidInput("url", f"{problem}; {_ADVICE}")
    return rest[: found.end()], rest[found.end() :] or "/", query[0] if query else ""


def _check_origin(origin: str) -> str:
    """Return scheme, host and port as the URL parser writes them."""
    if "{{" in origin or "{%" in origin:
        raise InvalidInput("url", f"the host may not come from a variable; {_ADVICE}")
    url = _parse(origin)
    if url is None or url.scheme not in ("http", "https") or not url.host_str:
        raise InvalidInput("url", "needs a scheme of http or https, and a host")
    return str(url).removesuffix("/")


def _check_path(origin: str, path: str) -> list[str]:
    """Return the path segments of the template, with something in place of each tag."""
    masked = _masked(path)
    if "{%" in path:
        raise InvalidInput("url", "the path may hold {{...}} but no {%...%}: its segments stand fast")
    if _DOTS.search(masked):
        raise InvalidInput("url", "the path may not hold . or .. as a segment")
    url = _parse(origin + masked.replace("\0", "x"))
    if url is None:
        raise InvalidInput("url", "is not a URL")
    return url.path_segments or []


def _parse(url: str) -> Url | None:
    try:
        return Url(url)
    except ValueError:
        return None
