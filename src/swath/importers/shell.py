"""Command lines as shells read them: text in, words out, for bash, cmd.exe and PowerShell.

A variable of the shell (`$TOKEN`, `%TOKEN%`, `$env:TOKEN`) comes out as a `{{TOKEN}}`.
"""

import re
from typing import Final, Literal

from swath.importers.bash import Bash
from swath.importers.windows import CMD_LOOP, CMD_VARIABLE, PowerShell, cmd_lines, read_cmd, spell_out_cmd
from swath.importers.words import Command

__all__ = ["Command", "guess_shell", "read_commands"]

Shell = Literal["bash", "cmd", "powershell"]
#: What continues a line in each.
_CONTINUED: Final[dict[str, Shell]] = {"`": "powershell", r"\\": "bash", r"\^": "cmd"}


def read_commands(text: str) -> list[Command]:
    """Read all commands of a text. Raises InvalidInput where a quote does not end."""
    text = text.replace("\r\n", "\n")
    shell = guess_shell(text)
    if shell == "cmd":
        return [Command(words=read_cmd(line)) for line in cmd_lines(spell_out_cmd(text))]
    if shell == "bash":
        return Bash(text).read()
    commands = PowerShell(text).read()
    for command in commands:
        # To programs, older PowerShells give \" for a quote.
        command.words = [word.replace('\\"', '"') for word in command.words]
    return commands


def guess_shell(text: str) -> Shell:
    """Tell by its escapes and continued lines which shell a command was written for.

    A line that goes on with an option says it best: all else may stand in a text that is sent.
    """
    for mark, shell in _CONTINUED.items():
        if re.search(rf"{mark}\n[ \t]*-", text):
            return shell
    if re.search(r"\\\n", text):
        return "bash"
    if CMD_LOOP.search(text):
        return "cmd"
    if re.search(r"\^\n|(?<!\S)\^\"", text) or ("'" not in text and CMD_VARIABLE.search(text)):
        return "cmd"
    if re.search(r"`\n|`\"|\$env:|^\s*curl\.exe\b", text, re.MULTILINE):
        return "powershell"
    return "bash"
