"""Documents in several files are read as the one that they are."""

from typing import Any

import pytest
import yaml
from tests.importers.wire import HOST, check_formula

from swath.importers import Folder, read_openapi

#: As tools split them: the paths, their parameters and schemas in files of their own, and references back.
SPLIT = {
    "openapi.yaml": f"""
openapi: 3.0.3
servers: [{{url: {HOST}}}]
paths:
  /users: {{$ref: paths/users.yaml}}
  /users/{{id}}: {{$ref: "paths/one%20user.yaml#/~1users~1{{id}}"}}
components: {{parameters: {{limit: {{in: query, name: limit, schema: {{type: integer, default: 50}}}}}}}}
""",
    "paths/users.yaml": """
get:
  summary: Users
  parameters: [{$ref: "../openapi.yaml#/components/parameters/limit"}, {$ref: "#/shared/page"}]
  responses:
    200: {content: {application/json: {schema: {type: array, items: {$ref: ../schemas/user.json}}}}}
post:
  summary: Add
  requestBody: {content: {application/json: {schema: {$ref: ../schemas/user.json}}}}
shared: {page: {in: query, name: page, schema: {type: integer}}}
""",
    "paths/one user.yaml": """
/users/{id}:
  parameters: [{in: path, name: id, required: true, schema: {type: integer, example: 7}}]
  get: {summary: User}
""",
    "schemas/user.json": """{
  "type": "object",
  "required": ["name", "of"],
  "properties": {
    "name": {"type": "string", "example": "Ann"},
    "of": {"$ref": "user.json#/properties/name"},
    "in": {"$ref": "#"}
  }
}""",
}


def folder(files: dict[str, str], asked: list[str] | None = None) -> Folder:
    def look(name: str) -> str | None:
        if asked is not None:
            asked.append(name)
        return files.get(name)

    return Folder("openapi.yaml", look)


def test_a_document_in_several_files_is_read_as_one() -> None:
    """From files to files, back to the first, into a ring; each is read once."""
    asked: list[str] = []
    imported = read_openapi(SPLIT["openapi.yaml"], folder=folder(SPLIT, asked))
    check_formula(imported)
    assert sorted(asked) == ["paths/one user.yaml", "paths/users.yaml", "schemas/user.json"]
    users, add, user = (imported.formula["endpoints"][name] for name in ("Users", "Add", "User"))
    assert users["url"] == f"{HOST}/users"
    assert set(users["query"]) == {"limit", "page"}
    assert imported.formula["workflows"]["Users"]["paginator"]["type"] == "page_number"
    assert add["body"]["json"] == {"name": "{{name}}", "of": "{{of}}"}
    assert user["url"] == f"{HOST}/users/{{{{id}}}}"
    assert not any("not followed" in note for note in imported.notes)


@pytest.mark.parametrize(
    ("reference", "listed"),
    [
        ("absent.yaml#/p", "absent.yaml#/p"),
        ("paths/../broken.yaml#/p", "broken.yaml#/p"),
        ("../outside.yaml#/p", "../outside.yaml#/p"),
        ("paths/../../outside.yaml#/p", "paths/../../outside.yaml#/p"),
        ("/etc/passwd", "/etc/passwd"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("https://other.example/common.yaml#/p", "https://other.example/common.yaml#/p"),
    ],
)
def test_what_is_not_in_the_folder_is_listed(reference: str, listed: str) -> None:
    """Nothing is read outside of it, and what cannot be read takes nothing else with it."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "servers": [{"url": HOST}],
        "paths": {"/x": {"get": {"summary": "X", "parameters": [{"$ref": reference}]}}},
    }
    asked: list[str] = []
    files = {"broken.yaml": "{", "outside.yaml": "p: {}", "../outside.yaml": "p: {}", "/etc/passwd": "p: {}"}
    imported = read_openapi(yaml.safe_dump(document), folder=folder(files, asked))
    assert any(f"not followed: {listed}. " in note for note in imported.notes)
    assert imported.formula["endpoints"]["X"]["url"] == f"{HOST}/x"
    assert set(asked) <= {"absent.yaml", "broken.yaml"}
