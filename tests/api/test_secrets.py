"""Secrets go in and never come out."""

import json
from typing import Any

from sqlalchemy import Column, select
from tests.api.harness import Client, Server, errors
from tests.upstreams.tls import Authority

from swath.store.schema import endpoints, metadata, proxies, workflows
from swath.store.vault import unseal

MASK = "********"
SECRET = "hunter2-hunter2"
OTHER = "another-secret-1"


def dump(server: Server) -> str:
    """Everything that the database holds."""
    with server.context.database.snapshot() as connection:
        return str([connection.execute(select(table)).all() for table in metadata.sorted_tables])


def column(server: Server, place: Column[Any], row_id: str) -> str:
    """One value of one row as it is stored."""
    with server.context.database.snapshot() as connection:
        return str(connection.execute(select(place).where(place.table.c.id == row_id)).scalar_one())


def opened(server: Server, place: Column[Any], row_id: str) -> dict[str, Any]:
    """A stored definition with its secrets in the clear, as the engine reads it."""
    return dict(unseal(json.loads(column(server, place, row_id)), server.context.vault))


def define(client: Client, **variable: Any) -> tuple[str, str]:
    """Make an endpoint with a variable `key`, and a workflow over it that gives it a value."""
    endpoint = client.post(
        "/endpoints",
        {
            "name": "x",
            "url": "https://h.example/",
            "headers": {"Key": "{{key}}"},
            "variables": {"key": {"default": SECRET, **variable}},
        },
    )
    workflow = client.post(
        "/workflows", {"name": "x", "endpoint_id": endpoint["id"], "inputs": {"key": OTHER, "open": "yes"}}
    )
    return endpoint["id"], workflow["id"]


def test_secrets_are_sealed_and_shown_as_a_mask(server: Server, alice: Client) -> None:
    """Not in any answer, not in the database file; the engine gets them."""
    endpoint_id, workflow_id = define(alice, secret=True)
    answers = [alice.ask("GET", path).text for path in ("/endpoints", f"/workflows/{workflow_id}")]
    alice.post(f"/workflows/{workflow_id}/executions", {"execution_parameters": {"key": "third-secret-3"}})
    answers.append(alice.ask("GET", "/executions").text)
    for text in (*answers, dump(server)):
        for secret in (SECRET, OTHER, "third-secret-3"):
            assert secret not in text
    assert alice.get(f"/workflows/{workflow_id}")["inputs"] == {"key": MASK, "open": "yes"}
    assert opened(server, endpoints.c.definition, endpoint_id)["variables"]["key"]["default"] == SECRET
    assert opened(server, workflows.c.definition, workflow_id)["inputs"] == {"key": OTHER, "open": "yes"}


def test_a_mask_that_comes_back_keeps_the_secret(server: Server, alice: Client) -> None:
    """A client that reads, changes one thing and writes all back loses nothing."""
    endpoint_id, workflow_id = define(alice, secret=True)
    endpoint = alice.get(f"/endpoints/{endpoint_id}")
    alice.ask("PUT", f"/endpoints/{endpoint_id}", json=endpoint | {"name": "renamed"})
    workflow = alice.get(f"/workflows/{workflow_id}")
    alice.ask("PUT", f"/workflows/{workflow_id}", json=workflow | {"name": "renamed"})
    assert opened(server, endpoints.c.definition, endpoint_id)["variables"]["key"]["default"] == SECRET
    assert opened(server, workflows.c.definition, workflow_id)["inputs"]["key"] == OTHER
    assert alice.get(f"/workflows/{workflow_id}")["name"] == "renamed"
    alice.patch(f"/workflows/{workflow_id}", {"inputs": {"key": "a-new-secret-9"}})
    assert opened(server, workflows.c.definition, workflow_id)["inputs"] == {"key": "a-new-secret-9"}
    assert alice.get(f"/workflows/{workflow_id}")["inputs"] == {"key": MASK}


def test_declaring_a_variable_secret_seals_what_was_open(server: Server, alice: Client) -> None:
    """Also in the workflows that already give it a value."""
    endpoint_id, workflow_id = define(alice)
    assert alice.get(f"/workflows/{workflow_id}")["inputs"]["key"] == OTHER
    alice.patch(f"/endpoints/{endpoint_id}", {"variables": {"key": {"default": SECRET, "secret": True}}})
    assert alice.get(f"/workflows/{workflow_id}")["inputs"]["key"] == MASK
    assert OTHER not in dump(server)
    assert opened(server, workflows.c.definition, workflow_id)["inputs"]["key"] == OTHER


def test_a_secret_does_not_come_out_by_no_longer_being_one(alice: Client) -> None:
    """Whoever has a token can change a definition, but not read a secret out of it."""
    endpoint_id, workflow_id = define(alice, secret=True)
    variables = {"key": {"default": MASK, "secret": False}}
    changed = alice.patch(f"/endpoints/{endpoint_id}", {"variables": variables})
    assert changed["variables"]["key"]["default"] == MASK
    assert alice.get(f"/workflows/{workflow_id}")["inputs"]["key"] == MASK


def test_a_proxys_password_is_not_shown(server: Server, alice: Client) -> None:
    """The URL is sealed whole."""
    made = alice.post(
        "/proxies",
        {"type": "dedicated", "location": "nyc", "url": f"http://user:{SECRET}@proxy.example:8080"},
    )
    assert made["url"] == f"http://user:{MASK}@proxy.example:8080"
    assert SECRET not in alice.ask("GET", "/proxies").text
    assert SECRET not in dump(server)
    changed = alice.patch(f"/proxies/{made['id']}", {"url": made["url"], "location": "ams"})
    assert changed["location"] == "ams"
    sealed = column(server, proxies.c.url, made["id"])
    assert server.context.vault.open(sealed) == f"http://user:{SECRET}@proxy.example:8080"


def test_a_clients_key_is_sealed_and_masked(server: Server, alice: Client) -> None:
    """It never comes back, its mask stands for it in a change, and a key of another is refused."""
    authority = Authority()
    mine = authority.identify("swath").decode()
    body = {"name": "x", "url": "https://h.example/", "tls": {"ca": authority.root.decode(), "client": mine}}
    made = alice.post("/endpoints", body)
    assert made["tls"] == {"ca": authority.root.decode(), "client": MASK}
    assert "PRIVATE KEY" not in dump(server)
    assert opened(server, endpoints.c.definition, made["id"])["tls"]["client"] == mine
    path = f"/endpoints/{made['id']}"
    assert alice.patch(path, {"name": "y", "tls": made["tls"]})["tls"] == made["tls"]
    assert alice.patch(path, {"tls": None})["tls"] is None
    other = authority.identify("other").decode()
    mixed = mine[: mine.index("-----BEGIN CERT")] + other[other.index("-----BEGIN CERT") :]
    for tls, field in [
        ({"ca": "x"}, "tls.ca"),
        ({"client": "x"}, "tls.client"),
        ({"client": 5}, "tls.client"),
        ({"client": authority.root.decode()}, "tls.client"),
        ({"client": mixed}, "tls.client"),
    ]:
        answer = alice.ask("PATCH", path, json={"tls": tls})
        assert list(errors(answer, 400)) == [field]
        assert "PRIVATE" not in answer.text
