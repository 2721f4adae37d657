"""One string with `{{ name }}` holes, compiled for the place where it stands.

A *place* says how a value is written there: a path segment, a query or form value, a header, plain text.
Most strings are plain text with simple holes and become string joins; everything else goes through minijinja,
strict, with fuel, and with the same encoding applied to whatever an expression puts out. So no template,
however it is written, places a value unencoded.
"""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

import minijinja
import orjson

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Json

Values = Mapping[str, Json]
Encode = Callable[[Json], str]

#: One `{{ ... }}` or `{% ... %}`, with its quoted strings skipped.
TAG: Final = re.compile(
    r"""\{\{(?:"[^"]*"|'[^']*'|(?!\}\}).)*\}\}|\{%(?:"[^"]*"|'[^']*'|(?!%\}).)*%\}""", re.DOTALL
)
_NAME = re.compile(r"[^\W\d]\w*")
_KEYWORDS = frozenset({"true", "false", "none", "True", "False", "None"})
_ENCODED = re.compile(r"(?:[\w.~+-]|%[0-9A-Fa-f]{2})*", re.ASCII)
#: Steps that one template may take, and characters it may make: far above honest use.
_FUEL = 100_000


class _Unset(str):
    """See `UNSET`."""

    __slots__ = ()


#: An empty string that a variable's default may replace: a cursor before the first page has given one.
UNSET: Final = _Unset("")


@dataclass(frozen=True, slots=True)
class Text:
    """A compiled string: `whole` is the variable that it consists of, `static` its text if without holes."""

    render: Callable[[Values], str]
    names: frozenset[str] = frozenset()
    #: The variables among them that must have a value.
    needed: frozenset[str] = frozenset()
    whole: str | None = None
    static: str | None = None
    #: The expression's own value, where the string is exactly one expression.
    value: Callable[[Values], Json] | None = None


def write(value: Json) -> str:
    """Return a JSON value as plain text: strings as they are, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return dump(value).decode()


def dump(value: Json) -> bytes:
    """Return compact JSON; what orjson refuses (large integers, lone surrogates) goes the slow way."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def well_formed(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encode_part(value: Json) -> str:
    """Write a value as a path segment or query value: all but letters, digits and `-._~` is escaped."""
    text = value if isinstance(value, str) else write(value)
    if text.isalnum() and text.isascii():
        return text
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        return quote(well_formed(text), safe="")


def encode_header(value: Json) -> str:
    """Write a value for a header; what could end the line or the header is refused."""
    text = write(value)
    if not text.isprintable() and any((c < " " and c != "\t") or c == "\x7f" for c in text):
        raise ItemFailed("unsafe_header", "a header's value may not hold a line break or control character")
    return text if text.isascii() else well_formed(text)


def encode_text(value: Json) -> str:
    """Write a value as it is, where nothing around it has a syntax."""
    return well_formed(write(value))


def encode_later(value: Json) -> str:
    """Write a value into a text that is encoded as a whole afterwards."""
    return write(value)


class Templates:
    """Compiles the strings of one endpoint, and collects the names of the variables that they use.

    `known` are declared variables, whose names then need not be identifiers: `{{user-id}}`.
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        self.known = known
        self.names: set[str] = set()
        #: Variables that some string cannot do without; the others may fall to a template's `default`.
        self.needed: set[str] = set()
        self._jinjas: dict[Encode, minijinja.Environment] = {}
        self._count = 0

    def compile(self, text: str, encode: Encode, field: str) -> Text:
        """Compile a string for the place that `encode` writes for; InvalidInput names `field`."""
        try:
            compiled = self._compile(text, encode)
        except ValueError as error:
            raise InvalidInput(field, f"is not a template: {error}") from None
        self.names |= compiled.names
        self.needed |= compiled.needed
        return compiled

    def _compile(self, text: str, encode: Encode) -> Text:
        if "{{" not in text and "{%" not in text:
            return Text(lambda values: text, static=text)
        parts = split_holes(text, self.known)
        return _join(parts, encode) if parts else self._template(text, encode)

    def _template(self, text: str, encode: Encode) -> Text:
        jinja = self._jinja(encode)
        title = f"t{self._count}"
        self._count += 1
        try:
            jinja.add_template(title, text)
            names = frozenset(jinja.undeclared_variables_in_str(text))
        except minijinja.TemplateError as error:
            raise ValueError(_explain(error)) from None
        _try_out(jinja, title, names)
        tag = TAG.fullmatch(text)
        value = _capturing(text, names) if tag and text.startswith("{{") else None
        return Text(_rendering(jinja, title, names), names, value=value)

    def _jinja(self, encode: Encode) -> minijinja.Environment:
        if encode not in self._jinjas:
            self._jinjas[encode] = _environment(_finisher(encode))
        return self._jinjas[encode]


def _join(parts: tuple[str, ...], encode: Encode) -> Text:
    """Compile literal, name, literal, name, ..., literal."""
    names = parts[1::2]
    uses = frozenset(names)
    if len(names) == 1:
        before, name, after = parts
        whole = None if before or after else name
        return Text(lambda values: before + encode(values[name]) + after, uses, uses, whole)
    form = "%s".join(part.replace("%", "%%") for part in parts[::2])
    return Text(lambda values: form % tuple([encode(values[name]) for name in names]), uses, uses)


def _finisher(encode: Encode) -> Encode:
    """Return what minijinja does with an expression's value.

    Where a URL or form encodes anyway, one `urlencode` in the template counts as that encoding.
    """
    if encode not in (encode_part, encode_later):
        return encode

    def finish(value: Json) -> str:
        if isinstance(value, minijinja.Markup) and _ENCODED.fullmatch(value):
            return str(value) if encode is encode_part else unquote(value)
        return encode(value)

    return finish


def _rendering(jinja: minijinja.Environment, title: str, names: frozenset[str]) -> Callable[[Values], str]:
    def render(values: Values) -> str:
        context = {name: values[name] for name in names if name in values}
        try:
            return str(jinja.render_template(title, **context))
        except minijinja.TemplateError as error:
            raise _item_error(error, names - context.keys()) from None
        except (ValueError, TypeError, OverflowError):  # its text would tell the value
            raise ItemFailed("template_error", "a filter of a template cannot use its value") from None

    return render


def _capturing(text: str, names: frozenset[str]) -> Callable[[Values], Json]:
    """Return a function that gives the value of a template's only expression, with its type."""
    caught: list[Json] = []

    def catch(value: Json) -> str:
        caught.append(value)
        return ""

    jinja = _environment(catch)
    jinja.add_template("value", text)
    render = _rendering(jinja, "value", names)

    def value(values: Values) -> Json:
        caught.clear()
        render(values)
        return caught.pop()

    return value


def split_holes(text: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """Split into literal, name, literal, ..., literal; empty where a tag is more than a variable's name."""
    parts, end = [], 0
    for tag in TAG.finditer(text):
        name = tag[0][2:-2].strip()
        if tag[0][1] == "%" or not _is_variable(name, known):
            return ()
        parts += [text[end : tag.start()], name]
        end = tag.end()
    rest = text[end:]
    return () if not parts or "{{" in rest or "{%" in rest else (*parts, rest)


def _is_variable(name: str, known: Collection[str]) -> bool:
    return name in known or (_NAME.fullmatch(name) is not None and name not in _KEYWORDS)


def whole_variable(text: str, known: Collection[str] = ()) -> str | None:
    """Return the variable that a string consists of, if it is exactly one."""
    parts = split_holes(text, known)
    return parts[1] if len(parts) == 3 and not parts[0] and not parts[2] else None


def _environment(finish: Callable[[Json], str]) -> minijinja.Environment:
    # Without `debug`, since its messages print the variables' values, secrets among them.
    jinja = minijinja.Environment(
        debug=False,
        fuel=_FUEL,
        undefined_behavior="strict",
        finalizer=finish,
        keep_trailing_newline=True,
        comment_start_string="{#\0",  # `{#` begins a comment in GraphQL too
        filters=_FILTERS,
    )
    jinja.remove_global("debug")
    jinja.remove_filter("safe")
    return jinja


def _explain(error: minijinja.TemplateError) -> str:
    return f"{error.kind}: {error.detail}" if error.detail else str(error.message)


def _item_error(error: minijinja.TemplateError, missing: Collection[str]) -> ItemFailed:
    """Say what was wrong, but not the details: they may tell values."""
    if error.kind == "UndefinedError":
        what = ", ".join(sorted(missing)) or "a part of a value"
        return ItemFailed("input_missing", f"the template needs {what}, which has no value")
    return ItemFailed("template_error", f"a template could not be filled ({error.kind})")


def _try_out(jinja: minijinja.Environment, title: str, names: Collection[str]) -> None:
    """Refuse filters, tests and functions that do not exist: minijinja tells of them only when it renders."""
    try:
        jinja.render_template(title, **dict.fromkeys(names, "1"))
    except minijinja.TemplateError as error:
        if error.kind in ("UnknownFilter", "UnknownTest", "UnknownFunction"):
            raise ValueError(_explain(error)) from None
    except (ValueError, TypeError, OverflowError, ItemFailed):
        return  # the sample value is at fault


def _date(value: Json, form: str = "%Y-%m-%d") -> str:
    """Write a moment (ISO 8601 text, epoch seconds or milliseconds) in UTC."""
    return _moment(value).strftime(form)


def _timestamp(value: Json) -> int:
    """Return a moment as whole epoch seconds."""
    return int(_moment(value).timestamp())


def _moment(value: Json) -> datetime:
    try:
        seconds = float(value)
    except ValueError:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= 1e11 else seconds, UTC)


def _json(value: Json) -> str:
    return dump(value).decode()


_FILTERS: dict[str, Callable[..., Json]] = {
    "urlencode": lambda value: minijinja.safe(quote(write(value), safe="")),
    "json": _json,
    "tojson": _json,
    "base64": lambda value: base64.b64encode(write(value).encode()).decode(),
    "date": _date,
    "timestamp": _timestamp,
}
