"""Characters read into words and words into commands; what a character means is a shell's affair."""

from collections.abc import Callable
from dataclasses import dataclass, field

from swath.errors import InvalidInput
from swath.flow.request.encoding import well_formed


@dataclass(slots=True)
class Command:
    """The words of one command, what it is fed on its standard input, and what its output goes through."""

    words: list[str] = field(default_factory=list)
    stdin: str | None = None
    #: The file whose content it is fed.
    stdin_file: str = ""
    piped_into: str = ""
    #: What stands for variables that are not set: `${NAME:-this}`.
    defaults: dict[str, str] = field(default_factory=dict)


class Reader:
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


def _join_bytes(word: str) -> str:
    """Join the bytes that `$'\\xc3\\xa9'` writes one by one into characters."""
    if word.isascii():
        return word
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return well_formed(word)


def substitution(text: str, start: int) -> str | None:
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
