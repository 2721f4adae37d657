"""Request bodies: each of the five kinds, compiled to a function from values to content type and bytes."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Body, GraphQL, Json
from swath.flow.request.encoding import Encode, dump, encode_text, write
from swath.flow.request.pairs import Pairs, encode_form, join_pairs
from swath.flow.request.template import UNSET, Templates, Values, split_holes

#: Content type and bytes.
Content = tuple[str, bytes]
RenderBody = Callable[[Values], Content]
Node = Callable[[Values], Json]

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_TEXT: Final = "text/plain; charset=utf-8"
_TOKEN = re.compile(r"-?[\w.]*", re.ASCII)
#: The keys of a part that is no file but has a type of its own.
_TYPED: Final = {"content", "content_type"}
_KINDS = ("json", "form", "text", "graphql", "multipart")


def compile_body(body: Body, templates: Templates, keep_empty: bool) -> RenderBody:
    """Compile a body; raises InvalidInput where it is not exactly one kind, or holds a broken template."""
    given = [kind for kind in _KINDS if getattr(body, kind) is not None]
    if len(given) != 1:
        raise InvalidInput(
            "body", f"needs exactly one of {', '.join(_KINDS)}; has {', '.join(given) or 'none'}"
        )
    if body.form is not None:
        return _compile_form(body.form, templates, keep_empty)
    if body.text is not None:
        text = templates.compile(body.text, encode_text, "body.text")
        return lambda values: (_TEXT, text.render(values).encode())
    if body.graphql is not None:
        return _compile_graphql(body.graphql, templates, keep_empty)
    if body.multipart is not None:
        return _compile_multipart(body.multipart, templates, keep_empty)
    return _dumping(_Tree(templates, keep_empty, "body.json").compile(body.json))


def _dumping(node: Node) -> RenderBody:
    return lambda values: (_JSON, dump(node(values)))


def _compile_form(form: Mapping[str, Json], templates: Templates, keep_empty: bool) -> RenderBody:
    pairs = Pairs(templates, encode_form, drop_empty=False, keep_unset=keep_empty).compile(form, "body.form")
    return lambda values: (_FORM, join_pairs(pairs, values).encode())


class _Tree:
    """Compiles a JSON value whose strings are templates.

    A string that is exactly one variable, or one expression, keeps the type of its value. A member whose
    variable has no value yet is left out: APIs refuse an empty or null cursor more often than none.
    """

    def __init__(self, templates: Templates, keep_empty: bool, field: str) -> None:
        self._templates = templates
        self._keep_empty = keep_empty
        self._field = field

    def compile(self, value: Json) -> Node:
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple):
            nodes = [self.compile(each) for each in value]
            return lambda values: [_settled(node(values)) for node in nodes]
        return lambda values: value

    def _string(self, value: str) -> Node:
        text = self._templates.compile(value, encode_text, self._field)
        if text.static is not None:
            return lambda values: value
        if text.whole is not None:
            return self._variable(text.whole)
        return text.value or text.render

    def _variable(self, name: str) -> Node:
        if self._keep_empty:
            return lambda values: values[name] if values[name] is not UNSET else ""
        return lambda values: values[name]

    def _object(self, value: Mapping[str, Json]) -> Node:
        compile_key = self._templates.compile
        members = [
            (compile_key(k, encode_text, self._field).render, self.compile(v)) for k, v in value.items()
        ]

        def build(values: Values) -> Json:
            pairs = ((key(values), node(values)) for key, node in members)
            return {key: value for key, value in pairs if value is not UNSET}

        return build


def _settled(value: Json) -> Json:
    return None if value is UNSET else value


def _compile_graphql(graphql: GraphQL, templates: Templates, keep_empty: bool) -> RenderBody:
    encode = _graphql_encoding(graphql.query, templates)
    query = templates.compile(graphql.query, encode, "body.graphql.query")
    variables = _Tree(templates, keep_empty, "body.graphql.variables").compile(dict(graphql.variables))

    def render(values: Values) -> Content:
        return _JSON, dump({"query": query.render(values), "variables": variables(values)})

    return render


def _graphql_encoding(query: str, templates: Templates) -> Encode:
    """Return how values stand in a query: escaped inside quotes, elsewhere only as names and numbers."""
    literals = split_holes(query, templates.known)[::2]
    quotes, inside = 0, bool(literals)
    for literal in literals[:-1]:
        quotes += literal.count('"') - literal.count('\\"')
        inside = inside and quotes % 2 == 1
    return _graphql_string if inside else _graphql_token


def _graphql_string(value: Json) -> str:
    return dump(write(value)).decode()[1:-1]


def _graphql_token(value: Json) -> str:
    text = write(value)
    if not _TOKEN.fullmatch(text):
        message = "a value in a GraphQL query may only be a name or number; use GraphQL variables for others"
        raise ItemFailed("unsafe_graphql", message)
    return text


Part = Callable[[Values], list[bytes]]


def _compile_multipart(fields: Mapping[str, Json], templates: Templates, keep_empty: bool) -> RenderBody:
    tree = _Tree(templates, keep_empty, "body.multipart")
    members = [(_quote(name), tree.compile(value)) for name, value in fields.items()]

    def render(values: Values) -> Content:
        parts = [part for name, node in members for part in _parts(name, node(values))]
        # From the content, so that the same values make the same bytes.
        boundary = "swath" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
        mark = b"--" + boundary.encode()
        content = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
        return f"multipart/form-data; boundary={boundary}", content

    return render


def _parts(name: str, value: Json) -> list[bytes]:
    """Return the parts of one field: several for a list, a file or a typed text for an object."""
    if value is UNSET:
        return []
    if isinstance(value, list | tuple):
        return [part for each in value for part in _parts(name, each)]
    head = f'Content-Disposition: form-data; name="{name}"'
    if not isinstance(value, Mapping) or not (
        "filename" in value or value.keys() == {"content", "content_type"}
    ):
        return [f"{head}\r\n\r\n{encode_text(value)}".encode()]
    if "filename" in value:
        head += f'; filename="{_quote(write(value["filename"]))}"'
    kind = _one_line(write(value.get("content_type")) or "application/octet-stream")
    return [f"{head}\r\nContent-Type: {kind}\r\n\r\n".encode() + _file_bytes(value)]


def _file_bytes(value: Mapping[str, Json]) -> bytes:
    if "base64" not in value:
        return encode_text(value.get("content")).encode()
    try:
        return base64.b64decode(write(value["base64"]), validate=True)
    except binascii.Error as error:
        raise ItemFailed("input_invalid", f"a file of the body is not base64: {error}") from None


def _quote(name: str) -> str:
    """Write a field's or file's name as browsers do."""
    return encode_text(name).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", encode_text(text))
