"""What a stored body says as JSON: fast where it is plain UTF-8, exact where the fast decoder refuses.

Lines of JSON, CSV and XML are read as one JSON value, see `flow.foreign`.

Numbers with a fraction or an exponent keep their own text (`number` makes a value of it: `Number`, or
`msgspec.Raw` where it is to be written as JSON again). Of duplicate keys the last wins.
"""

import codecs
import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, NoReturn

import msgspec

from swath.errors import SwathError
from swath.flow.definition import AnswerFormat, Json, Workflow
from swath.flow.foreign import TOO_DEEP, Kind, has_header, kind_of, read_document, read_lines, read_table

__all__ = [
    "MAX_DEPTH",
    "TOO_DEEP",
    "UNREAD",
    "Decode",
    "Flaws",
    "NotJsonError",
    "count_doubled",
    "decode_exactly",
    "decoder",
    "format_of",
    "list_paths",
    "read_keys",
]

#: More digits than this and Python refuses to make an integer of them.
MAX_DIGITS = 4300
#: Arrays and objects inside of each other, at most.
MAX_DEPTH = 512
#: Stands for a body that is JSON, and that nothing needed to look into.
UNREAD: Any = object()
#: What begins so is JSON, for errors are told so where tables and documents were asked for.
_JSON_STARTS = (b"{", b"[")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """A number with a fraction or an exponent, as its own text."""

    __slots__ = ()


class NotJsonError(SwathError):
    """A body that cannot be read as JSON; the message says why."""


class Flaws(msgspec.Struct):
    """What had to be mended to read a body."""

    surrogates: int = 0
    duplicate_keys: int = 0

    def add(self, more: "Flaws") -> None:
        self.surrogates += more.surrogates
        self.duplicate_keys += more.duplicate_keys


Decode = Callable[[bytes, str, Flaws], Json]


def decoder(
    number: Callable[[str], Any] = Number, answer_format: AnswerFormat = "auto", lists: Collection[str] = ()
) -> Decode:
    """Return a function that decodes a body of a content type and counts what it mends; NotJsonError else.

    Of XML, the elements at the paths `lists` are lists, though there be one.
    """
    return _Decoder(number, answer_format, lists).decode


_surface = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw] | str | int | bool | None).decode


def read_keys(body: bytes) -> Collection[str] | None:
    """Return the keys of a body that is plain JSON, checked to its end but read no deeper; an array has none.

    None for what only a decoder can tell more of. This costs a quarter of what decoding does.
    """
    try:
        if not body.isascii():
            str(body, "utf-8")  # the decoder looks at no text that it need not read
        value = _surface(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else ()


def list_paths(workflow: Workflow) -> frozenset[str]:
    """Return where a workflow says that lists stand: of one element, XML does not tell."""
    named = (workflow.primary_collection, workflow.paginator.record_path)
    return frozenset(path for path in (*named, *(workflow.result_collections or ())) if path)


def format_of(answer_format: AnswerFormat, content_type: str) -> Kind:
    """Return what a body is read as."""
    return kind_of(content_type) if answer_format == "auto" else answer_format


class _Decoder:
    """See `decoder`."""

    def __init__(
        self, number: Callable[[str], Any], answer_format: AnswerFormat, lists: Collection[str]
    ) -> None:
        self._number = number
        self._format = answer_format
        self._lists = frozenset(lists)
        # Without a hook floats cost a third; integers keep all their digits either way.
        hook = None if number is float else number
        self._fast = msgspec.json.Decoder(float_hook=hook).decode

    def decode(self, body: bytes, content_type: str, flaws: Flaws) -> Json:
        kind = format_of(self._format, content_type)
        if kind != "json" and (kind == "ndjson" or body.lstrip()[:1] not in _JSON_STARTS):
            return self._decode_foreign(kind, body, content_type, flaws)
        try:
            return self._fast(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return decode_exactly(body, content_type, flaws, self._number)
        except RecursionError:
            raise NotJsonError(TOO_DEEP) from None

    def _decode_foreign(self, kind: Kind, body: bytes, content_type: str, flaws: Flaws) -> Json:
        try:
            if kind == "xml":
                return _read_document(body, content_type, self._lists)
            text = _decode_text(body, content_type)
            if kind == "csv":
                return read_table(text, has_header(content_type))
            return read_lines(text, lambda line: self._decode_line(line, flaws))
        except ValueError as error:
            raise NotJsonError(str(error)) from None

    def _decode_line(self, line: str, flaws: Flaws) -> Json:
        try:
            return self._fast(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return _load_exactly(line, flaws, self._number)


def _read_document(body: bytes, content_type: str, lists: Collection[str]) -> Json:
    """Read XML; what the content type says of its charset goes before what the document says."""
    if _CHARSET.search(content_type) is None:
        return read_document(body, None, lists)
    return read_document(_decode_text(body, content_type).encode(), "utf-8", lists)


def decode_exactly(
    body: bytes, content_type: str, flaws: Flaws, number: Callable[[str], Any] = Number
) -> Json:
    """Decode what the fast decoder refuses: a BOM, another charset, lone surrogates, endless integers."""
    return _load_exactly(_decode_text(body, content_type), flaws, number)


def count_doubled(body: bytes, content_type: str) -> int:
    """Return how many keys stand again in the object that they are in; it takes as long as exact decoding."""
    flaws = Flaws()
    with suppress(NotJsonError):  # whoever reads the body for its values will say so
        decode_exactly(body, content_type, flaws)
    return flaws.duplicate_keys


def _load_exactly(text: str, flaws: Flaws, number: Callable[[str], Any]) -> Json:
    def build(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        built = dict(pairs)
        flaws.duplicate_keys += len(pairs) - len(built)
        return built

    def integer(digits: str) -> Any:
        return int(digits) if len(digits) <= MAX_DIGITS else number(digits)

    try:
        value = json.loads(
            text, parse_float=number, parse_int=integer, parse_constant=_refuse, object_pairs_hook=build
        )
        return _mend(value, flaws) if _ESCAPED_SURROGATE.search(text) else value
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} at character {error.pos + 1}.") from None
    except RecursionError:
        raise NotJsonError(TOO_DEEP) from None


def _refuse(constant: str) -> NoReturn:
    raise NotJsonError(f"{constant} is not JSON.")


def _decode_text(body: bytes, content_type: str) -> str:
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _decode_as(body[len(mark) :], name)
    declared = _CHARSET.search(content_type)
    return _decode_as(body, declared[1] if declared else json.detect_encoding(body))


def _decode_as(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise NotJsonError(
            f"Its bytes are not {charset}: {error.reason} at byte {error.start + 1}."
        ) from None
    except LookupError:
        return _decode_as(body, "utf-8")


def _mend(value: Json, flaws: Flaws) -> Json:
    if isinstance(value, str):
        return _mend_text(value, flaws)
    if isinstance(value, list):
        return [_mend(each, flaws) for each in value]
    if isinstance(value, dict):
        mended = {_mend_text(key, flaws): _mend(each, flaws) for key, each in value.items()}
        flaws.duplicate_keys += len(value) - len(mended)
        return mended
    return value


def _mend_text(text: str, flaws: Flaws) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        mended = re.sub("[\ud800-\udfff]", "\ufffd", text)
        flaws.surrogates += sum(a != b for a, b in zip(text, mended, strict=True))
        return mended
    return text
