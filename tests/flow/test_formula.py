"""Formulas: what is read, what is refused and how, what is written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from swath.errors import InvalidInput
from swath.flow.formula import SourceText, compare, describe, read_formula, schema, write_text
from swath.flow.formula.changes import Difference, compare_items
from swath.flow.formula.meanings import MEANINGS

FORMULAS = Path(__file__).parents[2] / "formulas"

WHOLE = """\
# Repositories of people, from a forge.
endpoints:
  Repositories:
    url: "https://api.example/users/{{user}}/repos"
    query: {per_page: "100"}
    headers: {Authorization: "Bearer {{token}}"}
    variables: {token: {secret: true}}
workflows:
  Repositories of people:
    endpoint: Repositories
    mappings: [{target_variable_name: user, source_collection: People}]
    paginator: {type: header_link}
collections:
  People: [torvalds, gvanrossum, no, 12, 1.10, 2024-01-01]
proxies:
  nyc-1: {type: dedicated, location: nyc}
"""


def refused(text: str) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read_formula(text)
    return dict(caught.value.fields)


def test_sections_are_read_by_name() -> None:
    """The names are keys, references are names, and words are texts as they stand there."""
    formula = read_formula(WHOLE)
    assert formula.endpoints["Repositories"].name == "Repositories"
    workflow = formula.workflows["Repositories of people"]
    assert (workflow.endpoint_id, workflow.mappings[0].source_collection_id) == ("Repositories", "People")
    assert formula.collections["People"] == ("torvalds", "gvanrossum", "no", "12", "1.10", "2024-01-01")
    assert formula.proxies["nyc-1"].location == "nyc"
    assert formula.secrets == {"Repositories": ["token"]}


def test_lists_with_names_and_ids_are_the_same() -> None:
    """Each section may be a list of objects with a name; the API's names of references work too."""
    listed = {
        "endpoints": [{"name": "E", "url": "https://api.example/{{a}}"}],
        "workflows": [
            {
                "name": "W",
                "endpoint_id": "E",
                "mappings": [{"target_variable_name": "a", "source_collection_id": "C"}],
            }
        ],
        "collections": [{"name": "C", "items": ["1"]}],
    }
    named = {
        "endpoints": {"E": {"url": "https://api.example/{{a}}"}},
        "workflows": {
            "W": {"endpoint": "E", "mappings": [{"target_variable_name": "a", "source_collection": "C"}]}
        },
        "collections": {"C": ["1"]},
    }
    assert read_formula(json.dumps(listed)) == read_formula(json.dumps(named))


def test_what_is_written_reads_as_the_same() -> None:
    """Writing and reading are each other's reverse, and JSON is as good as YAML."""
    formula = read_formula(WHOLE)
    assert read_formula(write_text(formula)) == formula
    assert read_formula(json.dumps(describe(formula))) == formula


@given(st.dictionaries(st.text(min_size=1).filter(str.strip), st.lists(st.text()), max_size=4))
def test_any_texts_come_back(collections: dict[str, list[str]]) -> None:
    """Whatever a name or an item looks like to YAML, it stays what it is."""
    formula = read_formula(json.dumps({"collections": collections}))
    assert formula.collections == {name: tuple(items) for name, items in collections.items()}
    assert read_formula(write_text(formula)) == formula


def test_secrets_are_not_written() -> None:
    """A secret's value that was kept is left out of the text."""
    formula = read_formula(WHOLE)
    assert "secret: true" in write_text(formula)
    assert "default" not in write_text(formula)


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("paginator:", "paginatr:", "workflows.Repositories of people.paginatr",
         "Line 12: There is no field 'paginatr' here; did you mean 'paginator'?"),
        ("{type: header_link}", "{typ: header_link}", "workflows.Repositories of people.paginator.typ",
         "Line 12: There is no field 'typ' here; did you mean 'type'?"),
        ("header_link", "link", "workflows.Repositories of people.paginator.type",
         "Line 12: Must be one of: none, page_number, offset, cursor, next_url, header_link, header_cursor."),
        ("target_variable_name: user", "target_variable_name: usr",
         "workflows.Repositories of people.mappings[0].target_variable_name",
         "Line 11: The endpoint has no variable 'usr'. It has: token, user."),
        ("{type: header_link}", "{type: page_number}", "workflows.Repositories of people.paginator.variable",
         "Line 12: The endpoint has no variable 'page'. It has: token, user. Add it: write {{page}} where "
         "the request says which page it wants."),
        ('Authorization: "Bearer {{token}}"', 'Authorization: "Bearer {{token}}', "formula",
         "Line 6: not YAML: a quote that begins here is not closed."),
        ("collections:", "colections:", "colections",
         "Line 13: There is no section 'colections'; did you mean 'collections'?"),
        ('Authorization: "Bearer {{token}}"', "X-Version: 2", "endpoints.Repositories.headers.X-Version",
         "Line 6: Must be a string: put it in quotes."),
        ("{secret: true}", "{secret: true, default: abc}", "endpoints.Repositories.variables.token.default",
         "Line 7: A secret's value does not belong in a formula: leave it out, and give it with "
         "--secret token=VALUE."),
        ("    endpoint: Repositories\n", "", "workflows.Repositories of people.endpoint",
         "Line 9: Blank. Give the name of one of the endpoints."),
        ("location: nyc", "location: nyc, url: 'http://me:pass@host:1'", "proxies.nyc-1.url",
         "Line 16: Its login does not belong in a formula: leave it out, and give the whole address with "
         "--secret proxies.nyc-1=URL."),
        ("  Repositories:\n", "  Repositories:\n    url: again\n", "formula",
         "Line 5: the key 'url' stands here twice."),
        ("[torvalds,", "[{login: torvalds},", "collections.People",
         "Line 14: Texts and objects cannot stand in one collection."),
        ("[torvalds, gvanrossum, no, 12, 1.10, 2024-01-01]", "{file: people.csv}", "collections.People.file",
         "Line 14: A file is read where it lies: by `swath apply` and `swath run`, not by a server."),
    ],
)  # fmt: skip
def test_errors_name_line_field_and_remedy(old: str, new: str, field: str, message: str) -> None:
    """Whoever made a mistake sees where, and what to do."""
    assert old in WHOLE
    assert refused(WHOLE.replace(old, new))[field] == message


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of their lines."""
    text = (
        WHOLE.replace("{type: header_link}", "{typ: a}")
        .replace("per_page:", "per_page: {{")
        .replace("}}/", "/")
    )
    found = refused(WHOLE.replace("{type: header_link}", "{typ: a}").replace("url:", "ur:"))
    assert [message.split(":")[0] for message in found.values()] == ["Line 3", "Line 4", "Line 12"]
    assert list(refused(text)) == ["formula"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"endpoints": {} "a": 1}', "Line 1: not JSON: "),
        ("endpoints:\n\tA: 1", "Line 2: not YAML: found character that cannot start any token; write tabs"),
        ("endpoints: [", "Line 1: not YAML: "),
        ("endpoints:\n  A: {url: {{a}}}", "Line 2: a key must be a text; put {{variables}} in quotes."),
        ("- a", "A formula has the sections endpoints, workflows, collections, proxies."),
        ("a: !!python/object:os.system {}", "Line 1: "),
        ('{"a": 1, "a": 2}', "Not JSON: the key 'a' stands twice in one object."),
        ('{"a": NaN}', "Not JSON: NaN is no number of JSON."),
        ("[" * 5000 + "]" * 5000, "Line 1: too many values, or nested too deeply."),
        ("x" * (4 * 1024 * 1024 + 1), "Longer than 4 MB"),
        ("a: &a [1, 1]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(3)), None),
    ],
)
def test_broken_texts_are_told_by_line(text: str, message: str | None) -> None:
    """What is neither YAML nor JSON says where it breaks off; aliases are read, but not without bound."""
    if message is None:
        assert SourceText(text).value["b2"] == [[1, 1], [1, 1]]
    else:
        with pytest.raises(InvalidInput) as caught:
            read_formula(text)
        assert dict(caught.value.fields).popitem()[1].startswith(message)


def test_aliases_stand_for_no_more_than_a_million_values() -> None:
    """A few lines that mean billions of values are refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "too many values" in refused("\n".join(lines))["formula"]


def test_objects_merge_what_they_refer_to() -> None:
    """`<<` takes the keys of an anchor that are not given."""
    text = "endpoints: {A: &a {url: 'https://api.example/', method: POST}, B: {<<: *a, method: PUT}}"
    formula = read_formula(text)
    assert (formula.endpoints["B"].url, formula.endpoints["B"].method) == ("https://api.example/", "PUT")


def test_differences_are_told_field_by_field() -> None:
    """What is new, what is gone, what has changed; equal things have none."""
    old = {"url": "a", "query": {"x": "1", "y": "2"}, "list": [1]}
    new = {"url": "b", "query": {"x": "1", "z": True}, "list": [1, 2]}
    assert compare(old, new) == (
        "update",
        (
            Difference(field="url", old="a", new="b"),
            Difference(field="query.y", old="2", new=None),
            Difference(field="query.z", old=None, new=True),
            Difference(field="list", old=[1], new=[1, 2]),
        ),
    )
    assert compare(old, old) == ("unchanged", ())
    assert compare(None, {"url": "a"}) == ("create", (Difference(field="url", new="a"),))


def test_differences_of_items_are_summed_up() -> None:
    """A list of thousands shows the first few that come and go; another order is a difference too."""
    assert compare_items(["a", "b"], ["b", "c"])[1] == (Difference(field="items", old=["a"], new=["c"]),)
    many = [str(number) for number in range(100)]
    assert compare_items([], many)[1][0].new == ["0", "1", "2", "3", "4", "… 95 more"]
    assert compare_items(["a", "b"], ["b", "a"])[0] == "update"
    assert compare_items(["a"], ["a"]) == ("unchanged", ())


def test_the_schema_takes_what_is_read_and_nothing_else() -> None:
    """Editors agree with the reader about good formulas and about misspelt fields."""
    check = Draft202012Validator(schema())
    assert check.is_valid(SourceText(WHOLE).value)
    assert check.is_valid(describe(read_formula(WHOLE)))
    for old, new in (("paginator:", "paginatr:"), ("header_link", "link"), ("endpoint: Rep", "endpont: Rep")):
        assert not check.is_valid(SourceText(WHOLE.replace(old, new)).value)


def test_the_schema_says_of_each_field_what_it_is_for() -> None:
    """Editors show it as one writes; nothing is described that there is not."""
    kinds = {name: each["properties"] for name, each in schema()["$defs"].items() if "properties" in each}
    silent = [f"{kind}.{field}" for kind, fields in kinds.items() for field in fields]
    assert [each for each in silent if "description" not in _at(kinds, each)] == []
    for kind, fields in MEANINGS.items():
        assert set(fields) <= set(kinds[kind]), kind
    open_ones = [
        name for name, each in schema()["$defs"].items() if each.get("additionalProperties") is not False
    ]
    assert open_ones == ["Collection"]


def _at(kinds: dict[str, dict[str, Any]], place: str) -> dict[str, Any]:
    kind, _, field = place.partition(".")
    return dict(kinds[kind][field])


@pytest.mark.parametrize("file", sorted(FORMULAS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_schema_takes_every_worked_formula(file: Path) -> None:
    """As it is written, and as it would be written anew."""
    check = Draft202012Validator(schema())
    source = SourceText(file.read_text())
    assert check.is_valid(source.value)
    assert check.is_valid(describe(read_formula(source)))


FULL = """\
endpoints:
  E: {url: "https://api.example/{{a}}/{{b}}", method: GET, body: {text: x}}
workflows:
  F: {endpoint: E, inputs: {a: x, b: y}}
  W:
    endpoint: E
    mappings:
      - {target_variable_name: a, source_collection: C}
      - {target_variable_name: b, from_result: {workflow: F, column: id}}
    batches: {a: {size: 10}}
    chain: {after: [succeeded], parameters: [x]}
    concurrency: 4
    join: product
    paginator: {type: none, max_pages_per_item: 3}
    rate_limits: [{requests: 1, per_seconds: 2}]
    retry: {max_attempts: 3}
    limits: {timeout: 5, max_redirects: 2}
    filters: [{path: x, op: "=", value: 1}]
collections:
  C: [x]
proxies:
  P: {location: nyc}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("size: 10", "size: 0"),
        ("after: [succeeded]", "after: [cancelled]"),
        ("concurrency: 4", "concurrency: 0"),
        ("concurrency: 4", "concurrency: many"),
        ("join: product", "join: both"),
        ("max_pages_per_item: 3", "max_pages_per_item: 0"),
        ("requests: 1", "requests: 0"),
        ("per_seconds: 2", "per_seconds: 0"),
        ("max_attempts: 3", "max_attempts: 101"),
        ("timeout: 5", "timeout: -1"),
        ("max_redirects: 2", "max_redirects: 21"),
        ('op: "="', 'op: "=="'),
        ("target_variable_name: a, ", ""),
        ("source_collection: C", "collection: C"),
        (", column: id", ""),
        ("column: id", "colum: id"),
        ("workflow: F, ", ""),
        ("location: nyc", "place: nyc"),
        ("C: [x]", "C: [[x]]"),
        ("C: [x]", "C: {file: x, columns: y}"),
        ("body: {text: x}", "body: {text: x, form: {a: b}}"),
        ("body: {text: x}", "body: {texts: x}"),
        ("proxies:", "proxy:"),
        ('url: "https://api.example/{{a}}/{{b}}", ', ""),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(right: str, wrong: str) -> None:
    """Wherever a schema can tell, an editor does, before anything is applied."""
    check = Draft202012Validator(schema())
    assert check.is_valid(SourceText(FULL).value)
    read_formula(FULL)
    text = FULL.replace(right, wrong)
    assert text != FULL
    assert not check.is_valid(SourceText(text).value)
    refused(text)


def test_sections_that_are_lists_are_taken_by_the_schema() -> None:
    """Each with its own name."""
    check = Draft202012Validator(schema())
    assert check.is_valid({"endpoints": [{"name": "E", "url": "https://api.example/x"}]})
    assert not check.is_valid({"endpoints": [{"url": "https://api.example/x"}]})
