"""Formulas over the API: applied by name in one transaction, and given back."""

from typing import Any

import pytest
import yaml
from tests.api.harness import Client, errors, good

TEXT = """\
# Repositories of people, from a forge.
endpoints:
  Repositories:
    url: "https://api.example/users/{{user}}/repos"
    headers: {Authorization: "Bearer {{token}}"}
    variables: {token: {secret: true}}
workflows:
  Repositories of people:
    endpoint: Repositories
    mappings: [{target_variable_name: user, source_collection: People}]
    paginator: {type: header_link}
collections:
  People: [torvalds, gvanrossum, no]
proxies:
  nyc-1: {type: dedicated, location: nyc, url: "http://proxy.example:3128"}
"""
NAME = "Repositories of people"


def apply(client: Client, text: Any, path: str = "/formulas") -> Any:
    return good(client.ask("POST", path, data=text.encode()))


def actions(applied: Any) -> dict[str, str]:
    return {f"{each['kind']} {each['name']}": each["action"] for each in applied["changes"]}


def export(client: Client, workflow_id: str) -> str:
    answer = client.ask("GET", f"/formulas/{workflow_id}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_everything_is_created_by_name(alice: Client) -> None:
    """One text makes endpoint, list, proxy and workflow, tied together by their ids."""
    applied = apply(alice, TEXT)
    assert set(actions(applied).values()) == {"create"}
    assert applied["secrets_missing"] == ["Repositories.token"]
    workflow = alice.get(f"/workflows/{applied['workflows'][0]['id']}")
    mapping = workflow["mappings"][0]
    assert alice.get(f"/endpoints/{workflow['endpoint_id']}")["name"] == "Repositories"
    people = alice.get(f"/collections/{mapping['source_collection_id']}")
    assert (people["name"], people["items"]) == ("People", ["torvalds", "gvanrossum", "no"])
    assert [(each["name"], each["location"]) for each in alice.get("/proxies")] == [("nyc-1", "nyc")]


def test_the_same_text_again_changes_nothing(alice: Client) -> None:
    """Ids stay, and nothing is written anew."""
    first = apply(alice, TEXT)
    before = [alice.get(path) for path in ("/endpoints", "/workflows", "/collections", "/proxies")]
    again = apply(alice, TEXT)
    assert set(actions(again).values()) == {"unchanged"}
    assert again["workflows"] == first["workflows"]
    assert [alice.get(path) for path in ("/endpoints", "/workflows", "/collections", "/proxies")] == before


def test_a_change_is_told_field_by_field_and_keeps_ids(alice: Client) -> None:
    """What changed is an update of the same thing; the mapping keeps its id too."""
    first = apply(alice, TEXT)
    workflow_id = first["workflows"][0]["id"]
    mapping = alice.get(f"/workflows/{workflow_id}")["mappings"][0]["id"]
    changed = TEXT.replace("header_link}", "header_link}\n    concurrency: 4").replace("no]", "mitsuhiko]")
    applied = apply(alice, changed)
    assert actions(applied) == {
        "endpoint Repositories": "unchanged",
        "collection People": "update",
        "proxy nyc-1": "unchanged",
        f"workflow {NAME}": "update",
    }
    told = {each["name"]: each["differences"] for each in applied["changes"]}
    assert told[NAME] == [{"field": "concurrency", "old": None, "new": 4}]
    assert told["People"] == [{"field": "items", "old": ["no"], "new": ["mitsuhiko"]}]
    workflow = alice.get(f"/workflows/{workflow_id}")
    assert (workflow["concurrency"], workflow["mappings"][0]["id"]) == (4, mapping)


def test_a_dry_run_says_what_would_change_and_changes_nothing(alice: Client) -> None:
    """The same answer as the real one, but for the ids that there are not."""
    dry = apply(alice, TEXT, "/formulas?dry_run=true")
    assert dry["dry_run"] is True
    assert dry["workflows"] == [{"name": NAME, "id": None}]
    assert [alice.get(path) for path in ("/endpoints", "/workflows", "/collections", "/proxies")] == [[]] * 4
    real = apply(alice, TEXT)
    assert actions(real) == actions(dry)


def test_all_or_nothing(alice: Client) -> None:
    """What is wrong with one part keeps all of it out."""
    text = TEXT.replace("source_collection: People", "source_collection: Peple")
    found = errors(alice.ask("POST", "/formulas", data=text.encode()), 400)
    assert found == {
        f"workflows.{NAME}.mappings[0].source_collection": "Line 10: There is no collection 'Peple', "
        "here or kept; did you mean 'People'?"
    }
    assert alice.get("/endpoints") == alice.get("/collections") == []


def test_what_is_kept_can_be_referred_to_by_name_or_id(alice: Client, bob: Client) -> None:
    """A formula need not hold everything; another user's things are not there."""
    people = alice.post("/collections", {"name": "People", "items": ["a"]})["id"]
    rest = TEXT.replace("collections:\n  People: [torvalds, gvanrossum, no]\n", "")
    for text in (rest, rest.replace("source_collection: People", f"source_collection_id: {people}")):
        workflow = alice.get(f"/workflows/{apply(alice, text)['workflows'][0]['id']}")
        assert workflow["mappings"][0]["source_collection_id"] == people
        errors(bob.ask("POST", "/formulas", data=text.encode()), 400)


def test_two_of_one_name_are_not_guessed_between(alice: Client) -> None:
    """The ids are told, so that one can be renamed."""
    ids = [alice.post("/collections", {"name": "People", "items": ["a"]})["id"] for _ in range(2)]
    found = errors(alice.ask("POST", "/formulas", data=TEXT.encode()), 400)
    assert set(found) == {"collections.People"}
    assert all(each in found["collections.People"] for each in ids)


def test_secrets_are_given_beside_the_formula_and_never_given_back(alice: Client) -> None:
    """A value goes to the vault; applying again without it keeps it; no answer holds it."""
    body = {
        "formula": TEXT,
        "secrets": {"token": "s3cret-of-alice", "proxies.nyc-1": "me:pw99@proxy.example:3128"},
    }
    answer = alice.ask("POST", "/formulas", json=body)
    applied = good(answer)
    assert applied["secrets_missing"] == []
    again = apply(alice, TEXT)
    assert set(actions(again).values()) == {"unchanged"}
    assert again["secrets_missing"] == []
    workflow_id = applied["workflows"][0]["id"]
    texts = [answer.text, export(alice, workflow_id), alice.ask("GET", "/endpoints").text]
    assert all("s3cret-of-alice" not in text and "pw99" not in text for text in texts)
    assert alice.get("/proxies")[0]["url"] == "http://me:********@proxy.example:3128"
    changed = good(
        alice.ask("POST", "/formulas", json={"formula": TEXT, "secrets": {"token": "another-one"}})
    )
    told = {each["name"]: each["differences"] for each in changed["changes"]}
    assert told["Repositories"] == [
        {"field": "variables.token.default", "old": "********", "new": "********"}
    ]


def test_a_secret_that_the_formula_has_not_is_refused(alice: Client) -> None:
    """A misspelt name would otherwise leave the request without its key."""
    answer = alice.ask("POST", "/formulas", json={"formula": TEXT, "secrets": {"tokn": "x"}})
    assert errors(answer, 400) == {"secrets.tokn": "This formula has no secret 'tokn'; did you mean 'token'?"}


def test_the_text_comes_back_while_it_holds(alice: Client) -> None:
    """With its comments; once something was changed by other ways, a text that says so is written."""
    workflow_id = apply(alice, TEXT)["workflows"][0]["id"]
    assert export(alice, workflow_id) == TEXT
    alice.patch(f"/workflows/{workflow_id}", {"concurrency": 3})
    written = export(alice, workflow_id)
    assert yaml.safe_load(written)["workflows"][NAME]["concurrency"] == 3
    assert set(actions(apply(alice, written)).values()) == {"unchanged"}
    assert export(alice, workflow_id) == written


def test_what_was_made_by_hand_is_written_as_a_formula(alice: Client, bob: Client) -> None:
    """Another user makes the same of it."""
    people = alice.post("/collections", {"name": "People", "items": [{"login": "torvalds"}]})["id"]
    endpoint = alice.post("/endpoints", {"name": "E", "url": "https://api.example/{{user}}"})["id"]
    mapping = {
        "target_variable_name": "user",
        "source_collection_id": people,
        "source_collection_json_key": "login",
    }
    workflow = {"name": "W", "endpoint_id": endpoint, "mappings": [mapping]}
    workflow_id = alice.post("/workflows", workflow)["id"]
    text = export(alice, workflow_id)
    assert yaml.safe_load(text) == {
        "endpoints": {"E": {"url": "https://api.example/{{user}}"}},
        "workflows": {
            "W": {
                "endpoint": "E",
                "mappings": [
                    {
                        "target_variable_name": "user",
                        "source_collection": "People",
                        "source_collection_json_key": "login",
                    }
                ],
            }
        },
        "collections": {"People": [{"login": "torvalds"}]},
    }
    assert set(actions(apply(bob, text)).values()) == {"create"}
    errors(bob.ask("GET", f"/formulas/{workflow_id}"), 404)


def test_a_formula_can_be_json_in_and_out(alice: Client) -> None:
    """As the body itself, as a key of it, and as the answer for who accepts only JSON."""
    formula = yaml.safe_load(TEXT.replace("no]", "nobody]"))
    workflow_id = good(alice.ask("POST", "/formulas", json=formula))["workflows"][0]["id"]
    assert set(actions(good(alice.ask("POST", "/formulas", json={"formula": formula}))).values()) == {
        "unchanged"
    }
    answer = good(alice.ask("GET", f"/formulas/{workflow_id}", headers={"accept": "application/json"}))
    assert yaml.safe_load(answer["formula"]) == formula


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"formula": {"collections": {"C": [{"$sealed": "x"}]}}}',
        b"collections: {C: [{$sealed: x}]}",
    ],
)
def test_bodies_that_are_no_formula_are_refused(alice: Client, body: bytes) -> None:
    """Nothing, noise, and what would look like a sealed secret."""
    errors(alice.ask("POST", "/formulas", data=body), 400)


def test_the_schema_is_open(newcomer: Any, server: Any) -> None:
    """An editor has no token."""
    schema = Client(server, None).ask("GET", "/formula.schema.json")
    assert schema.status_code == 200
    assert schema.json()["title"] == "A formula of Swath"
