"""One string with `{{ name }}` holes, compiled for the place where it stands.

A *place* says how a value is written there: a path segment, a query or form value, a header, plain text.
Most strings are plain text with simple holes and become string joins; everything else goes through minijinja,
strict, with fuel, and with the same encoding applied to whatever an expression puts out. So no template,
however it is written, places a value unencoded.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import minijinja

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.request.encoding import Encode, dump
from swath.flow.request.expressions import (
    FILTERS,
    Values,
    capturing,
    environment_for,
    explain_error,
    rendering,
    try_out,
)

__all__ = ["TAG", "UNSET", "Templates", "Text", "Values", "dump", "split_holes", "whole_variable"]

#: One `{{ ... }}` or `{% ... %}`, with its quoted strings skipped.
TAG: Final = re.compile(
    r"""\{\{(?:"[^"]*"|'[^']*'|(?!\}\}).)*\}\}|\{%(?:"[^"]*"|'[^']*'|(?!%\}).)*%\}""", re.DOTALL
)
_NAME = re.compile(r"[^\W\d]\w*")
_FILTERED = re.compile(rf"\{{\{{-?\s*([^\W\d]\w*)\s*\|\s*(?:{'|'.join(FILTERS)})\b")
_KEYWORDS = frozenset({"true", "false", "none", "True", "False", "None"})


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
            raise ValueError(explain_error(error)) from None
        try_out(jinja, title, names)
        tag = TAG.fullmatch(text)
        value = capturing(text, names) if tag and text.startswith("{{") else None
        return Text(rendering(jinja, title, names), names, _filtered(text) & names, value=value)

    def _jinja(self, encode: Encode) -> minijinja.Environment:
        if encode not in self._jinjas:
            self._jinjas[encode] = environment_for(encode)
        return self._jinjas[encode]


def _filtered(text: str) -> frozenset[str]:
    """Return the variables that go into one of our filters first: these take nothing for an empty text."""
    if "{%" in text:
        return frozenset()
    found = (_FILTERED.match(tag[0]) for tag in TAG.finditer(text) if " if " not in tag[0])
    return frozenset(match[1] for match in found if match)


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
