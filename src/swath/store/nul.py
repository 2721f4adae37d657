"""PostgreSQL's texts hold every character but NUL; ours hold that one, too.

It is written as an escape, and so is the character that begins the escape; both come back as they were.
"""

from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.types.string import StrDumperUnknown, TextLoader

ESCAPE = "\x01"


class Escaping(StrDumperUnknown):
    """Writes a text."""

    def dump(self, obj: str) -> Any:
        if "\0" in obj or ESCAPE in obj:
            obj = obj.replace(ESCAPE, ESCAPE + "1").replace("\0", ESCAPE + "0")
        return super().dump(obj)


class Unescaping(TextLoader):
    """Reads a text."""

    def load(self, data: Any) -> Any:
        text = super().load(data)
        if isinstance(text, str) and ESCAPE in text:
            text = text.replace(ESCAPE + "0", "\0").replace(ESCAPE + "1", ESCAPE)
        return text


def bear_nul(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """Have a connection's texts hold every character."""
    connection.adapters.register_dumper(str, Escaping)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, Unescaping)
