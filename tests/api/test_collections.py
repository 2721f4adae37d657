"""Collections: input lists."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tests.api.harness import Client, Server, errors, good

IDS = ["43823188", "50834309", "54546072", "192946169"]


def test_the_documented_story(alice: Client) -> None:
    """Read a collection, remove two items, add them again: the new count each time, the order kept."""
    made = alice.post("/collections", {"name": "User IDs", "items": IDS})
    assert (made["name"], made["count"]) == ("User IDs", 4)
    path = f"/collections/{made['id']}"
    read = alice.get(path)
    assert {key: read[key] for key in ("id", "name", "count", "items")} == {
        "id": made["id"],
        "name": "User IDs",
        "count": 4,
        "items": IDS,
    }
    assert alice.post(path, {"method": "remove", "items": IDS[:2]})["count"] == 2
    assert alice.get(path)["items"] == IDS[2:]
    assert alice.post(path, {"method": "add", "items": IDS[:2]})["count"] == 4
    assert alice.get(path)["items"] == [*IDS[2:], *IDS[:2]]


def test_known_items_and_absent_ones_change_nothing(alice: Client) -> None:
    """A collection is ordered and unique by value."""
    path = f"/collections/{alice.post('/collections', {'name': 'x', 'items': ['a', 'b', 'a']})['id']}"
    before = alice.get(path)
    assert before["items"] == ["a", "b"]
    assert alice.post(path, {"method": "add", "items": ["b", "a", "b"]})["count"] == 2
    assert alice.post(path, {"method": "remove", "items": ["c"]})["count"] == 2
    assert alice.get(path) == before


def test_replace_makes_the_items_what_is_given(alice: Client) -> None:
    """Ours: in the given order, and nothing empties it."""
    path = f"/collections/{alice.post('/collections', {'name': 'x', 'items': ['a', 'b']})['id']}"
    assert alice.post(path, {"method": "replace", "items": ["c", "b", "c"]})["count"] == 2
    assert alice.get(path)["items"] == ["c", "b"]
    assert alice.post(path, {"method": "replace", "items": []})["count"] == 0
    assert alice.get(path)["items"] == []


def test_no_items_are_blank(alice: Client) -> None:
    """Exactly as the original says it; a real client looks for it."""
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    for method in ("add", "remove"):
        for body in ({"method": method, "items": []}, {"method": method}, {"method": method, "items": None}):
            answer = alice.ask("POST", path, json=body)
            assert answer.status_code == 400
            assert answer.json() == {"errors": [{"items": "Blank."}]}
    assert errors(alice.ask("POST", path, json={"items": ["a"]}), 400) == {"method": "Blank."}
    assert "method" in errors(alice.ask("POST", path, json={"method": "drop", "items": ["a"]}), 400)
    assert "items" in errors(alice.ask("POST", path, json={"method": "add", "items": "a"}), 400)
    assert errors(alice.ask("POST", "/collections", json={"items": ["a"]}), 400) == {"name": "Blank."}
    assert errors(alice.ask("POST", "/collections", json={"name": " "}), 400) == {"name": "Blank."}


def test_numbers_become_texts_as_they_were_written(alice: Client) -> None:
    """1.10 is not 1.1, and an id of thirty digits keeps them; keys with numbers before it do not matter."""
    numbers = "1, 1.10, -0.5, 1e5, 1E+5, 12345678901234567890123456789012, 0.0000001, -0, 2.50e-3"
    body = f'{{"x": [1.5, {{"y": -7}}], "items": ["a-1.5\\"2", {numbers}], "method": "add"}}'
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    alice.ask("POST", path, data=body)
    assert alice.get(path)["items"] == ['a-1.5"2', *numbers.split(", ")]
    assert alice.post(path, {"method": "remove", "items": [1, "1.10"]})["count"] == 8


def test_objects_keep_the_value_of_every_number(alice: Client) -> None:
    """JSON items come back as they were, equal ones once, whatever the order of their keys."""
    items = '[{"id": 12345678901234567890123, "p": 1.10, "e": 1e400, "t": "ä\\u0000", "n": null, "l": [{}]}'
    again = ', {"l": [{}], "n": null, "t": "ä\\u0000", "e": 10e399, "p": 1.1, "id": 12345678901234567890123}]'
    made = alice.ask("POST", "/collections", data=f'{{"name": "x", "items": {items}{again}}}'.encode())
    assert good(made)["count"] == 1
    assert good(made)["kind"] == "json"
    text = alice.ask("GET", f"/collections/{good(made)['id']}").text
    [item] = json.loads(text, parse_float=str)["object"]["items"]
    assert item == json.loads(items + "]", parse_float=lambda number: number.replace("e", "E+"))[0]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["a", {"b": 1}], "Item 1 is an object"),
        ([{"b": 1}, "a"], "Item 1 is a text"),
        (["a", ["b"]], "Item 1 is a list"),
        (["a", None], "Item 1 is null"),
        ([True], "Item 0 is a truth value"),
        ([{"b": 1}, 5], "Item 1 is a text"),
    ],
)
def test_texts_and_objects_are_not_mixed(alice: Client, items: list[Any], said: str) -> None:
    """The refusal says which item, and nothing is changed."""
    assert said in errors(alice.ask("POST", "/collections", json={"name": "x", "items": items}), 400)["items"]
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    assert said in errors(alice.ask("POST", path, json={"method": "add", "items": items}), 400)["items"]
    assert alice.get(path)["items"] == []
    assert len(alice.get("/collections")) == 1


def test_the_kind_stays(alice: Client) -> None:
    """The first item decides it unless it was given; later items must be of it."""
    open_kind = alice.post("/collections", {"name": "x"})
    assert open_kind["kind"] is None
    changed = alice.post(f"/collections/{open_kind['id']}", {"method": "add", "items": [{"a": 1}]})
    assert changed["kind"] == "json"
    for made in (changed, alice.post("/collections", {"name": "x", "kind": "json"})):
        answer = alice.ask("POST", f"/collections/{made['id']}", json={"method": "add", "items": ["a"]})
        assert "JSON objects" in errors(answer, 400)["items"]
    assert "kind" in errors(alice.ask("POST", "/collections", json={"name": "x", "kind": "xml"}), 400)
    clash = {"name": "x", "kind": "text", "items": [{"a": 1}]}
    assert "items" in errors(alice.ask("POST", "/collections", json=clash), 400)


@pytest.mark.parametrize(
    "body",
    [
        b'{"method": "add", "items": ["x"',
        b'{"items": ["x"], "method": "add"} trailing',
        b'{"items": ["x", ]}',
        b'{"items": ["x"], "items": ["y"], "method": "add"}',
        b'{"items": ["\xff"], "method": "add"}',
        b"",
    ],
)
def test_a_broken_body_changes_nothing(alice: Client, body: bytes) -> None:
    """However much of it could be read before it broke off."""
    path = f"/collections/{alice.post('/collections', {'name': 'x', 'items': ['a']})['id']}"
    errors(alice.ask("POST", path, data=body), 400)
    assert alice.get(path)["items"] == ["a"]


def test_half_a_surrogate_pair_is_refused(alice: Client) -> None:
    """It can be written nowhere; whole pairs and what only looks like one are kept."""
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    for half in (r"\ud83d", r"\uDE00", r"\ud83d\ud83d\ude00", r"\ude00\ud83d", r"\\\ud83d", r"\ud83dx\ude00"):
        body = f'{{"method": "add", "items": ["{half}"]}}'
        assert "body" in errors(alice.ask("POST", path, data=body), 400)
        assert "body" in errors(alice.ask("PATCH", path, data=f'{{"name": "{half}"}}'), 400)
    whole = [r"\ud83d\ude00", r"\uD83D\uDE00\uD83D\uDE00", r"\\ud83d", r"\\\\ude00", r"\u00d8"]
    body = f'{{"method": "add", "items": {json.dumps(whole)}}}'.replace("\\\\", "\\")
    found = good(alice.ask("POST", path, data=body))
    assert found["count"] == len(whole)
    assert alice.get(path)["items"] == json.loads(body)["items"]


def test_items_in_pages(alice: Client) -> None:
    """`limit` and `cursor` give every item once, in order; `next_cursor` is absent at the end."""
    items = [str(number) for number in range(10)]
    path = f"/collections/{alice.post('/collections', {'name': 'x', 'items': items})['id']}"
    found, query = [], {"limit": "4"}
    while query:
        page = alice.ask("GET", path, params=query).json()
        assert page["object"]["count"] == 10
        found += page["object"]["items"]
        query = {"limit": "4", "cursor": page["next_cursor"]} if "next_cursor" in page else {}
    assert found == items
    assert "cursor" in errors(alice.ask("GET", f"{path}?cursor=x"), 400)


def test_a_collection_is_renamed_and_deleted(alice: Client) -> None:
    made = alice.post("/collections", {"name": "x", "items": ["a"]})
    path = f"/collections/{made['id']}"
    assert alice.patch(path, {"name": "y"})["name"] == "y"
    assert errors(alice.ask("PATCH", path, json={"name": ""}), 400) == {"name": "Blank."}
    assert alice.get(path)["items"] == ["a"]
    assert alice.delete(path) == {"id": made["id"]}
    errors(alice.ask("GET", path), 404)
    errors(alice.ask("POST", path, json={"method": "add", "items": ["b"]}), 404)
    assert alice.get("/collections") == []


def test_a_collection_in_use_is_not_deleted(alice: Client) -> None:
    """The refusal says which workflow takes values from it."""
    made = alice.post("/collections", {"name": "x", "items": ["a"]})
    endpoint = alice.post("/endpoints", {"name": "e", "url": "https://h.example/{{user}}"})
    mapping = {"target_variable_name": "user", "source_collection_id": made["id"]}
    body = {"name": "Daily users", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    workflow = alice.post("/workflows", body)
    message = errors(alice.ask("DELETE", f"/collections/{made['id']}"), 409)["id"]
    assert "Daily users" in message
    assert workflow["id"] in message


MANY = 20_000


def pieces(count: int) -> Iterator[bytes]:
    """A body in chunks without a length, its method behind its items."""
    yield b'{"items": ["0"'
    for start in range(1, count, 1_000):
        yield "".join(f', "{number}"' for number in range(start, min(start + 1_000, count))).encode()
    yield b'], "method": "add"}'


def test_many_items_stream_in_and_out(alice: Client) -> None:
    """More than is held in memory at a time: through a file, in slices, in their order."""
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    assert good(alice.ask("POST", path, data=pieces(MANY)))["count"] == MANY
    answer = alice.ask("GET", path)
    assert answer.headers.get("transfer-encoding") == "chunked"
    assert good(answer)["items"] == [str(number) for number in range(MANY)]
    long = {"method": "add", "items": ["x" * 2_000_000]}
    assert alice.post(path, long)["count"] == MANY + 1


def test_others_write_while_many_items_are_added(server: Server, alice: Client, bob: Client) -> None:
    """A large change takes the database in slices; the requests of others come between."""
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"
    done = threading.Event()
    between = []

    def add() -> None:
        try:
            alice.ask("POST", path, data=pieces(100_000))
        finally:
            done.set()

    thread = threading.Thread(target=add)
    thread.start()
    while not done.is_set():
        bob.post("/collections", {"name": "between"})
        between.append(bob.get("/collections?limit=1")[0]["name"])
    thread.join()
    assert len(between) > 5
    assert alice.get(f"{path}?limit=1")["count"] == 100_000


def test_a_client_that_leaves_in_the_middle_harms_nobody(server: Server, alice: Client) -> None:
    """Neither while it sends nor while it reads."""
    path = f"/collections/{alice.post('/collections', {'name': 'x'})['id']}"

    def breaks_off() -> Iterator[bytes]:
        yield b'{"method": "add", "items": ["a"'
        raise ConnectionResetError("gone")

    with pytest.raises((requests.ConnectionError, ConnectionResetError)):
        alice.ask("POST", path, data=breaks_off())
    alice.ask("POST", path, data=pieces(MANY))
    for size in range(0, 200_000, 10_000):
        with alice.ask("GET", path, stream=True) as answer:
            next(answer.iter_content(size + 1))
    assert alice.get(f"{path}?limit=1")["count"] == MANY
    assert not list((server.context.settings.data_dir / "scratch").iterdir())


def test_a_million_is_only_a_number(newcomer: Callable[[], Client]) -> None:
    """Lists show counts without reading items."""
    client = newcomer()
    client.post("/collections", {"name": "x", "items": IDS})
    assert [each["count"] for each in client.get("/collections")] == [4]
    assert "items" not in client.get("/collections")[0]
