"""The body of a change to a collection: read as a stream, so that a million items are never held in memory.

The order of its keys does not matter, so all of it is read, and its items are prepared, before any is
applied: a body that breaks off or mixes texts with objects changes nothing.
"""

import io
import mmap
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import IO, Any, Self

import ijson

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.flow.items import Kind, digest_object, digest_text, write_object
from swath.store.spool import SMALL, Spool

Event = tuple[str, Any]

_BOM = b"\xef\xbb\xbf"
_DEEPEST = 100
#: The next number of a JSON text, whatever stands before it.
_NUMBER = re.compile(rb'(?:[^"\d\-]++|"(?:[^"\\]++|\\.)*+")*+(-?\d[\d.eE+\-]*+)', re.DOTALL)
#: Half of a surrogate pair, which the parser would put a question mark for.
_HALF = re.compile(
    rb"(?<!\\)(?:\\\\)*+\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|"
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F])"
)
_NAMES = {"start_array": "a list", "null": "null", "boolean": "a truth value", "start_map": "an object"}


class Received:
    """A request's body: in memory while it is small, else in a file that goes when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = bytearray()
        self._file: IO[bytes] | None = None
        self._has_surrogates = False

    async def receive(self, chunks: AsyncIterator[bytes]) -> None:
        """Take in the whole body."""
        end = b""
        async for chunk in chunks:
            self._has_surrogates |= b"\\ud" in (seen := (end + chunk).lower())
            end = seen[-2:]
            if self._file is None and len(self._start) + len(chunk) > SMALL:
                self._file = NamedTemporaryFile(dir=self._folder, suffix=".body")  # noqa: SIM115 - see close
                self._file.write(self._start)
            if self._file is None:
                self._start += chunk
            else:
                self._file.write(chunk)

    def open(self) -> IO[bytes]:
        """Return the body as a file that stands at its beginning."""
        file = self._file or io.BytesIO(self._start)
        file.seek(3 if self.view()[:3] == _BOM else 0)
        return file

    def view(self) -> bytes | mmap.mmap:
        """Return the body for searching."""
        if self._file is None:
            return bytes(self._start)
        self._file.flush()
        return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def is_well_formed(self) -> bool:
        """Tell whether every surrogate has its other half."""
        return not self._has_surrogates or _HALF.search(self.view()) is None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class ItemsBody:
    """What a body said: its other keys that are plain values, and the items, prepared in `spool`."""

    spool: Spool
    given: dict[str, Json] = field(default_factory=dict)
    has_items: bool = False


def read_items(received: Received, spool: Spool) -> ItemsBody:
    """Read a body to its end. Raises InvalidInput for malformed JSON and for items that cannot be mixed."""
    if not received.is_well_formed():
        raise InvalidInput("body", "Not valid JSON: it holds half of a surrogate pair.")
    try:
        body = _Reader(received, spool).read()
    except ijson.JSONError as error:
        raise InvalidInput("body", f"Not valid JSON: {_first_line(error)}.") from None
    except SystemError:  # how the parser says that Python refuses to make an integer of so many digits
        raise InvalidInput("body", "It holds a number of more than 4,300 digits.") from None
    except (UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        raise InvalidInput("body", "Not valid JSON: broken text or nested too deeply.") from None
    spool.finish()
    return body


def _first_line(error: ijson.JSONError) -> str:
    """Return what the parser found, without the text around it."""
    told = error.args[0] if error.args else ""
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    return text.partition("\n")[0].strip(" .") or "it breaks off"


class _Reader:
    """Walks through the events of one body, once."""

    def __init__(self, received: Received, spool: Spool) -> None:
        self._received = received
        self._spool = spool
        self._body = ItemsBody(spool)
        self._events: Iterator[Event] = ijson.basic_parse(received.open())
        #: Numbers seen so far, and the same ones as they were written.
        self._numbers = 0
        self._spellings: Iterator[str] | None = None
        self._has_decimals = False

    def read(self) -> ItemsBody:
        event, _ = next(self._events, ("nothing", None))
        if event == "nothing":
            return self._body
        if event != "start_map":
            raise InvalidInput("body", "Must be a JSON object.")
        for _, key in iter(lambda: next(self._events), ("end_map", None)):
            if key == "items":
                self._read_items()
            else:
                self._body.given[key] = self._build(*next(self._events), 0)
        for _ in self._events:  # what stands behind the object makes the parser raise
            pass
        return self._body

    def _read_items(self) -> None:
        event, _ = next(self._events)
        if event == "null":
            return
        if event != "start_array":
            raise InvalidInput("items", "Must be a list.")
        if self._body.has_items:
            raise InvalidInput("items", "Is given twice.")
        self._body.has_items = True
        for event, value in self._events:
            if event == "string" and self._spool.kind == "text":  # by far the most
                self._spool.add(digest_text(value), value)
            elif event == "end_array":
                return
            else:
                self._take(event, value)

    def _take(self, event: str, value: Any) -> None:
        if event == "string":
            self._add("text", digest_text(value), value)
        elif event == "number":
            text = self._spelling()
            self._add("text", digest_text(text), text)
        elif event == "start_map":
            self._has_decimals = False
            built = self._build(event, value, 1)
            digest = digest_object(built, has_decimals=self._has_decimals)
            self._add("json", digest, write_object(built))
        else:
            message = "items are texts (or numbers), or JSON objects."
            raise InvalidInput("items", f"Item {self._spool.count} is {_NAMES[event]}; {message}")

    def _add(self, kind: Kind, digest: bytes, value: str) -> None:
        if self._spool.kind is None:
            self._spool.kind = kind
        elif kind != self._spool.kind:
            names = {"text": "a text", "json": "an object"}
            message = f"Item {self._spool.count} is {names[kind]}, those before it are not; do not mix them."
            raise InvalidInput("items", message)
        self._spool.add(digest, value)

    def _build(self, event: str, value: Any, depth: int) -> Json:
        """Return the value that begins with this event."""
        if depth > _DEEPEST:
            raise InvalidInput("body", "Nested too deeply.")
        if event == "start_map":
            pairs = iter(lambda: next(self._events), ("end_map", None))
            return {key: self._build(*next(self._events), depth + 1) for _, key in pairs}
        if event == "start_array":
            parts = iter(lambda: next(self._events), ("end_array", None))
            return [self._build(*part, depth + 1) for part in parts]
        if event == "number":
            self._numbers += 1
            self._has_decimals |= type(value) is Decimal
        return value

    def _spelling(self) -> str:
        """Return the number just seen as it was written: `1.10`, `1e5`."""
        if self._spellings is None:
            found = (match[1].decode() for match in _NUMBER.finditer(self._received.view()))
            self._spellings = found
            for _ in range(self._numbers):
                next(found)
        self._numbers += 1
        return next(self._spellings)
