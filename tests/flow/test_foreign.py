"""Bodies that are not one JSON value: lines of JSON, CSV and XML, read as one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.flow.bodies import Flaws, NotJsonError, decoder
from swath.flow.definition import AnswerFormat, Json

LINES, TABLE, DOCUMENT = "application/x-ndjson", "text/csv", "application/xml"


def read(body: bytes, kind: str = "", answer_format: AnswerFormat = "auto", lists: Any = ()) -> Json:
    return decoder(str, answer_format, lists)(body, kind, Flaws())


@pytest.mark.parametrize(
    ("body", "kind", "value"),
    [
        (b'{"a": 1}\n{"a": 1.10}\n', LINES, [{"a": 1}, {"a": "1.10"}]),
        (b'{"a": 1}\r\n\r\n[2]', "application/jsonl; charset=utf-8", [{"a": 1}, [2]]),
        (b'{"a": 1}', LINES, [{"a": 1}]),
        (b'\x1e{"a": 1}\n\x1e{"a": 2}\n', "application/json-seq", [{"a": 1}, {"a": 2}]),
        (b'{"a": 123456789012345678901234567890}\n{"a": "\\ud800"}', LINES, None),
        (b"\n", LINES, []),
        (b"id,name\n1,A\n2,\"B, jr\"\n", TABLE, [{"id": "1", "name": "A"}, {"id": "2", "name": "B, jr"}]),
        (b"id;name\n1;\n\n2\n", TABLE, [{"id": "1", "name": ""}, {"id": "2"}]),
        (b"id\tname\n1\tx\n", "text/tab-separated-values", [{"id": "1", "name": "x"}]),
        (b'id\n"a\nb"\n', TABLE, [{"id": "a\nb"}]),
        ("t,n\na\u2028b,1\n\x85\x0c\r\n".encode(), TABLE, [{"t": "a\u2028b", "n": "1"}, {"t": "\x85\x0c"}]),
        (b'"a\nb",c\n1,2\n', TABLE, [{"a\nb": "1", "c": "2"}]),
        (b'"a;b;c",d\n1,2\n', TABLE, [{"a;b;c": "1", "d": "2"}]),
        (b'\n \n"id"\n1;2\n', TABLE, [{"id": "1;2"}]),
        (b'""\n1\n', TABLE, [{"": "1"}]),
        (b"id,id,id_2\n1,2,3\n", TABLE, [{"id": "1", "id_2": "2", "id_2_2": "3"}]),
        (b"id\n" + b"x" * 200_000 + b"\n", TABLE, [{"id": "x" * 200_000}]),
        (b"id\n", TABLE, []),
        (b"1,A\n2,B\n", "text/csv; header=absent", [{"1": "1", "2": "A"}, {"1": "2", "2": "B"}]),
        (b"x;y\n", 'text/csv; charset=utf-8;Header="ABSENT"', [{"1": "x", "2": "y"}]),
        (b"\n", "text/csv; header=absent", []),
        (b"id\n1\n", "text/csv; header=present", [{"id": "1"}]),
        (b"id\n1\n", "text/csv; x-header=absent", [{"id": "1"}]),
        ("größe\n1\n".encode("latin-1"), "text/csv; charset=latin-1", [{"größe": "1"}]),
        (b'{"error": "no"}', TABLE, {"error": "no"}),
        (b'{"error": "no"}', DOCUMENT, {"error": "no"}),
        (b"<a/>", DOCUMENT, {"a": None}),
        (b"<a>x</a>", "text/xml", {"a": "x"}),
        (b'<a b="1"> x <c>2</c></a>', "application/atom+xml", {"a": {"@b": "1", "c": "2", "#text": "x"}}),
        (b"<r><i>1</i><i>2</i><n/></r>", DOCUMENT, {"r": {"i": ["1", "2"], "n": None}}),
        (b'<r><i k="1"/><i>2</i></r>', DOCUMENT, {"r": {"i": [{"@k": "1"}, "2"]}}),
        (b"<r><![CDATA[<b>]]>&amp;&#228;</r>", DOCUMENT, {"r": "<b>&ä"}),
        ('<?xml version="1.0" encoding="iso-8859-1"?><a>ä</a>'.encode("latin-1"), DOCUMENT, {"a": "ä"}),
        ("<a>ä</a>".encode("latin-1"), "application/xml; charset=latin-1", {"a": "ä"}),
        ("<a>ä</a>".encode("utf-16"), DOCUMENT, {"a": "ä"}),
        (b'\xef\xbb\xbf<a xmlns:x="u"><x:b>1</x:b></a>', DOCUMENT, {"a": {"@xmlns:x": "u", "x:b": "1"}}),
    ],
)  # fmt: skip
def test_it_is_read_as_one_value(body: bytes, kind: str, value: Json) -> None:
    """Numbers keep their digits, texts stay texts; an error that is told in JSON is read as that."""
    if value is None:
        assert read(body, kind) == [{"a": 123456789012345678901234567890}, {"a": "\ufffd"}]
    else:
        assert read(body, kind) == value


def test_a_hundred_thousand_columns_of_one_name_are_told_apart_at_once() -> None:
    """Not one by one from the first on, which would take hours."""
    count = 100_000
    ((row),) = read(b"a," * (count - 1) + b"a\n" + b"1," * (count - 1) + b"1\n", TABLE)
    assert (len(row), list(row)[-1]) == (count, f"a_{count}")


def test_one_element_is_a_list_where_that_is_known() -> None:
    """So that a page with one row has the shape of the others."""
    one = b"<rss><channel><title>t</title><item><id>1</id></item></channel></rss>"
    channel = read(one, DOCUMENT, lists={"rss.channel.item"})["rss"]["channel"]
    assert channel == {"title": "t", "item": [{"id": "1"}]}


@pytest.mark.parametrize(
    ("answer_format", "body", "value"),
    [
        ("ndjson", b'{"a": 1}', [{"a": 1}]),
        ("csv", b"a\n1", [{"a": "1"}]),
        ("xml", b"<a>1</a>", {"a": "1"}),
        ("json", b"[1]", [1]),
    ],
)
@pytest.mark.parametrize("kind", ["", "text/plain", "text/html", LINES, TABLE, DOCUMENT])
def test_what_the_workflow_says_goes_before_the_content_type(
    answer_format: AnswerFormat, body: bytes, value: Json, kind: str
) -> None:
    assert read(body, kind, answer_format) == value


BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b'{"a": 1}\n{"a"', LINES, "character"),
        (b'{"a": NaN}\n', LINES, "NaN"),
        (b"a,b\n1,2,3\n", TABLE, "row 2 has 3 cells"),
        (b"1,2\n1,2,3\n", "text/csv; header=absent", "row 2 has 3 cells, the first one 2"),
        (b'a,b\n1,"2\n', TABLE, "CSV"),
        (b"<!doctype html><html></html>", TABLE, "markup"),
        (b"<a><b></a>", DOCUMENT, "XML"),
        (b"<html><body/></html>", DOCUMENT, "HTML"),
        (b"plain", DOCUMENT, "XML"),
        (b"", DOCUMENT, "XML"),
        (BOMB, DOCUMENT, "entities"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', DOCUMENT, "entities"),
        (b"<a>" * 100_000, DOCUMENT, "deep"),
        (b"[" * 100_000 + b"\n", LINES, "deep"),
        (b"<a>\xff</a>", "application/xml; charset=utf-8", "utf-8"),
    ],
)
def test_what_cannot_be_read_is_said(body: bytes, kind: str, told: str) -> None:
    """Nothing else is raised; no entity is followed, and no file is opened."""
    with pytest.raises(NotJsonError, match=told):
        read(body, kind)


@given(
    st.binary(max_size=60),
    st.sampled_from([LINES, TABLE, DOCUMENT]),
    st.sampled_from([b"", b"<a>", b"a,b\n"]),
)
def test_no_body_raises_anything_else(body: bytes, kind: str, start: bytes) -> None:
    """Whatever an upstream sends, it is a value or said to be none."""
    try:
        read(start + body, kind)
    except NotJsonError as error:
        assert str(error).endswith(".")  # noqa: PT017 - most bodies are read
