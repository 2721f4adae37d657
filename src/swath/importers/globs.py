"""curl's own lists in URLs: `{a,b}` and `[1-10]` become variables with a collection each."""

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swath.errors import InvalidInput
from swath.importers.holes import Veil, hole, identifier

#: As many values may a range have.
MOST_VALUES: Final = 100_000
_GLOB: Final = re.compile(r"\{([^{}]*)\}|\[(\d+)-(\d+)(?::(\d+))?\]|\[([A-Za-z])-([A-Za-z])(?::(\d+))?\]")
_ESCAPED: Final = re.compile(r"\\([\[\]{}])")
_FIRST: Final = 0xE000
_BEFORE: Final = re.compile(r"(?:([\w.-]+)=|[^/]/([\w.-]+)/)$")


@dataclass(frozen=True, slots=True)
class Spread:
    """A URL with a variable for each list in it. `named` are those that only a name stood for."""

    url: str
    lists: dict[str, list[str]]
    named: tuple[str, ...]


def spread(url: str) -> Spread:
    """Put a variable in place of each list of a URL. Raises InvalidInput for a range that is too long.

    Brackets behind a backslash, as browsers copy those of a query, are none of a list.
    """
    veil, lists, named = Veil(), dict[str, list[str]](), list[str]()
    covered = _ESCAPED.sub(lambda found: chr(_FIRST + ord(found[1])), veil.cover(url))
    pieces, at = [], 0
    for found in _GLOB.finditer(covered):
        pieces.append(covered[at : found.start()])
        at = found.end()
        if found[1] is not None and "," not in found[1]:
            name = identifier(found[1], "value")
            named.append(name)
        else:
            before = _BEFORE.search(covered[: found.start()])
            name = _free(identifier((before[1] or before[2]) if before else "value"), lists)
            lists[name] = list(_values(found))
        pieces.append(hole(name))
    whole = "".join(pieces) + covered[at:]
    for bracket in "[]{}":
        whole = whole.replace(chr(_FIRST + ord(bracket)), bracket)
    return Spread(veil.lift(whole), lists, tuple(named))


def count(first: int, last: int, step: int, shown: str) -> range:
    """Return the numbers of a range, its last one among them. Raises InvalidInput where it is too long."""
    if (last - first) // step >= MOST_VALUES:
        raise InvalidInput(
            "command", f"The range {shown} has more than {MOST_VALUES:,} values. Use a collection."
        )
    return range(first, last + (1 if step > 0 else -1), step)


def _values(found: re.Match[str]) -> Iterator[str]:
    if found[1] is not None:
        yield from found[1].split(",")
        return
    if found[5] is not None:
        letters = string.ascii_letters
        yield from letters[letters.index(found[5]) : letters.index(found[6]) + 1 : int(found[7] or 1)]
        return
    numbers = count(int(found[2]), int(found[3]), max(int(found[4] or 1), 1), found[0])
    width = len(found[2]) if found[2].startswith("0") else 0
    yield from (str(number).zfill(width) for number in numbers)


def _free(name: str, taken: dict[str, list[str]]) -> str:
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789')}{number}", number + 1
    return name
