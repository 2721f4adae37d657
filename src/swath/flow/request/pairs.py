"""Names with values, as query strings and forms hold them: what is repeated, left out, encoded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

from swath.flow.definition import Json
from swath.flow.request.encoding import encode_later, well_formed, write
from swath.flow.request.template import UNSET, Templates, Text, Values

#: Adds its `name=value` (none, one or several) to the list.
Add = Callable[[Values, list[str]], None]
#: What stays as written in a query, since servers and people expect it so: `filter[name]`, `id,name`, `$top`.
_PLAIN: Final = "-._~$:@,/[]()!*"


def encode_query(value: Json) -> str:
    """Write one name or value of a query string."""
    text = write(value)
    if text.isalnum() and text.isascii():
        return text
    return quote(well_formed(text), safe=_PLAIN)


def encode_form(value: Json) -> str:
    """Write one name or value of a form: `+` stands for a space."""
    return quote_plus(well_formed(write(value)))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Compiles pairs of one kind. `drop_empty`: a value that is one variable and empty is left out."""

    templates: Templates
    encode: Callable[[Json], str]
    drop_empty: bool
    keep_unset: bool

    def compile(self, pairs: Mapping[str, Json], field: str) -> list[Add]:
        return [a for name, value in pairs.items() for a in self._pair(name, value, f"{field}.{name}")]

    def written(self, name: str, text: Text) -> Add:
        """Compile a pair whose name and text stand encoded already, in a URL's own query."""
        return self._whole(f"{name}=", text.whole) if text.whole else _append(f"{name}=", text.render)

    def _pair(self, name: str, value: Json, field: str) -> Iterator[Add]:
        if isinstance(value, list | tuple):
            for each in value:
                yield from self._pair(name, each, field)
        elif value is not None:
            yield self._single(f"{self.encode(name)}=", value, field)

    def _single(self, prefix: str, value: Json, field: str) -> Add:
        encode = self.encode
        if not isinstance(value, str):
            return _constant(prefix + encode(value))
        text = self.templates.compile(value, encode_later, field)
        if text.static is not None:
            return _constant(prefix + encode(value))
        if text.whole is not None:
            return self._whole(prefix, text.whole)
        return _append(prefix, lambda values: encode(text.render(values)))

    def _whole(self, prefix: str, name: str) -> Add:
        encode = self.encode

        def add(values: Values, out: list[str]) -> None:
            value = values[name]
            if isinstance(value, list | tuple):
                out.extend(prefix + encode(each) for each in value if each is not None)
            elif not self._leaves_out(value):
                out.append(prefix + encode(value))

        return add

    def _leaves_out(self, value: Json) -> bool:
        if value is UNSET:
            return not self.keep_unset
        return self.drop_empty and (value is None or value == "")


def _constant(pair: str) -> Add:
    return lambda values, out: out.append(pair)


def _append(prefix: str, render: Callable[[Values], str]) -> Add:
    return lambda values, out: out.append(prefix + render(values))


def join_pairs(adds: list[Add], values: Values) -> str:
    out: list[str] = []
    for add in adds:
        add(values, out)
    return "&".join(out)
