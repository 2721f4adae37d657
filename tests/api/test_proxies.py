"""Proxies: the ways out."""

from typing import Any

import pytest
from tests.api.harness import Client, errors

URL = "http://user:secret@proxy.example:8080"


def proxy(**change: Any) -> dict[str, Any]:
    return {"type": "dedicated", "location": "nyc", "url": URL, **change}


def test_a_proxy_is_registered_changed_and_removed(alice: Client) -> None:
    made = alice.post("/proxies", proxy())
    assert (made["type"], made["location"], made["shared"]) == ("dedicated", "nyc", False)
    path = f"/proxies/{made['id']}"
    assert alice.get(path) == made
    changed = alice.patch(path, {"location": "ams", "url": "socks5://other.example:1080"})
    assert (changed["location"], changed["url"]) == ("ams", "socks5://other.example:1080")
    assert alice.delete(path) == {"id": made["id"]}
    assert made["id"] not in {each["id"] for each in alice.get("/proxies")}


def test_a_scheme_is_added(alice: Client) -> None:
    """Real clients leave it out."""
    assert alice.post("/proxies", proxy(url="u:p@proxy.example:8080"))["url"].startswith("http://u:")
    assert "key" not in alice.post("/proxies", proxy(url="http://key@proxy.example:1"))["url"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "custom"}, "type"),
        ({"location": ""}, "location"),
        ({"url": ""}, "url"),
        ({"url": "ftp://proxy.example"}, "url"),
        ({"url": "http://user:********@proxy.example"}, "url"),
        ({"shared": "perhaps"}, "shared"),
        ({"shared": True}, "shared"),
    ],
)
def test_what_is_no_proxy_is_refused(alice: Client, change: dict[str, Any], field: str) -> None:
    """Sharing with everybody is for administrators."""
    found = errors(alice.ask("POST", "/proxies", json=proxy(**change)), 400)
    assert list(found) == [field]
    assert "secret" not in str(found)


def test_a_shared_proxy_is_everybodys(admin: Client, alice: Client) -> None:
    """Users see that it is there and where, but not its address; only its owner changes it."""
    made = admin.post("/proxies", proxy(type="shared", location="tor", shared=True))
    seen = alice.get(f"/proxies/{made['id']}")
    assert (seen["location"], seen["url"], seen["shared"]) == ("tor", None, True)
    assert made["id"] in {each["id"] for each in alice.get("/proxies")}
    errors(alice.ask("PATCH", f"/proxies/{made['id']}", json={"location": "x"}), 404)
    errors(alice.ask("DELETE", f"/proxies/{made['id']}"), 404)
    admin.delete(f"/proxies/{made['id']}")


def trigger(client: Client, choice: Any) -> Any:
    endpoint = client.post("/endpoints", {"name": "e", "url": "https://h.example/"})
    workflow = client.post("/workflows", {"name": "w", "endpoint_id": endpoint["id"]})
    return client.ask("POST", f"/workflows/{workflow['id']}/executions", json={"proxy": choice})


@pytest.mark.parametrize(
    "choice",
    [
        None,
        {},
        {"type": "dedicated"},
        {"type": "dedicated", "location": "nyc"},
        {"type": "dedicated", "location": "NYC"},
        {"type": "custom", "url": "user:pass@proxy.example:8080"},
        {"type": "custom", "url": "socks5://proxy.example:1080"},
    ],
)
def test_choices_that_fit(alice: Client, choice: Any) -> None:
    """A location alone takes any proxy there; none at all is a direct connection."""
    alice.post("/proxies", proxy())
    assert trigger(alice, choice).status_code == 200


def test_a_proxy_is_chosen_by_its_id(alice: Client, bob: Client) -> None:
    """An id of somebody else is as unknown as any other."""
    made = alice.post("/proxies", proxy())
    assert trigger(alice, {"type": "dedicated", "proxy_id": made["id"]}).status_code == 200
    bob.post("/proxies", proxy(location="ams"))
    found = errors(trigger(bob, {"type": "dedicated", "proxy_id": made["id"]}), 400)
    assert list(found) == ["proxy.proxy_id"]


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"type": "dedicated", "location": "mars"}, "proxy.location"),
        ({"type": "dedicated", "proxy_id": "7b0b7c0e-5d5c-4c9c-9d43-1f4b7c2f1a55"}, "proxy.proxy_id"),
        ({"type": "custom"}, "proxy.url"),
        ({"type": "custom", "url": "gopher://x"}, "proxy.url"),
        ({"type": "magic"}, "proxy.type"),
        ({"location": "nyc"}, "proxy.type"),
        ({"type": 5}, "proxy.type"),
        ("nyc", "proxy"),
    ],
)
def test_choices_that_do_not_fit(alice: Client, choice: Any, field: str) -> None:
    """The refusal names the field."""
    alice.post("/proxies", proxy())
    assert list(errors(trigger(alice, choice), 400)) == [field]


def test_an_unknown_location_lists_the_configured_ones(alice: Client) -> None:
    for location in ("nyc", "ams", "nyc"):
        alice.post("/proxies", proxy(location=location))
    found = errors(trigger(alice, {"type": "dedicated", "location": "mars"}), 400)
    assert found["proxy.location"].endswith("configured: ams, nyc.")


def test_a_type_without_any_proxy_is_said(alice: Client) -> None:
    assert list(errors(trigger(alice, {"type": "dedicated", "location": "nyc"}), 400)) == ["proxy.type"]
