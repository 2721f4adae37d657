"""Webhooks, as far as the API goes."""

from typing import Any

import pytest
from tests.api.harness import Client, Server, errors
from tests.api.test_secrets import dump

from swath.engine.courier import read_key

URL = "https://user:sesame@receiver.example/hook"
MASK = "********"


def test_a_webhook_is_made_changed_and_removed(alice: Client) -> None:
    """It is told of ends where nothing else is said."""
    made = alice.post("/webhooks", {"url": "https://receiver.example/hook"})
    assert made["events"] == [
        f"execution.{end}" for end in ("succeeded", "partially_failed", "failed", "cancelled")
    ]
    assert (made["enabled"], made["name"]) == (True, "")
    path = f"/webhooks/{made['id']}"
    assert alice.get(path) == {**made, "secret": MASK}
    assert alice.get("/webhooks") == [alice.get(path)]
    changed = alice.patch(path, {"events": ["execution.paused"], "enabled": False, "name": "x"})
    assert (changed["events"], changed["enabled"], changed["name"]) == (["execution.paused"], False, "x")
    assert alice.get(f"{path}/deliveries") == []
    assert alice.delete(path) == {"id": made["id"]}
    errors(alice.ask("GET", path), 404)


def test_a_secret_that_was_made_is_shown_once(server: Server, alice: Client) -> None:
    """A receiver's library can read it; later it is masked, and the mask stands for it."""
    made = alice.post("/webhooks", {"url": "https://receiver.example/hook"})
    assert len(read_key(made["secret"])) == 24
    path = f"/webhooks/{made['id']}"
    assert alice.patch(path, {"secret": MASK})["secret"] == MASK
    assert alice.patch(path, {"secret": None})["secret"] == MASK
    assert made["secret"] not in dump(server)


def test_given_secrets_and_addresses_are_sealed(server: Server, alice: Client) -> None:
    """They never come back, and a change of something else keeps them."""
    made = alice.post("/webhooks", {"url": URL, "secret": "my own secret"})
    assert (made["secret"], made["url"]) == (MASK, f"https://user:{MASK}@receiver.example/hook")
    path = f"/webhooks/{made['id']}"
    alice.ask("PUT", path, json={**made, "name": "renamed"})
    stored = dump(server)
    assert "sesame" not in stored
    assert "my own secret" not in stored
    with server.context.database.snapshot() as connection:
        row = connection.exec_driver_sql(f"SELECT url, secret FROM webhooks WHERE id = '{made['id']}'").one()
    opened = [server.context.vault.open(sealed) for sealed in row]
    assert opened == [URL, "my own secret"]
    elsewhere = {"url": f"https://user:{MASK}@elsewhere.example/"}
    assert list(errors(alice.ask("PATCH", path, json=elsewhere), 400)) == ["url"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": "ftp://receiver.example"}, "url"),
        ({"url": "receiver.example"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["execution.exploded"]}, "events[0]"),
        ({"events": "execution.failed"}, "events"),
        ({"secret": "whsec_not base64!"}, "secret"),
        ({"secret": MASK}, "secret"),
        ({"enabled": "perhaps"}, "enabled"),
    ],
)
def test_what_is_no_webhook_is_refused(alice: Client, change: dict[str, Any], field: str) -> None:
    body = {"url": "https://receiver.example/hook", **change}
    assert list(errors(alice.ask("POST", "/webhooks", json=body), 400)) == [field]
    assert alice.get("/webhooks") == []


def test_a_bad_page_of_the_log_is_refused(alice: Client) -> None:
    made = alice.post("/webhooks", {"url": "https://receiver.example/hook"})
    answer = alice.ask("GET", f"/webhooks/{made['id']}/deliveries?cursor=x")
    assert list(errors(answer, 400)) == ["cursor"]
