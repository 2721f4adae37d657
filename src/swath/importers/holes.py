"""Texts with `{{holes}}`: what is literal stays so, and holes survive the reading of URLs and JSON."""

import re
from typing import Final
from urllib.parse import quote_plus

from swath.flow.request.encoding import encode_text
from swath.flow.request.template import TAG, Templates

_OPENING: Final = re.compile(r"\{\{|\{%")
_KEPT: Final = re.compile(r'\{\{ "(\{\{|\{%)" \}\}|\{\{(?=x9Hole)|\{(?=%)')
_SIMPLE: Final = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_ENCODED: Final = re.compile(r"\{\{ ([A-Za-z_]\w*) \| urlencode \}\}")
_VEILED: Final = re.compile(r"x9Hole(\d+)x9")
_NO_WORD: Final = re.compile(r"\W+", re.ASCII)


def literal(text: str) -> str:
    """Return a template whose outcome is the text, whatever braces it holds."""
    return _OPENING.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def plain_braces(address: str) -> str:
    """Return an address, covered or not, with the braces encoded that would open an expression."""
    return _KEPT.sub(lambda found: (found[1] or found[0]).replace("{", "%7B"), address)


def with_holes(text: str) -> str:
    """Return a template in which `{{name}}` is a variable and every other brace is literal."""
    parts = _SIMPLE.split(text)
    return "".join(f"{{{{{part}}}}}" if n % 2 else literal(part) for n, part in enumerate(parts))


def variables_of(text: str) -> frozenset[str]:
    """Return the variables that a template uses."""
    return Templates().compile(text, encode_text, "text").names


def hole(name: str) -> str:
    return f"{{{{{name}}}}}"


def has_hole(name: str, text: str) -> bool:
    """Tell whether a variable fills a hole of a text, as it is or encoded."""
    return hole(name) in text or f"{{{{ {name} | urlencode }}}}" in text


def identifier(text: str, default: str = "value") -> str:
    """Return a name that a hole can hold."""
    name = _NO_WORD.sub("_", text).strip("_")
    return (f"_{name}" if name[:1].isdigit() else name) or default


def encode_form(text: str) -> str:
    """Write a value of a form; what fills its holes is encoded, too, wherever it stands (see `by_place`)."""
    parts = _SIMPLE.split(text)
    return "".join(
        f"{{{{ {part} | urlencode }}}}" if n % 2 else quote_plus(part) for n, part in enumerate(parts)
    )


def by_place(template: str) -> str:
    """Return a template for a form or a query, whose holes are encoded by their place."""
    return _ENCODED.sub(r"{{\1}}", template)


class Veil:
    """Puts plain words in place of holes, so that parsers of URLs, forms and JSON leave them alone."""

    def __init__(self) -> None:
        self.tags: list[str] = []

    def cover(self, text: str) -> str:
        return TAG.sub(self._cover, text)

    def _cover(self, tag: re.Match[str]) -> str:
        self.tags.append(tag[0])
        return f"x9Hole{len(self.tags) - 1}x9"

    def lift(self, text: str) -> str:
        return _VEILED.sub(lambda found: self.tags[int(found[1])], text)

    def is_whole(self, text: str) -> bool:
        """Tell whether a covered text is one hole and nothing else."""
        return _VEILED.fullmatch(text) is not None

    def hides(self, text: str) -> bool:
        return _VEILED.search(text) is not None
