"""Command lines as bash reads them."""

import re
from collections.abc import Sequence
from typing import Final

from swath.errors import InvalidInput
from swath.importers.globs import count
from swath.importers.holes import hole, identifier
from swath.importers.words import Command, Reader, substitution

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
#: What a function or a script is called with.
_ARGUMENT: Final = re.compile(r"\$\{?([1-9])\}?")
_HEREDOC: Final = re.compile(r"<<(-?)\s*(?:'(\w+)'|\"(\w+)\"|\\(\w+)|(\w+))")
_CAT: Final = re.compile(
    r"\$\(\s*cat\s*(<<-?\s*(['\"\\]?)(\w+)['\"]?)[ \t]*\n(.*?)^\t*\3\s*\)", re.DOTALL | re.MULTILINE
)
#: `users/<user_id>/posts`, as documentation has it: inside of a word nobody redirects twice.
_PLACEHOLDER: Final = re.compile(r"<[A-Za-z][\w-]*>")
_REDIRECT: Final = re.compile(r"(<<<|[<>]+[&|]?)\s*")
_LOOP: Final = re.compile(r"(?:do )*for ([A-Za-z_]\w*) in")
_SEQUENCE: Final = re.compile(r"\s*seq\s+(\d+)(?:\s+(\d+))?(?:\s+(\d+))?\s*")
_ASSIGNED: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_DECLARES: Final = frozenset(["export", "declare", "local", "readonly", "typeset", "-x"])


class Bash(Reader):
    """Reads words as bash does; variables come out as they were set before, else as holes."""

    def __init__(self, text: str, known: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.known = {} if known is None else known
        self.heredoc: re.Match[str] | None = None

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
            self._expand(char, split=True)
        elif char == "#" and self.word is None:
            self.rest_of_line()
        else:
            self._operator(char)

    def _end_line(self) -> None:
        self.at += 1
        if self.heredoc is not None:
            mark = next(filter(None, self.heredoc.groups()[1:]))
            found = re.search(rf"^\t*{re.escape(mark)}$", self.text[self.at :], re.MULTILINE)
            if found is None:
                raise InvalidInput("command", f"The text after << does not end with {mark}.")
            text = self.text[self.at : self.at + found.start()]
            self.command.stdin = self._here(text, self.heredoc[0])
            self.at += found.end()
            self.heredoc = None
        self.end_command()

    def _here(self, text: str, opening: str) -> str:
        """Return a here-document: without tabs after `<<-`, variables filled where the mark is bare."""
        if opening.startswith("<<-"):
            text = re.sub(r"^\t+", "", text, flags=re.MULTILINE)
        return text if re.search(r"['\"\\]", opening) else self._filled(text)

    def _filled(self, text: str) -> str:
        inner = Bash(text, self.known)
        while inner.at < len(text):
            char = text[inner.at]
            if text.startswith('\\"', inner.at):  # here a quote is no quote
                inner.add(char)
            else:
                inner._in_double(char)
        self.command.defaults.update(inner.command.defaults)
        return inner.word or ""

    def end_command(self) -> None:
        """Keep what a command of assignments only sets, instead of the command."""
        self.end_word()
        words = [word for word in self.command.words if word not in _DECLARES]
        found = [_ASSIGNED.fullmatch(word) for word in words]
        if words and all(found):
            self.known.update((each[1], each[2]) for each in found if each)
            self.command = Command()
        if loop := _LOOP.match(" ".join(words)):  # what was set before has another value in it
            self.known.pop(loop[1], None)
        super().end_command()

    def _escape(self, following: str) -> None:
        """Read what a backslash escapes; one that only blanks part from the line's end was to continue it."""
        continued = re.compile(r"\\[ \t]*\n").match(self.text, self.at)
        if continued:
            self.at = continued.end()
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

    def _expand(self, char: str, *, split: bool = False) -> None:
        found = _VARIABLE.match(self.text, self.at)
        if found:
            self._fill(found, split=split)
        elif cat := _CAT.match(self.text, self.at):
            self.add(self._here(cat[4], cat[1]).rstrip("\n"), len(cat[0]))
        elif char == "`" or self.text.startswith("$(", self.at):
            inside = substitution(self.text, self.at)
            if inside is None:
                raise self.open_quote(char, self.at)
            if re.search(r"\bcurl\s", inside):
                self.commands += Bash(re.sub(r"^`|^\$\(|[`)]$", "", inside), self.known).read()
            numbers = _count(inside.strip("`$()")) if split else ()
            self._add_words(numbers or [hole(identifier(inside.strip("`$()"))[:40].strip("_"))], len(inside))
        elif argument := _ARGUMENT.match(self.text, self.at):
            self.add(hole(f"argument_{argument[1]}"), len(argument[0]))
        else:
            self.add(char)

    def _fill(self, found: re.Match[str], *, split: bool) -> None:
        """Put a variable's value, outside of quotes as several words, or a hole."""
        name = found[1] or found[2]
        if name not in self.known:
            if found[3] and found[3].strip(":") in ("-", "="):
                self.command.defaults[name] = found[4].strip("'\"")
            self.add(hole(name), len(found[0]))
            return
        parts = re.split(r"[ \t\n]+", self.known[name]) if split else [self.known[name]]
        self._add_words(parts, len(found[0]))

    def _add_words(self, parts: Sequence[str], length: int) -> None:
        """Add what stands for so many characters: the first part to the word that is read."""
        self.add(parts[0], length)
        for part in parts[1:]:
            self.end_word()
            self.add(part, 0)

    def _operator(self, char: str) -> None:
        heredoc = _HEREDOC.match(self.text, self.at)
        if char in ";&" or (char in "()" and self.word is None):
            self.end_command()
            self.at += 1
        elif char == "|":
            self._pipe()
        elif self.word is not None and (placeholder := _PLACEHOLDER.match(self.text, self.at)):
            self.add(placeholder[0], len(placeholder[0]))
        elif heredoc and not self.text.startswith("<<<", self.at):
            self.end_word()
            self.heredoc = heredoc
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
        found = _REDIRECT.match(self.text, self.at)
        sign = found[1] if found else ""
        self.at += len(found[0]) if found else 1
        target = self._next_word()
        if sign == "<<<":
            self.command.stdin = target + "\n"
        elif sign == "<":
            self.command.stdin_file = target

    def _next_word(self) -> str:
        """Read the word that begins here, apart from the command's."""
        while self.at < len(self.text) and not (
            self.text[self.at].isspace() or self.text[self.at] in ";|&<>()"
        ):
            self.step(self.text[self.at])
        word, self.word = self.word or "", None
        return word

    def _pipe(self) -> None:
        """Feed a curl after the bar with what the command before it prints; else note what comes after it."""
        self.at += 1
        self.end_word()
        if self.text.startswith("|", self.at):
            self.at += 1
            self.end_command()
        elif re.compile(r"&?(?:\s|\\\n)*(?:curl|xargs\b[^|;&\n]*\scurl)\b").match(self.text, self.at):
            self.command = _fed(self.command)
        else:
            self.command.piped_into = self.rest_of_line().lstrip("|& ")


def _fed(before: Command) -> Command:
    """Return a command that is fed what another prints, where that is plain to see."""
    name, *words = before.words or [""]
    if name == "seq" and (numbers := _count(" ".join(before.words))):
        return Command(stdin="\n".join(numbers))
    if name == "cat":
        return Command(
            stdin=before.stdin, stdin_file=before.stdin_file or (words[0] if len(words) == 1 else "")
        )
    if name == "echo":
        flags = [word for word in words if re.fullmatch(r"-[neE]+", word)]
        text = " ".join(words[len(flags) :])
        return Command(stdin=text if any("n" in flag for flag in flags) else text + "\n")
    if name == "printf" and len(words) == 1 and not re.search(r"[%\\]", words[0]):
        return Command(stdin=words[0])
    if name == "printf" and len(words) == 2 and words[0] in ("%s", "%s\\n"):
        return Command(stdin=words[1] + "\n" * words[0].endswith("n"))
    return Command()


def _count(command: str) -> list[str]:
    """Return the numbers that `seq` prints; none of another command."""
    found = _SEQUENCE.fullmatch(command)
    given = [int(each) for each in found.groups() if each] if found else []
    if not given:
        return []
    first, step, last = (1, 1, given[0]) if len(given) == 1 else (given[0], 1, given[-1])
    step = given[1] if len(given) == 3 else step
    return [str(number) for number in count(first, last, max(step, 1), command)]


def _character(number: int, *, is_byte: bool) -> str:
    """Return what an escape stands for; bytes above 127 are kept apart until the word is whole."""
    return chr(0xDC00 + number) if is_byte and number > 127 else chr(number)
