"""HTML from values: whatever is put in is text, unless it is markup already."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

#: Elements without an end.
_VOID = frozenset({"input", "br", "hr", "img"})
_STEPS = ((60, "s"), (3600, "min"), (86400, "h"), (86400 * 30, "d"))
_UNITS = ("B", "kB", "MB", "GB", "TB")


#: What stands in a cell that has nothing to say.
NONE = "–"


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Return an element. `class_` is the class, other underscores are hyphens; None and False leave out."""
    parts = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{parts}>")
    return Markup(f"<{name}{parts}>{join(children)}</{name}>")


def join(parts: Iterable[Any], between: str = "") -> Markup:
    return Markup(escape(between)).join(escape(part) for part in parts if part is not None)


def link(text: Any, href: str, **attributes: Any) -> Markup:
    return tag("a", text, href=href, **attributes)


def moment(iso: str | None, now: float, missing: str = "–") -> Markup:
    """Return a time relative to now, the exact one on hover; the page's script keeps it true."""
    if iso is None:
        return tag("span", missing, class_="quiet")
    when = datetime.fromisoformat(iso)
    exact = when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return tag("time", relative(now - when.timestamp()), datetime=iso, title=exact)


def ago(iso: str, now: float) -> str:
    """Return a time relative to now, where only text can stand."""
    return relative(now - datetime.fromisoformat(iso).timestamp())


def relative(seconds: float) -> str:
    """Say how long ago something was: `now`, `12 s ago`, `3 h ago`."""
    if seconds < 5:
        return "now" if seconds > -5 else f"in {span(-seconds)}"
    return f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """Say a length of time in one unit: `12 s`, `3 min`, `2 d`."""
    last = 1
    for end, unit in _STEPS:
        if seconds < end:
            return f"{int(seconds / last)} {unit}"
        last = end
    return f"{int(seconds / 86400)} d"


def lasted(start: str | None, end: str | None) -> str:
    """Say how long something took, two units at most: `4.2 s`, `3 min 12 s`, `2 h 5 min`."""
    if start is None or end is None:
        return "–"
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return stretch(seconds)


def stretch(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def number(value: float) -> str:
    """Write a count with its thousands apart."""
    return f"{value:,}"


def several(count: int, what: str) -> str:
    """Say how many there are of something: `1 row`, `2,000 rows`."""
    return f"{number(count)} {what}" if count == 1 else f"{number(count)} {what}s"


def size(count: float) -> str:
    """Write bytes in the unit that keeps the figure short."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def shorten(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def sentence(text: str) -> str:
    """Write what says what went wrong, and may stand behind other words, as a sentence of its own."""
    return text[:1].upper() + text[1:]


def badge(state: str, text: str | None = None) -> Markup:
    """Return a state as a word, or another text, with a mark of its colour."""
    return tag("span", text or state.replace("_", " "), class_=f"badge is-{state}")


def table(
    caption: str, columns: Sequence[str | tuple[str, str]], rows: Iterable[Sequence[Any]], class_: str = ""
) -> Markup:
    """Return a table. A column is its heading, or heading and class; a cell of numbers has class `num`."""
    heads = [(column, "") if isinstance(column, str) else column for column in columns]
    top = tag("tr", *(tag("th", text, scope="col", class_=kind or None) for text, kind in heads))
    body = [
        tag(
            "tr",
            *(
                tag(
                    "td",
                    cell,
                    class_=f"{kind} none".strip() if cell == NONE else kind or None,
                    data_label=text,
                )
                for cell, (text, kind) in zip(row, heads, strict=True)
            ),
        )
        for row in rows
    ]
    inside = tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", top),
        tag("tbody", *body),
        class_=class_,
    )
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """Return what can be said in pairs of a name and a value."""
    return tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts"
    )


def nothing(heading: str, *advice: Any) -> Markup:
    """Return what stands where there is nothing yet: what it would be, and what to do next."""
    return tag("div", tag("h2", heading), tag("p", *advice), class_="nothing")


def code(text: Any, language: str = "") -> Markup:
    return tag("pre", tag("code", text), class_="code", tabindex="0", data_language=language or None)
