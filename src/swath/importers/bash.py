"""Command lines as bash reads them."""

import re
from typing import Final

from swath.errors import InvalidInput
from swath.importers.holes import hole, identifier
from swath.importers.words import Reader

_ANSI: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}
_ANSI_CODE: Final = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})")
_VARIABLE: Final = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-=?+])([^}]*))?\})")
_HEREDOC: Final = re.compile(r"<<-?\s*(?:'(\w+)'|\"(\w+)\"|\\?(\w+))")


class Bash(Reader):
    """Reads words as bash does; variables and substitutions come out as holes."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.heredoc: str | None = None

    def step(self, char: str) -> None:
        if char == "\n":
            self._end_line()
        elif char.isspace():
            self.end_word()
            self.at += 1
        elif char == "\\":
            self._escape(self.text[self.at + 1 : self.at + 2])
        elif char == "'":
            self.take_until("'", self.add)
        elif char == '"' or self.text.startswith('$"', self.at):
            self.at += char == "$"
            self.take_until('"', self._in_double)
        elif self.text.startswith("$'", self.at):
            self.at += 1
            self.take_until("'", self._in_ansi)
        elif char in "$`":
            self._expand(char)
        elif char == "#" and self.word is None:
            self.rest_of_line()
        else:
            self._operator(char)

    def _end_line(self) -> None:
        self.at += 1
        if self.heredoc is not None:
            found = re.search(rf"^\t*{re.escape(self.heredoc)}$", self.text[self.at :], re.MULTILINE)
            if found is None:
                raise InvalidInput("command", f"The text after << does not end with {self.heredoc}.")
            self.command.stdin = self.text[self.at : self.at + found.start()]
            self.at += found.end()
            self.heredoc = None
        self.end_command()

    def _escape(self, following: str) -> None:
        if following == "\n":
            self.at += 2
        else:
            self.add(following, 1 + len(following))

    def _in_double(self, char: str) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if char == "\\" and following == "\n":
            self.at += 2
        elif char == "\\" and following in ("$", "`", '"', "\\"):
            self.add(following, 2)
        elif char in "$`":
            self._expand(char)
        else:
            self.add(char)

    def _in_ansi(self, char: str) -> None:
        if char != "\\":
            self.add(char)
            return
        following = self.text[self.at + 1 : self.at + 2]
        code = _ANSI_CODE.match(self.text, self.at + 1)
        if code:
            digits = code[1] or code[2] or code[3]
            number = int(digits, 16) if digits else int(code[4], 8)
            self.add(_character(number, is_byte=code[1] is not None or code[4] is not None), 1 + len(code[0]))
        elif following == "c":
            self.add(chr(ord(self.text[self.at + 2 : self.at + 3] or "@") & 0x1F), 3)
        else:
            self.add(_ANSI.get(following, following if following in "\\'\"?" else "\\" + following), 2)

    def _expand(self, char: str) -> None:
        found = _VARIABLE.match(self.text, self.at)
        if found:
            self.add(hole(found[1] or found[2]), len(found[0]))
        elif char == "`" or self.text.startswith("$(", self.at):
            inside = _substitution(self.text, self.at)
            if inside is None:
                raise self.open_quote(char, self.at)
            self.add(hole(identifier(inside.strip("`$()"))[:40].strip("_")), len(inside))
        else:
            self.add(char)

    def _operator(self, char: str) -> None:
        heredoc = _HEREDOC.match(self.text, self.at)
        if char in ";&" or (char in "()" and self.word is None):
            self.end_command()
            self.at += 1
        elif char == "|":
            self.at += 1
            self.end_word()
            self.command.piped_into = self.rest_of_line().lstrip("|& ")
        elif heredoc and not self.text.startswith("<<<", self.at):
            self.end_word()
            self.heredoc = heredoc[1] or heredoc[2] or heredoc[3]
            self.at += len(heredoc[0])
        elif char in "<>":
            self._redirect()
        else:
            self.add(char)

    def _redirect(self) -> None:
        """Leave out where output goes to."""
        if self.word is not None and self.word.isdigit():
            self.word = None
        self.end_word()
        found = re.compile(r"(?:<<<|[<>]+[&|]?)\s*(?:'[^']*'|\"[^\"]*\"|[^\s;|&]*)").match(self.text, self.at)
        self.at += len(found[0]) if found else 1


def _character(number: int, *, is_byte: bool) -> str:
    """Return what an escape stands for; bytes above 127 are kept apart until the word is whole."""
    return chr(0xDC00 + number) if is_byte and number > 127 else chr(number)


def _substitution(text: str, start: int) -> str | None:
    """Return a `$(...)` or `` `...` `` as it stands."""
    if text[start] == "`":
        end = text.find("`", start + 1)
        return text[start : end + 1] if end > 0 else None
    depth = 0
    for at in range(start + 1, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return text[start : at + 1]
    return None
