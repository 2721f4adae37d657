"""Command lines as cmd.exe and PowerShell read them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from swath.errors import InvalidInput
from swath.importers.globs import count
from swath.importers.holes import hole, identifier
from swath.importers.words import Reader, substitution

#: `%NAME%`, which bytes of a URL (`%E4%B8`) are not.
CMD_VARIABLE: Final = re.compile(r"%([A-Za-z_][A-Za-z_]\w+)%(?![0-9A-Fa-f]{2})|%([G-Zg-z_]\w+)%")
#: A loop of cmd: what it goes through (`/L`, `/F`), the letter of its variable, and its list.
CMD_LOOP: Final = re.compile(
    r"\bfor[ \t]+(?:/([A-Z])[ \t]+(?:\"[^\"\n]*\"[ \t]+)?)?(%%?)([A-Z])"
    r"[ \t]+in[ \t]*\(([^)]*)\)\s*do\b[\s^(@]*",
    re.IGNORECASE,
)
_CMD_ITEM: Final = re.compile(r'"[^"]*"|[^\s,;="]+')
_POWER_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_POWER_VARIABLE: Final = re.compile(
    r"\$(?:(?:env|script|global):)?([A-Za-z_]\w*)|\$\{(?:env:)?(\w+)\}"
    r"|\$\(\s*\$(?:env:)?(\w+)\s*\)",
    re.IGNORECASE,
)
_POWER_CHAR: Final = re.compile(r"\$\(\[char\]\s*(0x[0-9a-f]+|\d+)\)", re.IGNORECASE)


class PowerShell(Reader):
    """Reads words; `string` reads one quoted text alone.

    `known` are what a script gave to variables, `compute` says what stands for the inside of a `$(...)`.
    """

    def __init__(
        self,
        text: str,
        known: Mapping[str, object] | None = None,
        compute: Callable[[str], str] = lambda inside: hole(identifier(inside[:40])),
    ) -> None:
        super().__init__(text)
        self.known = known or {}
        self.compute = compute

    def here_string(self, text: str) -> str:
        """Return a text without quotes around it, its escapes and variables read."""
        self.text, self.at, self.word = text, 0, None
        while self.at < len(self.text):
            self.inside(self.text[self.at])
        return self.word or ""

    def string(self, at: int) -> tuple[str, int]:
        """Return the quoted text that begins at a position, and where it ends."""
        self.at, self.word = at, None
        self.step(self.text[at])
        word, self.word = self.word or "", None
        return word, self.at

    def step(self, char: str) -> None:
        if char == "`" and self.text[self.at + 1 : self.at + 2] == "\n":
            self.at += 2
        elif char in "\n;":
            self.at += 1
            self.end_command()
        elif char.isspace():
            self.end_word()
            self.at += 1
        elif char == "'":
            self._single()
        elif char == '"':
            self._double()
        elif char == "#" and self.word is None:
            self.rest_of_line()
        elif char == "|":
            self.at += 1
            self.command.piped_into = self.rest_of_line()
        else:
            self.inside(char)

    def inside(self, char: str) -> None:
        """Read a character outside of quotes or inside of double ones."""
        following = self.text[self.at + 1 : self.at + 2]
        if char == "`" and following:
            self.add(_POWER_ESCAPES.get(following, following), 2)
        elif found := _POWER_CHAR.match(self.text, self.at):
            self.add(chr(int(found[1], 0)), len(found[0]))
        elif found := _POWER_VARIABLE.match(self.text, self.at):
            name = found[1] or found[2] or found[3]
            value = self.known.get(name.lower())
            self.add(value if isinstance(value, str) else hole(name), len(found[0]))
        elif char == "$" and following == "(" and (inside := substitution(self.text, self.at)):
            self.add(self.compute(inside[2:-1]), len(inside))
        else:
            self.add(char)

    def _single(self) -> None:
        self.take_until("'", self.add)
        while self.text.startswith("'", self.at):  # '' is a quote
            self.add("'", 0)
            self.take_until("'", self.add)

    def _double(self) -> None:
        self.take_until('"', self.inside)
        while self.text.startswith('"', self.at):
            self.add('"', 0)
            self.take_until('"', self.inside)


def spell_out_cmd(script: str) -> str:
    """Return a script of cmd with its loops as a line each, `for x in 1 2`, and their variables as holes."""
    spelled, end, marks = "", 0, dict[str, str]()
    for loop in CMD_LOOP.finditer(script):
        kind, sign, letter, listed = loop.groups()
        spelled += _fill_letters(script[end : loop.start()], marks)
        marks[letter] = sign
        values = " ".join(_go_through(kind, _fill_letters(listed, marks)))
        spelled += f"\nfor {letter} in {values}\n" if values else f"\nwhile read {letter}\n"
        end = loop.end()
    return spelled + _fill_letters(script[end:], marks)


def _fill_letters(text: str, marks: Mapping[str, str]) -> str:
    """Put holes in the places of loops' variables: `%%i`, `%%~i` for it without quotes, at a prompt `%i`."""
    for letter, sign in marks.items():
        text = re.sub(rf"{sign}~?{letter}", hole(letter), text)
    return text


def _go_through(kind: str | None, listed: str) -> Iterator[str]:
    """Yield the values of a loop in quotes; none where only the machine that it runs on knows them."""
    words = _CMD_ITEM.findall(listed)
    if kind is None and not any(mark in listed for mark in "*?"):
        yield from (word if word[0] == '"' else f'"{word}"' for word in words)
    elif kind in ("l", "L") and len(words) == 3 and all(re.fullmatch(r"-?\d{1,18}", word) for word in words):
        first, step, last = map(int, words)
        yield from (f'"{number}"' for number in count(first, last, step or 1, f"({listed})"))


def cmd_lines(text: str) -> list[str]:
    """Apply cmd's own escapes, and split into commands. `\0` marks what was escaped."""
    lines, line, at, quoted = [], "", 0, False
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        if char == "^" and not quoted:
            escaped = text[at + 2 : at + 3] if following == "\n" else following
            # A caret continues the line; the character after it is taken as it is.
            line += escaped
            at += 2 + (following == "\n")
            continue
        variable = CMD_VARIABLE.match(text, at)
        if variable:
            line += hole(variable[1] or variable[2])
            at += len(variable[0])
            continue
        if char == "%" and following in "%^" and following:
            line += "%"
            at += 2
            continue
        if char == '"':
            quoted = not quoted
        if char == "\n" or (char in "&|" and not quoted):
            lines.append(line)
            line, quoted = "", False
        else:
            line += char
        at += 1
    return [each for each in [*lines, line] if each.strip()]


_CRT: Final = re.compile(r'(\\*)("?)')


def read_cmd(line: str) -> list[str]:
    r"""Split a line as programs on Windows do: `\"` and, inside quotes, `""` are a quote."""
    words: list[str] = []
    word: str | None = None
    at, quoted = 0, False
    while at < len(line):
        char = line[at]
        if char in " \t\n" and not quoted:
            if word is not None:
                words.append(word)
            word, at = None, at + 1
            continue
        found = _CRT.match(line, at)
        slashes, mark = (found[1], found[2]) if found else ("", "")
        if not mark:
            word = (word or "") + (slashes or char)
            at += len(slashes) or 1
            continue
        word = (word or "") + "\\" * (len(slashes) // 2)
        at += len(slashes) + 1
        if len(slashes) % 2:
            word += '"'
        elif quoted and line.startswith('"', at):
            word += '"'
            at += 1
        else:
            quoted = not quoted
    if quoted:
        raise InvalidInput("command", 'A quote " is not closed. Copy the whole command.')
    return [*words, word] if word is not None else words
