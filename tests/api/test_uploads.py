"""Collections filled from files, as people have them."""

import json
from typing import Any

import pytest
from tests.api.harness import Client, errors, good


def upload(client: Client, data: bytes, query: str = "", **more: Any) -> Any:
    made = client.post("/collections", {"name": "c"})
    return client.ask("POST", f"/collections/{made['id']}/upload{query}", data=data, **more)


def taken(client: Client, data: bytes, query: str = "", **more: Any) -> list[Any]:
    """Upload into a new collection and return its items."""
    view = good(upload(client, data, query, **more))
    items = client.get(f"/collections/{view['id']}")["items"]
    assert view["count"] == len(items)
    return list(items)


CSV = b'id,name\n1,Alice\n2,"Bob, jr"\n\n3,\n'


@pytest.mark.parametrize(
    ("data", "query", "items"),
    [
        (b"1\n2\r\n\n3", "", ["1", "2", "3"]),
        (CSV, "?column=id", ["1", "2", "3"]),
        (CSV, "?column=2", ["Alice", "Bob, jr"]),
        (CSV, "?column=2&header=false", ["name", "Alice", "Bob, jr"]),
        (CSV, "", [{"id": "1", "name": "Alice"}, {"id": "2", "name": "Bob, jr"}, {"id": "3", "name": ""}]),
        (b"a;b\n1;2\n", "?column=b", ["2"]),
        (b"a\tb\n1\t2\n", "?column=b", ["2"]),
        (b"a:b\n1:2\n", "?column=b&delimiter=:", ["2"]),
        (b"\xef\xbb\xbfid,x\n1,2\n", "?column=id", ["1"]),
        ("größe,x\nß,1\n".encode("latin-1"), "?column=gr%C3%B6%C3%9Fe&encoding=latin-1", ["ß"]),
        ("id,x\nä,1\n".encode("utf-16"), "?column=id&encoding=utf-16", ["ä"]),
        (b'a,b,c\n1,2,3\n', "?column=c&column=a", [{"c": "3", "a": "1"}]),
        (b'id\n"a\nb"\n', "?column=id", ["a\nb"]),
        (b'{"id": 1.10, "n": [1]}\n\n{"id": 9007199254740993}\n', "?column=id", ["1.10", "9007199254740993"]),
        (b'{"id": null}\n{"x": 1}\n{"id": "a"}\n', "?column=id", ["a"]),
        (b'{"id": 1.5, "n": [1]}\n', "", [{"id": 1.5, "n": [1]}]),
        (b'{"a": 1, "b": 2, "c": 3}\n', "?column=a&column=b", [{"a": 1, "b": 2}]),
        (b'"x"\n7\n1.0\n', "?format=jsonl", ["x", "7", "1.0"]),
        (b"1,5\n", "?format=text", ["1,5"]),
    ],
)  # fmt: skip
def test_a_file_becomes_items(alice: Client, data: bytes, query: str, items: list[Any]) -> None:
    """Lines, CSV with any delimiter and encoding, JSON lines; of one column texts, of several objects."""
    assert taken(alice, data, query) == items


@pytest.mark.parametrize(
    ("kind", "data", "items"),
    [
        ("text/csv", b"id\n1\n2\n", ["1", "2"]),
        ("text/csv; charset=utf-8", b"id\n1\n", ["1"]),
        ("text/plain", b"id\n1\n", ["id", "1"]),
        ("application/x-ndjson", b'"a"\n', ["a"]),
    ],
)
def test_the_content_type_tells_the_format(alice: Client, kind: str, data: bytes, items: list[str]) -> None:
    assert taken(alice, data, headers={"Content-Type": kind}) == items


@pytest.mark.parametrize(
    ("name", "data", "items"), [("ids.csv", b"id\n1\n", ["1"]), ("ids.txt", b"id\n1\n", ["id", "1"])]
)
def test_a_file_of_a_form_is_taken_too(alice: Client, name: str, data: bytes, items: list[str]) -> None:
    """As browsers and `curl -F` send it; its name tells the format."""
    made = alice.post("/collections", {"name": "c"})
    path = f"/collections/{made['id']}/upload"
    assert good(alice.ask("POST", path, files={"file": (name, data)}))["received"] == len(items)
    assert alice.get(f"/collections/{made['id']}")["items"] == items


def test_a_broken_form_is_refused(alice: Client) -> None:
    """So is one without a file."""
    for data in (b"nonsense", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'):
        answer = upload(alice, data, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert "file" in errors(answer, 400)


@pytest.mark.parametrize(
    ("data", "query", "field", "told"),
    [
        (b"", "", "file", "no items"),
        (b"\n\n", "", "file", "no items"),
        (b"id,name\n", "?column=id", "file", "no items"),
        (CSV, "?column=name&header=false", "column", "1, 2"),
        (CSV, "?column=colour", "column", "id, name"),
        (CSV, "?column=3", "column", "id, name"),
        (CSV, "?column=0", "column", "id, name"),
        (b"a,a\n1,2\n", "", "column", "several"),
        (b"1\n", "?format=text&column=a", "column", "format=csv"),
        (b"a,b\n1,2,3\n", "", "file", "Line 2 has 3 cells"),
        (b'a,b\n1,"2\n', "", "file", "Line 2"),
        (b"a,b\n\xff,1\n", "", "file", "encoding"),
        (b"a\n", "?encoding=klingon", "encoding", "utf-8"),
        (b"a\n", "?encoding=rot13", "encoding", "utf-8"),
        (b"a,b\n", "?delimiter=ab", "delimiter", "one character"),
        (b'{"a": 1}\n{"a"', "", "file", "Line 2 is not JSON"),
        (b'{"a": 1}\n"text"\n', "", "file", "Line 2"),
        (b'{"a": NaN}\n', "", "file", "Line 1 is not JSON"),
        (b'{"a": [1]}\n', "?column=a", "file", "Line 1"),
        (b"true\n", "?format=jsonl", "file", "Line 1"),
        (b"[1]\n", "?format=jsonl", "file", "Line 1"),
        (b'"\\ud800"\n', "?format=jsonl", "file", "Line"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "", "file", "deep"),
        (b"[" * 100_000, "?format=jsonl", "file", "deep"),
        (b"x" * (2 << 20), "", "file", "longer"),
        (b"1\n", "?format=xml", "format", "csv, jsonl, text"),
        (b"1\n", "?method=burn", "method", "add, remove, replace"),
        (b"1\n", "?header=perhaps", "header", "true or false"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_changes_nothing(
    alice: Client, data: bytes, query: str, field: str, told: str
) -> None:
    """The refusal names the line, or the columns that there are."""
    answer = upload(alice, data, query)
    assert told in errors(answer, 400)[field]
    assert alice.get("/collections")[0]["count"] == 0


def test_items_are_added_removed_or_replaced(alice: Client) -> None:
    """`received` counts what the file holds, `count` what the collection has then."""
    made = alice.post("/collections", {"name": "c", "items": ["1", "2"]})
    path = f"/collections/{made['id']}/upload"

    def send(method: str, data: bytes) -> Any:
        return good(alice.ask("POST", f"{path}?method={method}", data=data))

    added = send("add", b"2\n3\n\n")
    assert (added["count"], added["received"], added["blank"]) == (3, 2, 1)
    assert send("remove", b"1\n9\n")["count"] == 2
    assert send("replace", b"7\n")["count"] == 1
    assert alice.get(f"/collections/{made['id']}")["items"] == ["7"]
    assert alice.ask("POST", f"{path}?method=replace", data=b"\n").json()["object"]["count"] == 0
    assert "items" in errors(alice.ask("POST", path, data=b'{"a": 1}'), 400)


def test_many_lines_come_through(alice: Client) -> None:
    """More than one slice of them, and a body that goes to disk."""
    lines = [json.dumps({"id": f"user-{number}"}) for number in range(60_000)]
    view = good(upload(alice, "\n".join(lines).encode(), "?column=id"))
    assert (view["count"], view["kind"]) == (60_000, "text")
    page = alice.get(f"/collections/{view['id']}?limit=3&cursor=59996")["items"]
    assert page == ["user-59997", "user-59998", "user-59999"]
