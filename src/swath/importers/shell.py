"""Command lines as shells read them: text in, words out, for bash, cmd.exe and PowerShell.

A variable of the shell (`$TOKEN`, `%TOKEN%`, `$env:TOKEN`) comes out as a `{{TOKEN}}`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from swath.errors import InvalidInput
from swath.flow.request.encoding import well_formed
from swath.importers.holes import hole, identifier

#: `%NAME%`, which bytes of a URL (`%E4%B8`) are not.
_CMD_VARIABLE: Final = re.compile(r"%([A-Za-z_][A-Za-z_]\w+)%(?![0-9A-Fa-f]{2})|%([G-Zg-z_]\w+)%")

Shell = Literal["bash", "cmd", "powershell"]


@dataclass(slots=True)
class Command:
    """The words of one command, what it is fed on its standard input, and what its output goes through."""

    words: list[str] = field(default_factory=list)
    stdin: str | None = None
    piped_into: str = ""


def read_commands(text: str) -> list[Command]:
    """Read all commands of a text. Raises InvalidInput where a quote does not end."""
    text = text.replace("\r\n", "\n")
    shell = guess_shell(text)
    if shell == "cmd":
        return [Command(words=read_cmd(line)) for line in _cmd_lines(text)]
    if shell == "bash":
        return _Bash(text).read()
    commands = PowerShell(text).read()
    for command in commands:
        # To programs, older PowerShells give \" for a quote.
        command.words = [word.replace('\\"', '"') for word in command.words]
    return commands


def guess_shell(text: str) -> Shell:
    """Tell by its escapes and continued lines which shell a command was written for."""
    if re.search(r"\\\n", text):
        return "bash"
    if re.search(r"\^\n|(?<!\S)\^\"", text) or ("'" not in text and _CMD_VARIABLE.search(text)):
        return "cmd"
    if re.search(r"`\n|`\"|\$env:|^\s*curl\.exe\b", text, re.MULTILINE):
        return "powershell"
    return "bash"


class _Reader:
    """Reads characters into words and words into commands; a shell says what its characters mean."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.word: str | None = None
        self.command = Command()
        self.commands: list[Command] = []

    def read(self) -> list[Command]:
        while self.at < len(self.text):
            self.step(self.text[self.at])
        self.end_command()
        return self.commands

    def step(self, char: str) -> None:
        raise NotImplementedError

    def add(self, text: str, length: int = 1) -> None:
        self.word = (self.word or "") + text
        self.at += length

    def end_word(self) -> None:
        if self.word is not None:
            self.command.words.append(_join_bytes(self.word))
            self.word = None

    def end_command(self) -> None:
        self.end_word()
        if self.command.words:
            self.commands.append(self.command)
        self.command = Command()

    def rest_of_line(self) -> str:
        end = self.text.find("\n", self.at)
        line = self.text[self.at : end if end >= 0 else len(self.text)]
        self.at += len(line)
        return line.strip()

    def open_quote(self, mark: str, start: int) -> InvalidInput:
        line = self.text.count("\n", 0, start) + 1
        column = start - self.text.rfind("\n", 0, start)
        return InvalidInput(
            "command",
            f"The quote {mark} at line {line}, column {column} is not closed. Copy the whole command.",
        )

    def take_until(self, end: str, inner: Callable[[str], None]) -> None:
        """Read a quoted part that begins here, handing characters to `inner` until `end`."""
        start = self.at
        self.add("")
        while self.at < len(self.text):
            if self.text[self.at] == end:
                self.at += 1
                return
            inner(self.text[self.at])
        raise self.open_quote(end, start)


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


class _Bash(_Reader):
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


def _join_bytes(word: str) -> str:
    """Join the bytes that `$'\\xc3\\xa9'` writes one by one into characters."""
    if word.isascii():
        return word
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return well_formed(word)


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
    r"\$(?:(?:env|script|global):)?([A-Za-z_]\w*)|\$\{(?:env:)?(\w+)\}", re.IGNORECASE
)
_POWER_CHAR: Final = re.compile(r"\$\(\[char\]\s*(0x[0-9a-f]+|\d+)\)", re.IGNORECASE)


class PowerShell(_Reader):
    """Reads words; `string` reads one quoted text alone."""

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
            self.add(hole(found[1] or found[2]), len(found[0]))
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


def _cmd_lines(text: str) -> list[str]:
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
        variable = _CMD_VARIABLE.match(text, at)
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
