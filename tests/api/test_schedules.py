"""Schedules, as far as the API goes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.harness import Client, Server, errors
from tests.api.test_secrets import dump
from tests.api.test_worlds import furnish

MASK = "********"


def define(client: Client) -> str:
    endpoint = {
        "name": "e",
        "url": "https://h.example/{{user_id}}?key={{key}}",
        "variables": {"key": {"secret": True}, "user_id": {"default": "1"}},
    }
    made = client.post("/endpoints", endpoint)
    return str(client.post("/workflows", {"name": "w", "endpoint_id": made["id"]})["id"])


def schedule(client: Client, **change: Any) -> dict[str, Any]:
    workflow = change.pop("workflow_id", None) or define(client)
    return {"name": "nightly", "workflow_id": workflow, "cron": "30 2 * * *", **change}


def test_a_schedule_is_made_changed_and_removed(alice: Client) -> None:
    """It says when it is due next, and nothing has become of it yet."""
    made = alice.post("/schedules", schedule(alice))
    assert (made["timezone"], made["overlap"], made["enabled"]) == ("UTC", "skip", True)
    following = datetime.fromisoformat(made["next_run_at"])
    assert (following.hour, following.minute) == (2, 30)
    assert timedelta() < following - datetime.now(UTC) <= timedelta(days=1)
    assert made["upcoming"][0] == made["next_run_at"]
    assert len(made["upcoming"]) == 5
    assert (made["last_run_at"], made["last_execution_id"], made["last_outcome"]) == (None, None, None)
    path = f"/schedules/{made['id']}"
    assert alice.get(path) == made
    assert alice.get("/schedules") == [made]
    changed = alice.patch(path, {"cron": "@hourly", "timezone": "Asia/Kolkata", "overlap": "queue"})
    assert datetime.fromisoformat(changed["next_run_at"]).minute == 30
    assert changed["overlap"] == "queue"
    off = alice.patch(path, {"enabled": False})
    assert (off["next_run_at"], off["upcoming"]) == (None, [])
    assert alice.delete(path) == {"id": made["id"]}
    errors(alice.ask("GET", path), 404)


def test_its_secrets_are_sealed_and_masked(server: Server, alice: Client) -> None:
    """Secret parameters, and the password of a proxy; their masks stand for them in a change."""
    proxy = {"type": "custom", "url": "http://user:open-sesame@proxy.example:1"}
    execution = {"execution_parameters": {"key": "the-key-itself", "min": 5}, "proxy": proxy}
    made = alice.post("/schedules", schedule(alice, execution=execution))
    assert made["execution"]["execution_parameters"] == {"key": MASK, "min": 5}
    assert made["execution"]["proxy"]["url"] == f"http://user:{MASK}@proxy.example:1"
    path = f"/schedules/{made['id']}"
    alice.patch(path, {"name": "renamed", "execution": made["execution"]})
    again = alice.patch(path, {"enabled": False})
    assert again["execution"] == made["execution"]
    stored = dump(server)
    assert "the-key-itself" not in stored
    assert "open-sesame" not in stored
    with server.context.database.snapshot() as connection:
        query = f"SELECT execution FROM schedules WHERE id = '{made['id']}'"
        sealed = connection.exec_driver_sql(query).scalar_one()
    opened = server.context.vault.open(sealed)
    assert "the-key-itself" in opened
    assert "open-sesame" in opened


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "every day"}, "cron"),
        ({"cron": None}, "cron"),
        ({"cron": 5}, "cron"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"overlap": "both"}, "overlap"),
        ({"execution": {"maximum_requests_count": 0}}, "execution.maximum_requests_count"),
        ({"execution": {"output_aggregation_format": "pdf"}}, "execution.output_aggregation_format"),
        ({"execution": {"proxy": {"type": "dedicated", "location": "mars"}}}, "execution.proxy.type"),
        ({"execution": {"proxy": {"type": "custom", "url": "x://y"}}}, "execution.proxy.url"),
    ],
)
def test_what_could_not_be_run_is_refused(alice: Client, change: dict[str, Any], field: str) -> None:
    """At once, not at night."""
    assert list(errors(alice.ask("POST", "/schedules", json=schedule(alice, **change)), 400)) == [field]
    assert alice.get("/schedules") == []


def test_a_workflow_of_somebody_else_is_not_found(alice: Client, bob: Client) -> None:
    theirs = furnish(bob)["workflow"]
    errors(alice.ask("POST", "/schedules", json=schedule(alice, workflow_id=theirs)), 404)


def test_a_workflow_takes_its_schedules_along(alice: Client) -> None:
    made = alice.post("/schedules", schedule(alice))
    alice.delete(f"/workflows/{made['workflow_id']}")
    assert alice.get("/schedules") == []
