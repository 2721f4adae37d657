"""Templates that are more than holes: minijinja, strict, with fuel, and silent about values."""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

import minijinja

from swath.errors import ItemFailed
from swath.flow.definition import Json
from swath.flow.request.encoding import Encode, dump, encode_later, encode_part, write

Values = Mapping[str, Json]

_ENCODED = re.compile(r"(?:[\w.~-]|%[0-9A-Fa-f]{2})*", re.ASCII)
#: Steps that one template may take, and characters it may make: far above honest use.
_FUEL: Final = 100_000


def environment_for(encode: Encode) -> minijinja.Environment:
    """Return an environment in which every expression's value is written by `encode`."""
    return _environment(_finisher(encode))


def _environment(finish: Callable[[Json], str]) -> minijinja.Environment:
    # Without `debug`, since its messages print the variables' values, secrets among them.
    jinja = minijinja.Environment(
        debug=False,
        fuel=_FUEL,
        undefined_behavior="strict",
        finalizer=finish,
        keep_trailing_newline=True,
        comment_start_string="{#\0",  # `{#` begins a comment in GraphQL too
        filters=FILTERS,
    )
    jinja.remove_global("debug")
    jinja.remove_filter("safe")
    return jinja


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


def rendering(jinja: minijinja.Environment, title: str, names: frozenset[str]) -> Callable[[Values], str]:
    def render(values: Values) -> str:
        context = {name: values[name] for name in names if name in values}
        try:
            return str(jinja.render_template(title, **context))
        except minijinja.TemplateError as error:
            raise _item_error(error, names - context.keys()) from None
        except (ValueError, TypeError, OverflowError):  # its text would tell the value
            raise ItemFailed("template_error", "a filter of a template cannot use its value") from None

    return render


def capturing(text: str, names: frozenset[str]) -> Callable[[Values], Json]:
    """Return a function that gives the value of a template's only expression, with its type."""
    caught: list[Json] = []

    def catch(value: Json) -> str:
        caught.append(value)
        return ""

    jinja = _environment(catch)
    jinja.add_template("value", text)
    render = rendering(jinja, "value", names)

    def value(values: Values) -> Json:
        caught.clear()
        render(values)
        return caught.pop()

    return value


def explain_error(error: minijinja.TemplateError) -> str:
    return f"{error.kind}: {error.detail}" if error.detail else str(error.message)


def _item_error(error: minijinja.TemplateError, missing: Collection[str]) -> ItemFailed:
    """Say what was wrong, but not the details: they may tell values."""
    if error.kind == "UndefinedError":
        what = ", ".join(sorted(missing)) or "a part of a value"
        return ItemFailed("input_missing", f"the template needs {what}, which has no value")
    return ItemFailed("template_error", f"a template could not be filled ({error.kind})")


def try_out(jinja: minijinja.Environment, title: str, names: Collection[str]) -> None:
    """Refuse filters, tests and functions that do not exist: minijinja tells of them only when it renders."""
    try:
        jinja.render_template(title, **dict.fromkeys(names, "1"))
    except minijinja.TemplateError as error:
        if error.kind in ("UnknownFilter", "UnknownTest", "UnknownFunction"):
            raise ValueError(explain_error(error)) from None
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


#: Ours, beside those of minijinja.
FILTERS: Final[dict[str, Callable[..., Json]]] = {
    "urlencode": lambda value: minijinja.safe(quote(write(value), safe="")),
    "json": _json,
    "tojson": _json,
    "base64": lambda value: base64.b64encode(write(value).encode()).decode(),
    "date": _date,
    "timestamp": _timestamp,
}
