"""Loops of shells around a request: what they go through becomes the list of their variable."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from swath.importers.globs import count
from swath.importers.holes import has_hole, hole
from swath.importers.imported import Draft
from swath.importers.sent import Sent
from swath.importers.words import Command

#: What may stand before a command of a loop or a condition, and what ends one.
_LEADING: Final = frozenset(["do", "then", "else", "{", "time", "!"])
_ENDS: Final = frozenset(["done", "fi", "}", ")"])
_BRACES: Final = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")
#: What xargs puts in the place of a value, where it is told.
_PLACE: Final = re.compile(r"-I(.*)|--replace(?:=(.*))?")
_ITEM: Final = "item"
_ARRAY: Final = re.compile(r"^[ \t]*(?:declare -a )?(\w+)=\(([^()]*)\)[ \t]*(?:;|$)", re.MULTILINE)
_ELEMENTS: Final = re.compile(r"\"?\$\{(\w+)\[[@*]\]\}\"?")
_COUNTING: Final = re.compile(
    r"\bfor\s*\(\(\s*(\w+)\s*=\s*(\d+)\s*;\s*\1\s*(<=?)\s*(\d+)\s*;\s*(?:\1\s*\+\+|\+\+\s*\1)\s*\)\)"
)


def spell_out(script: str) -> str:
    """Return a script of bash with its arrays where they are used, and counting loops over their numbers."""
    arrays = {found[1]: found[2] for found in _ARRAY.finditer(script)}
    if arrays:
        script = _ELEMENTS.sub(lambda found: arrays.get(found[1], found[0]), _ARRAY.sub("", script))
    return _COUNTING.sub(_count, script)


def _count(found: re.Match[str]) -> str:
    last = int(found[4]) - (found[3] == "<")
    return f"for {found[1]} in {{{found[2]}..{last}}}" if int(found[2]) <= last else f"for {found[1]} in"


class Loops:
    """The loops of a script that have been entered so far, and the lists that they go through."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.lists: dict[str, list[str]] = {}

    def enter(self, command: Command) -> Command | None:
        """Return what a command says apart from loops, if anything."""
        words = list(command.words)
        while words and words[0] in _LEADING:
            del words[0]
        if not words or words[0] in _ENDS:
            return None
        if words[0] == "for" and words[2:3] == ["in"] and words[1].isidentifier():
            self._go_through(words[1], words[3:])
            return None
        if words[0] == "while" and "read" in words:
            for name in filter(str.isidentifier, words[words.index("read") + 1 :]):
                self._lack(name)
            return None
        return self._each(command, words) if words[0] == "xargs" else replace(command, words=words)

    def lists_in(self, sent: Sent) -> dict[str, list[str]]:
        """Return the lists whose variables a request has."""
        texts = f"{sent.url} {sent.headers} {sent.body} {sent.multipart}"
        return {name: values for name, values in self.lists.items() if has_hole(name, texts)}

    def _go_through(self, name: str, words: Sequence[str]) -> None:
        values = [value for word in words for value in _expanded(word)]
        self.lists.pop(name, None)
        if values and not any("{{" in value or "$" in value for value in values):
            self.lists[name] = values
        else:
            self._lack(name)

    def _lack(self, name: str) -> None:
        self.draft.note(
            f"What the loop goes through as {name} is not known here: map {{{{{name}}}}} to a list, or give "
            f"it with --input {name}=@FILE."
        )

    def _each(self, command: Command, words: list[str]) -> Command:
        """Return the command that xargs runs for each value that it is fed."""
        start = next((n for n, word in enumerate(words) if word.startswith("curl")), len(words))
        found = [_PLACE.fullmatch(word) for word in words[:start]]
        place = next(((each[1] or each[2] or words[n + 1]) for n, each in enumerate(found) if each), None)
        inner = [word.replace(place, hole(_ITEM)) if place else word for word in words[start:]]
        fed = (command.stdin or "").split()
        if fed:
            self.lists[_ITEM] = fed
        else:
            self._lack(_ITEM)
        return replace(command, words=inner if place else [*inner, hole(_ITEM)], stdin=None)


def _expanded(word: str) -> Iterator[str]:
    """Yield what bash makes of a word with braces."""
    found = _BRACES.search(word)
    if found is None:
        yield word
        return
    if found[3] is not None:
        values: Sequence[object] = found[3].split(",")
    else:
        first, last = int(found[1]), int(found[2])
        values = count(first, last, 1 if first <= last else -1, found[0])
    for value in values:
        yield from _expanded(f"{word[: found.start()]}{value}{word[found.end() :]}")
