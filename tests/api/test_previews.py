"""Routes of previews and imports: what they refuse; what they show is in tests/hostile/test_previews.py."""

from typing import Any

import yaml
from tests.api.harness import Client, errors, good
from tests.api.test_worlds import furnish


def test_a_wish_is_checked(alice: Client) -> None:
    """How many items, a formula that is none, and a workflow of somebody else."""
    workflow = furnish(alice)["workflow"]
    path = f"/workflows/{workflow}/preview"
    assert errors(alice.ask("POST", path, json={"items": 11}), 400) == {"items": "Must be from 1 to 10."}
    assert errors(alice.ask("POST", "/formulas/preview", json={}), 400) == {"formula": "Blank."}
    found = errors(alice.ask("POST", path, json={"formula": "workflows: {W: {endpont: E}}"}), 400)
    assert found["workflows.W.endpont"].startswith("Line 1: There is no field 'endpont' here")


def test_an_import_becomes_a_formula_that_can_be_applied(alice: Client) -> None:
    """The secret stands apart, and is given when the formula is applied."""
    command = "curl https://api.example/me -H 'Authorization: Bearer 0123456789abcdef'"
    for answer in (
        alice.ask("POST", "/imports/curl", data=command.encode()),
        alice.ask("POST", "/imports/curl", json={"source": command}),
    ):
        imported = good(answer)
        assert "0123456789abcdef" not in imported["formula"]
        assert (
            yaml.safe_load(imported["formula"])["endpoints"].keys()
            == imported["formula_object"]["endpoints"].keys()
        )
        assert "0123456789abcdef" in imported["secrets"].values()
    body = {"formula": imported["formula"], "secrets": imported["secrets"]}
    applied: Any = good(alice.ask("POST", "/formulas", json=body))
    assert applied["secrets_missing"] == []


def test_an_unknown_kind_is_refused_with_those_there_are(alice: Client) -> None:
    """And a source that is not of the kind says so."""
    assert "curl" in errors(alice.ask("POST", "/imports/wget", data=b"x"), 404)["kind"]
    errors(alice.ask("POST", "/imports/curl", data=b"wget http://a.example"), 400)


def test_an_import_can_be_told_where_its_api_is(alice: Client) -> None:
    """A document that does not say it is refused with what to give."""
    document = {"openapi": "3.1.0", "paths": {"/items/": {"get": {"summary": "Items", "responses": {}}}}}
    refused = errors(alice.ask("POST", "/imports/openapi", json=document), 400)
    assert "?base_url=https://host" in refused["base_url"]
    path = "/imports/openapi?base_url=http://127.0.0.1:8000"
    formula = good(alice.ask("POST", path, json=document))["formula_object"]
    assert formula["endpoints"]["Items"]["url"] == "http://127.0.0.1:8000/items/"
    assert "base_url" in errors(
        alice.ask("POST", "/imports/curl?base_url=http://a.example", data=b"curl x"), 400
    )
