"""Tokens and their users."""

from collections.abc import Callable

from tests.api.harness import Client, Server, errors, good


def test_a_token_is_shown_once(server: Server, alice: Client) -> None:
    """At its creation, and in no list."""
    made = alice.post("/tokens", {"name": "laptop"})
    assert made["token"]
    assert made["name"] == "laptop"
    listed = alice.get("/tokens")
    assert [each["name"] for each in listed] == ["laptop", "test"]
    assert all("token" not in each and "digest" not in each for each in listed)
    assert made["token"] not in alice.ask("GET", "/tokens").text
    other = Client(server, made["token"])
    assert other.get("/tokens") == alice.get("/tokens")
    other.close()


def test_a_revoked_token_stops_working(server: Server, alice: Client) -> None:
    """At once, although it was used a moment ago."""
    made = alice.post("/tokens", {"name": "lost"})
    lost = Client(server, made["token"])
    assert lost.get("/workflows") == []
    assert alice.delete(f"/tokens/{made['id']}") == {"id": made["id"]}
    errors(lost.ask("GET", "/workflows"), 401)
    lost.close()


def test_only_administrators_make_users(server: Server, admin: Client, alice: Client) -> None:
    """A new name makes a new user, who is an administrator only if said so."""
    assert "user" in errors(alice.ask("POST", "/tokens", json={"user": "eve"}), 400)
    assert "user" in errors(alice.ask("POST", "/tokens", json={"admin": True}), 400)
    root = admin.post("/tokens", {"name": "x", "user": "second root", "admin": True})
    assert root["admin"] is True
    client = Client(server, root["token"])
    assert client.post("/tokens", {"user": "somebody"})["admin"] is False
    client.close()
    assert "admin" in errors(admin.ask("POST", "/tokens", json={"user": "somebody", "admin": True}), 400)
    assert errors(admin.ask("POST", "/tokens", json={"user": "  "}), 400) == {"user": "Blank."}


def test_users_do_not_see_each_others_tokens(alice: Client, bob: Client, admin: Client) -> None:
    """An administrator can, where he asks for a user, and can revoke."""
    made = alice.post("/tokens", {"name": "mine"})
    assert made["id"] not in {each["id"] for each in bob.get("/tokens")}
    assert made["id"] not in {each["id"] for each in admin.get("/tokens")}
    errors(bob.ask("DELETE", f"/tokens/{made['id']}"), 404)
    errors(bob.ask("GET", f"/tokens?user={made['user']}"), 404)
    assert made["id"] in {each["id"] for each in admin.get(f"/tokens?user={made['user']}")}
    admin.delete(f"/tokens/{made['id']}")
    assert [each["name"] for each in alice.get("/tokens")] == ["test"]


def test_a_user_may_have_many_tokens(newcomer: Callable[[], Client]) -> None:
    client = newcomer()
    for number in range(5):
        client.post("/tokens", {"name": str(number)})
    page = client.ask("GET", "/tokens?limit=4")
    assert [each["name"] for each in good(page)] == ["4", "3", "2", "1"]
    rest = client.get(f"/tokens?cursor={page.json()['next_cursor']}")
    assert [each["name"] for each in rest] == ["0", "test"]
