"""Values as the cells of a CSV file, one by one or by the column."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from swath.flow.columns import Column
from swath.flow.definition import Json
from swath.flow.fragments import escape_marks, has_marks, quote

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PLAIN = {str}
_TEXT_OR_NOTHING = {str, type(None), UnsetType}
_WHOLE = {int}


class CellWriter:
    """Writes cells; `guarded`: texts that a spreadsheet would run as formulas get an apostrophe."""

    def __init__(self, guarded: bool = False) -> None:
        self._guarded = guarded

    def write(self, value: Json) -> str:
        """Write a scalar. Numbers with a fraction come as the text that they are."""
        text = cell_text(value)
        if self._guarded and type(value) is str:
            text = guard(text)
        return quote(escape_marks(text) if has_marks(text) else text)

    def write_column(self, column: Column) -> Sequence[str]:
        """Write a column at once; a value that is UNSET is an empty cell."""
        values, kinds = column.values, column.kinds
        if kinds == _WHOLE:
            return list(map(str, values))
        if not kinds <= _TEXT_OR_NOTHING:
            return ["" if value is UNSET else self.write(value) for value in values]
        texts: Sequence[Any] = values if kinds == _PLAIN else [value or "" for value in values]
        if self._guarded or _needs_care("".join(texts)):
            return list(map(self.write, texts))
        return texts


def _needs_care(text: str) -> bool:
    return "," in text or '"' in text or "\n" in text or "\r" in text or has_marks(text)


def cell_text(value: Json) -> str:
    """Return a scalar as a cell's text."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def guard(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula. Numbers stay numbers."""
    return "'" + text if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
