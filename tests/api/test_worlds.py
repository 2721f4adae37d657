"""Two users' tokens see two separate worlds, whatever the route."""

from typing import Any

from tests.api.harness import Client, errors


def furnish(client: Client) -> dict[str, str]:
    """Give a user one of everything, and return the ids."""
    items = client.post("/collections", {"name": "ids", "items": ["1", "2"]})
    endpoint = client.post("/endpoints", {"name": "e", "url": "https://h.example/{{user_id}}"})
    mapping = {"target_variable_name": "user_id", "source_collection_id": items["id"]}
    body = {"name": "w", "endpoint_id": endpoint["id"], "mappings": [mapping]}
    workflow = client.post("/workflows", body)
    proxy = client.post("/proxies", {"type": "dedicated", "location": "nyc", "url": "http://p.example:1"})
    token = client.post("/tokens", {"name": "second"})
    webhook = client.post("/webhooks", {"url": "https://receiver.example/"})
    execution = client.post(f"/workflows/{workflow['id']}/executions")
    times = {"workflow_id": workflow["id"], "cron": "@daily"}
    return {
        "schedule": client.post("/schedules", times)["id"],
        "collection": items["id"],
        "endpoint": endpoint["id"],
        "workflow": workflow["id"],
        "proxy": proxy["id"],
        "token": token["id"],
        "execution": execution["id"],
        "webhook": webhook["id"],
    }


def asks(ids: dict[str, str]) -> list[tuple[str, str, Any]]:
    """Everything that can be asked of what these ids name."""
    workflow, execution = f"/workflows/{ids['workflow']}", f"/workflows/executions/{ids['execution']}"
    items = {"method": "add", "items": ["3"]}
    return [
        ("GET", f"/collections/{ids['collection']}", None),
        ("POST", f"/collections/{ids['collection']}", items),
        ("PATCH", f"/collections/{ids['collection']}", {"name": "mine"}),
        ("POST", f"/collections/{ids['collection']}/upload", None),
        (
            "POST",
            f"/collections/{ids['collection']}/from-result",
            {"execution_id": ids["execution"], "columns": ["a"]},
        ),
        ("GET", f"/endpoints/{ids['endpoint']}", None),
        ("PATCH", f"/endpoints/{ids['endpoint']}", {"name": "mine"}),
        ("POST", f"/endpoints/{ids['endpoint']}/executions", {}),
        ("GET", workflow, None),
        ("PUT", workflow, {"name": "mine"}),
        ("POST", f"{workflow}/executions", {}),
        ("GET", f"{workflow}/executions", None),
        ("GET", f"/formulas/{ids['workflow']}", None),
        ("POST", f"{workflow}/preview", {}),
        ("GET", execution, None),
        ("POST", execution, None),
        *(("POST", f"{execution}/{verb}", None) for verb in ("cancel", "pause", "resume")),
        *(("GET", f"{execution}/{part}", None) for part in ("events", "failures", "manifest", "pace")),
        ("GET", f"{execution}/failures/kinds", None),
        ("GET", f"{execution}/items/0", None),
        ("GET", f"/proxies/{ids['proxy']}", None),
        ("POST", f"/proxies/{ids['proxy']}/test", None),
        ("PATCH", f"/proxies/{ids['proxy']}", {"location": "mine"}),
        ("DELETE", f"/proxies/{ids['proxy']}", None),
        ("DELETE", f"/tokens/{ids['token']}", None),
        ("GET", f"/schedules/{ids['schedule']}", None),
        ("PATCH", f"/schedules/{ids['schedule']}", {"enabled": False}),
        ("DELETE", f"/schedules/{ids['schedule']}", None),
        ("GET", f"/webhooks/{ids['webhook']}", None),
        ("PATCH", f"/webhooks/{ids['webhook']}", {"enabled": False}),
        ("GET", f"/webhooks/{ids['webhook']}/deliveries", None),
        ("POST", f"/webhooks/{ids['webhook']}/test", None),
        ("DELETE", f"/webhooks/{ids['webhook']}", None),
        ("DELETE", workflow, None),
        ("DELETE", f"/endpoints/{ids['endpoint']}", None),
        ("DELETE", f"/collections/{ids['collection']}", None),
    ]


LISTS = (
    "/workflows",
    "/endpoints",
    "/collections",
    "/executions",
    "/tokens",
    "/proxies",
    "/webhooks",
    "/schedules",
)


def lists(client: Client) -> dict[str, Any]:
    return {path: client.get(path) for path in LISTS}


def test_nothing_of_anothers_is_seen_or_changed(alice: Client, bob: Client) -> None:
    """Every route answers a foreign id as it answers an unknown one, and everything stays as it was."""
    mine, theirs = furnish(alice), furnish(bob)
    before = lists(bob)
    for method, path, body in asks(theirs):
        errors(alice.ask(method, path, json=body), 404)
    assert lists(bob) == before
    assert bob.get(f"/collections/{theirs['collection']}")["items"] == ["1", "2"]
    ids = {each["id"] for path in LISTS for each in lists(alice)[path]}
    assert set(mine.values()) <= ids
    assert not ids & set(theirs.values())


def test_an_administrator_does_not_see_the_users_worlds(admin: Client, bob: Client) -> None:
    """Administrators manage tokens and shared proxies; what users own is theirs."""
    theirs = furnish(bob)
    for method, path, body in asks(theirs):
        if not path.startswith("/tokens"):
            errors(admin.ask(method, path, json=body), 404)


def test_foreign_ids_inside_a_body_are_not_found(alice: Client, bob: Client) -> None:
    """Also at a change of what is one's own."""
    mine, theirs = furnish(alice), furnish(bob)
    path = f"/workflows/{mine['workflow']}"
    assert list(errors(alice.ask("PATCH", path, json={"endpoint_id": theirs["endpoint"]}), 404)) == [
        "endpoint_id"
    ]
    mapping = {"target_variable_name": "user_id", "source_collection_id": theirs["collection"]}
    found = errors(alice.ask("PATCH", path, json={"mappings": [mapping]}), 404)
    assert list(found) == ["mappings[0].source_collection_id"]
    choice = {"proxy": {"type": "dedicated", "proxy_id": theirs["proxy"]}}
    errors(alice.ask("POST", f"{path}/executions", json=choice), 400)


def test_the_same_idempotency_key_of_two_users_is_two_executions(alice: Client, bob: Client) -> None:
    key = {"Idempotency-Key": "monday"}
    made = [
        client.post(f"/workflows/{furnish(client)['workflow']}/executions", {}, headers=key)["id"]
        for client in (alice, bob)
    ]
    assert made[0] != made[1]
