# ruff: noqa: E501 - documents as they are published
"""OpenAPI 3 and Swagger 2 documents, in the shapes that frameworks generate: what is sent is what they describe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from pyreqwest.http import Url
from tests.importers.wire import HOST, Told, check_formula, read_workflow, relocated, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read, read_openapi


@dataclass(frozen=True, kw_only=True)
class Case:
    """A document; what is sent for one of its endpoints with some values; and its workflow's paginator."""

    document: str
    endpoint: str
    method: str = "GET"
    target: str
    values: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = b""
    paginator: Mapping[str, Any] | None = None


def doc(paths: str, rest: str = "", version: str = "3.0.3") -> str:
    """A document of some paths, in YAML."""
    return f'openapi: "{version}"\ninfo: {{title: T, version: "1"}}\nservers: [{{url: {HOST}/v1}}]\n{rest}\npaths:\n{paths}'


LIST = "responses: {'200': {description: ok, content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {type: integer}}}}}}}}"
ONE = "responses: {'200': {description: ok, content: {application/json: {schema: {type: object, properties: {id: {type: integer}}}}}}}"
NONE = "responses: {'204': {description: none}}"
JSON = {"accept": "application/json"}


def listed(properties: str) -> str:
    """Responses with an object that holds a list and some more."""
    return (
        "responses: {'200': {description: ok, content: {application/json: {schema: {type: object, properties: "
        f"{{items: {{type: array, items: {{type: object, properties: {{id: {{type: integer}}}}}}}}, {properties}}}}}}}}}}}}}"
    )


PETSTORE = """
openapi: 3.0.0
info: {version: 1.0.0, title: Petstore}
servers: [{url: https://api.example.com/v1}]
paths:
  /pets:
    get:
      summary: List all pets
      operationId: listPets
      parameters:
        - {name: limit, in: query, required: false, schema: {type: integer, format: int32, maximum: 100}}
      responses:
        '200':
          description: A page of pets
          headers: {x-next: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Pets'}}}
    post:
      summary: Create a pet
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      responses: {'201': {description: Null response}}
  /pets/{petId}:
    get:
      summary: Info for a specific pet
      parameters:
        - {name: petId, in: path, required: true, description: The id of the pet, schema: {type: string}, example: p-7}
      responses: {'200': {description: One, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}}
components:
  schemas:
    Pet: {type: object, required: [id, name], properties: {id: {type: integer}, name: {type: string}, tag: {type: string}}}
    Pets: {type: array, maxItems: 100, items: {$ref: '#/components/schemas/Pet'}}
"""

SWAGGER = """
swagger: "2.0"
info: {title: Orders, version: "1"}
host: api.example.com
basePath: /api
schemes: [http, https]
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  key: {type: apiKey, name: X-Key, in: header}
  basic: {type: basic}
security: [{key: []}]
parameters:
  page: {name: page, in: query, type: integer, default: 1}
paths:
  /orders:
    parameters: [{$ref: '#/parameters/page'}]
    get:
      operationId: orders
      parameters:
        - {name: state, in: query, type: array, items: {type: string}, collectionFormat: multi}
        - {name: ids, in: query, type: array, items: {type: string}}
      responses: {200: {description: ok, schema: {type: object, properties: {data: {type: array, items: {$ref: '#/definitions/Order'}}, total: {type: integer}}}}}
    post:
      operationId: create
      parameters: [{in: body, name: order, required: true, schema: {$ref: '#/definitions/Order'}}]
      responses: {201: {description: made}}
  /orders/{id}/note:
    post:
      operationId: note
      consumes: [application/x-www-form-urlencoded]
      security: [{basic: []}]
      parameters:
        - {in: path, name: id, type: integer, required: true, x-example: 5}
        - {in: formData, name: text, type: string, required: true}
        - {in: formData, name: public, type: boolean}
      responses: {200: {description: ok}}
  /upload:
    post:
      operationId: upload
      consumes: [multipart/form-data]
      parameters: [{in: formData, name: file, type: file, required: true}]
      responses: {200: {description: ok}}
definitions:
  Order: {type: object, required: [item, count], properties: {id: {type: integer, readOnly: true}, item: {type: string}, count: {type: integer}}}
"""

CASES = {
    "petstore list": Case(document=PETSTORE, endpoint="List all pets", target="/v1/pets", headers=JSON),
    "petstore list with a limit": Case(document=PETSTORE, endpoint="List all pets", values={"limit": 5}, target="/v1/pets?limit=5", headers=JSON),
    "petstore one": Case(document=PETSTORE, endpoint="Info for a specific pet", values={"petId": "a b"}, target="/v1/pets/a%20b", headers=JSON),
    "petstore create": Case(
        document=PETSTORE, endpoint="Create a pet", method="POST", values={"id": "7", "name": "Rex"}, target="/v1/pets",
        headers={"content-type": "application/json"}, body=b'{"id":7,"name":"Rex"}',
    ),
    "swagger list": Case(
        document=SWAGGER, endpoint="orders", values={"state": ["open", "paid"], "ids": "1,2", "X": 1, "x_key": "k-123456"},
        target="/api/orders?state=open&state=paid&ids=1,2&page=1", headers={**JSON, "x-key": "k-123456"},
        paginator={"type": "page_number", "variable": "page", "record_path": "data", "total_path": "total"},
    ),
    "swagger body": Case(
        document=SWAGGER, endpoint="create", method="POST", values={"item": "tea", "count": 2, "x_key": "k-123456", "page": 1}, target="/api/orders?page=1",
        headers={"content-type": "application/json", "x-key": "k-123456"}, body=b'{"item":"tea","count":2}',
    ),
    "swagger form and basic": Case(
        document=SWAGGER, endpoint="note", method="POST", values={"id": 5, "text": "a b", "credentials": "ann:s3cret"}, target="/api/orders/5/note",
        headers={"content-type": "application/x-www-form-urlencoded", "authorization": "Basic YW5uOnMzY3JldA=="}, body=b"text=a+b",
    ),
    "swagger file": Case(
        document=SWAGGER, endpoint="upload", method="POST", values={"file": "content", "x_key": "k-123456"}, target="/api/upload",
        headers={"content-type": "multipart/form-data", "x-key": "k-123456"}, body=[("file", "file", "application/octet-stream", b"content")],
    ),
    "a list of links": Case(
        document=doc(
            f"  /x: {{get: {{operationId: x, {listed('links: {type: array, items: {type: object, properties: {rel: {type: string}, href: {type: string}}}}')}}}}}"
        ),
        endpoint="x", target="/v1/x", headers=JSON,
        paginator={"type": "next_url", "next_url_path": "$.links[?@.rel == 'next'].href", "record_path": "items"},
    ),
    "a search by POST, as FastAPI has it": Case(
        document=doc(
            f"  /flows/filter: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{schema: {{type: object, properties: {{offset: {{type: integer, minimum: 0, default: 0}}, limit: {{type: integer, default: 200}}, name: {{anyOf: [{{type: string}}, {{type: 'null'}}]}}}}}}}}}}}}, {LIST}}}}}"
        ),
        endpoint="x", method="POST", target="/v1/flows/filter", headers={**JSON, "content-type": "application/json"}, body=b'{"offset":0}',
        paginator={"type": "offset", "variable": "offset", "limit": 200},
    ),
    "a search by POST with a cursor": Case(
        document=doc(
            f"  /pages: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{schema: {{type: object, required: [query], properties: {{query: {{type: string}}, start_cursor: {{type: string}}}}}}}}}}}}, {listed('next_cursor: {type: string}, has_more: {type: boolean}')}}}}}"
        ),
        endpoint="x", method="POST", values={"query": "tea", "start_cursor": "c2"}, target="/v1/pages", headers={**JSON, "content-type": "application/json"},
        body=b'{"query":"tea","start_cursor":"c2"}',
        paginator={"type": "cursor", "variable": "start_cursor", "cursor_path": "next_cursor", "has_more_path": "has_more", "record_path": "items"},
    ),
    "a search by a form": Case(
        document=doc(
            f"  /search: {{post: {{operationId: x, requestBody: {{content: {{application/x-www-form-urlencoded: {{schema: {{type: object, required: [q], properties: {{q: {{type: string, example: tea}}, page: {{type: integer}}}}}}}}}}}}, {LIST}}}}}"
        ),
        endpoint="x", method="POST", target="/v1/search", headers={**JSON, "content-type": "application/x-www-form-urlencoded"}, body=b"q=tea&page=1",
        paginator={"type": "page_number", "variable": "page"},
    ),
    "the first way in that Swath speaks": Case(
        document=doc(f"  /x: {{get: {{operationId: x, {LIST}}}}}", "security: [{d: []}, {k: []}]\ncomponents: {securitySchemes: {d: {type: http, scheme: digest}, k: {type: apiKey, in: header, name: X-Key}}}"),
        endpoint="x", values={"x_key": "k-123456"}, target="/v1/x", headers={**JSON, "x-key": "k-123456"},
    ),
    "samples that are lists and objects": Case(
        document=doc(
            f"  /x: {{get: {{operationId: x, parameters: [{{in: query, name: tags, required: true, schema: {{type: array, items: {{type: string}}}}, example: [a, b c]}}, {{in: query, name: where, required: true, content: {{application/json: {{schema: {{type: object}}, example: {{a: 1}}}}}}}}], {LIST}}}}}"
        ),
        endpoint="x", target="/v1/x?tags=a&tags=b%20c&where=%7B%22a%22:1%7D", headers=JSON,
    ),
    "swagger with tabs between": Case(
        document=SWAGGER.replace("{name: ids, in: query, type: array, items: {type: string}}", "{name: ids, in: query, type: array, items: {type: string}, collectionFormat: tsv, required: true, x-example: [a, b]}"),
        endpoint="orders", values={"X": 1, "x_key": "k-123456"}, target="/api/orders?ids=a%09b&page=1", headers={**JSON, "x-key": "k-123456"},
    ),
    "json document": Case(
        document=json.dumps(yaml.safe_load(PETSTORE)), endpoint="List all pets", target="/v1/pets", headers=JSON,
    ),
    "bearer": Case(
        document=doc(f"  /me: {{get: {{operationId: me, {ONE}}}}}", "security: [{b: []}]\ncomponents: {securitySchemes: {b: {type: http, scheme: bearer}}}"),
        endpoint="me", values={"token": "t-123456"}, target="/v1/me", headers={**JSON, "authorization": "Bearer t-123456"},
    ),
    "key in the query": Case(
        document=doc(f"  /x: {{get: {{operationId: x, {LIST}}}}}", "security: [{k: []}]\ncomponents: {securitySchemes: {k: {type: apiKey, in: query, name: api_key}}}"),
        endpoint="x", values={"api_key": "k-123456"}, target="/v1/x?api_key=k-123456", headers=JSON,
    ),
    "key in a cookie, beside a cookie parameter": Case(
        document=doc(f"  /x: {{get: {{operationId: x, parameters: [{{in: cookie, name: lang, required: true, schema: {{type: string}}}}], {LIST}}}}}", "security: [{k: []}]\ncomponents: {securitySchemes: {k: {type: apiKey, in: cookie, name: sid}}}"),
        endpoint="x", values={"sid": "s-123456", "lang": "de"}, target="/v1/x", headers={**JSON, "cookie": "lang=de; sid=s-123456"},
    ),
    "an operation that needs nothing": Case(
        document=doc(f"  /x: {{get: {{operationId: x, security: [], {LIST}}}}}", "security: [{b: []}]\ncomponents: {securitySchemes: {b: {type: http, scheme: bearer}}}"),
        endpoint="x", target="/v1/x", headers=JSON,
    ),
    "parameters of the path item": Case(
        document=doc(f"  /t/{{tenant}}/x: {{parameters: [{{in: path, name: tenant, required: true, schema: {{type: string}}}}], get: {{operationId: x, {LIST}}}}}"),
        endpoint="x", values={"tenant": "acme"}, target="/v1/t/acme/x", headers=JSON,
    ),
    "an operation's parameter before the path item's": Case(
        document=doc(f"  /x: {{parameters: [{{in: query, name: a, schema: {{type: string, default: far}}}}], get: {{operationId: x, parameters: [{{in: query, name: a, schema: {{type: string, default: near}}}}], {LIST}}}}}"),
        endpoint="x", target="/v1/x?a=near", headers=JSON,
    ),
    "header parameters": Case(
        document=doc(f"  /x: {{get: {{operationId: x, parameters: [{{in: header, name: X-Trace-Id, required: true, schema: {{type: string}}}}, {{in: header, name: X-Other, schema: {{type: string}}}}, {{in: header, name: Accept, schema: {{type: string}}}}], {LIST}}}}}"),
        endpoint="x", values={"X_Trace_Id": "t1"}, target="/v1/x", headers={**JSON, "x-trace-id": "t1"},
    ),
    "lists in parameters": Case(
        document=doc(f"  /x: {{get: {{operationId: x, parameters: [{{in: query, name: many, schema: {{type: array, items: {{type: string}}}}}}, {{in: query, name: one, explode: false, schema: {{type: array, items: {{type: string}}}}}}, {{in: query, name: pipes, style: pipeDelimited, schema: {{type: array, items: {{type: string}}}}}}], {LIST}}}}}"),
        endpoint="x", values={"many": ["a", "b"], "one": "c,d", "pipes": "e|f"}, target="/v1/x?many=a&many=b&one=c,d&pipes=e%7Cf", headers=JSON,
    ),
    "deep objects": Case(
        document=doc(f"  /x: {{get: {{operationId: x, parameters: [{{in: query, name: filter, style: deepObject, schema: {{type: object, properties: {{state: {{type: string}}, since: {{type: string}}}}}}}}], {LIST}}}}}"),
        endpoint="x", values={"filter_state": "open"}, target="/v1/x?filter[state]=open", headers=JSON,
    ),
    "names that are no identifiers": Case(
        document=doc(f"  /u/{{user-id}}/x: {{get: {{operationId: x, parameters: [{{in: path, name: user-id, required: true, schema: {{type: string}}}}, {{in: query, name: 'page[size]', schema: {{type: integer, default: 3}}}}], {LIST}}}}}"),
        endpoint="x", values={"user_id": "7"}, target="/v1/u/7/x?page[size]=3", headers=JSON,
    ),
    "the same name in two places": Case(
        document=doc(f"  /x/{{id}}: {{get: {{operationId: x, parameters: [{{in: path, name: id, required: true, schema: {{type: string}}}}, {{in: query, name: id, required: true, schema: {{type: string}}}}], {ONE}}}}}"),
        endpoint="x", values={"id": "7", "id_2": "8"}, target="/v1/x/7?id=8", headers=JSON,
    ),
    "a path with more than a name in a segment": Case(
        document=doc(f"  '/x/{{a}}.{{b}}:run': {{get: {{operationId: x, {ONE}}}}}"), endpoint="x", values={"a": "1", "b": "2"}, target="/v1/x/1.2:run", headers=JSON,
    ),
    "server variables": Case(
        document=f"openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\nservers: [{{url: 'https://{{region}}.example.com/{{version}}', variables: {{region: {{default: api}}, version: {{default: v2, enum: [v1, v2]}}}}}}]\npaths:\n  /x: {{get: {{operationId: x, {LIST}}}}}",
        endpoint="x", target="/v2/x", headers=JSON,
    ),
    "an operation's own server": Case(
        document=doc(f"  /x: {{get: {{operationId: x, servers: [{{url: {HOST}/other/}}], {LIST}}}}}"), endpoint="x", target="/other/x", headers=JSON,
    ),
    "a vendor's content type": Case(
        document=doc("  /x: {get: {operationId: x, responses: {'200': {description: ok, content: {application/vnd.api+json: {schema: {type: object, properties: {data: {type: array, items: {type: object}}}}}}}}}}"),
        endpoint="x", target="/v1/x", headers={"accept": "application/vnd.api+json"},
    ),
    "a body by example": Case(
        document=doc(f"  /x: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{example: {{q: 'a {{{{b}}}}', n: [1, 2.5]}}}}}}}}, {NONE}}}}}"),
        endpoint="x", method="POST", target="/v1/x", headers={"content-type": "application/json"}, body=b'{"q":"a {{b}}","n":[1,2.5]}',
    ),
    "a body by named examples": Case(
        document=doc(f"  /x: {{put: {{operationId: x, requestBody: {{content: {{application/merge-patch+json: {{examples: {{one: {{$ref: '#/components/examples/One'}}}}}}}}}}, {NONE}}}}}", "components: {examples: {One: {value: {a: true}}}}"),
        endpoint="x", method="PUT", target="/v1/x", headers={"content-type": "application/merge-patch+json"}, body=b'{"a":true}',
    ),
    "a nested body": Case(
        document=doc(f"  /x: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{schema: {{type: object, required: [q, range, tags], properties: {{q: {{type: string}}, range: {{type: object, required: [from], properties: {{from: {{type: string, format: date}}, to: {{type: string}}}}}}, tags: {{type: array, items: {{type: string, enum: [a, b]}}}}, size: {{type: integer}}}}}}}}}}}}, {NONE}}}}}"),
        endpoint="x", method="POST", values={"q": "tea"}, target="/v1/x", headers={"content-type": "application/json"},
        body=b'{"q":"tea","range":{"from":"2024-01-31"},"tags":["a"]}',
    ),
    "a text body": Case(
        document=doc(f"  /x: {{post: {{operationId: x, requestBody: {{content: {{text/csv: {{schema: {{type: string}}}}}}}}, {NONE}}}}}"),
        endpoint="x", method="POST", values={"body": "a,b"}, target="/v1/x", headers={"content-type": "text/csv"}, body=b"a,b",
    ),
    "schemas in a ring": Case(
        document=doc("  /x: {post: {operationId: x, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}, responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}}}}",
                     "components: {schemas: {Node: {type: object, required: [name], properties: {name: {type: string}, parent: {$ref: '#/components/schemas/Node'}, children: {type: array, items: {$ref: '#/components/schemas/Node'}}}}, Loop: {$ref: '#/components/schemas/Loop'}}}"),
        endpoint="x", method="POST", values={"name": "n"}, target="/v1/x", headers={**JSON, "content-type": "application/json"}, body=b'{"name":"n"}',
    ),
    "3.1: null among the types, examples, const": Case(
        document=doc(f"  /x: {{get: {{operationId: x, parameters: [{{in: query, name: n, required: true, schema: {{type: [integer, 'null'], examples: [42]}}}}, {{in: query, name: mode, required: true, schema: {{const: full}}}}], {LIST}}}}}", version="3.1.0"),
        endpoint="x", target="/v1/x?n=42&mode=full", headers=JSON,
    ),
    "allOf and oneOf": Case(
        document=doc(f"  /x: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{schema: {{allOf: [{{type: object, required: [a], properties: {{a: {{type: string}}}}}}, {{type: object, required: [b], properties: {{b: {{oneOf: [{{type: 'null'}}, {{type: integer}}]}}}}}}]}}}}}}}}, {NONE}}}}}", version="3.1.0"),
        endpoint="x", method="POST", values={"a": "1", "b": "2"}, target="/v1/x", headers={"content-type": "application/json"}, body=b'{"a":"1","b":2}',
    ),
    "forge: page and Link header": Case(
        document=doc("  /users/{username}/repos: {get: {operationId: repos, parameters: [{in: path, name: username, required: true, schema: {type: string}, example: octocat}, {in: query, name: per_page, schema: {type: integer, default: 30}}, {in: query, name: page, schema: {type: integer, default: 1}}], responses: {'200': {description: ok, headers: {Link: {schema: {type: string}}}, content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {type: integer}}}}}}}}}}"),
        endpoint="repos", target="/v1/users/octocat/repos?per_page=30&page=1", headers=JSON, paginator={"type": "header_link"},
    ),
    "FastAPI: skip and limit": Case(
        document=doc(f"  /items/: {{get: {{summary: Read Items, parameters: [{{name: skip, in: query, required: false, schema: {{type: integer, default: 0, title: Skip}}}}, {{name: limit, in: query, required: false, schema: {{type: integer, default: 100, title: Limit}}}}], {LIST}}}}}", version="3.1.0"),
        endpoint="Read Items", target="/v1/items/?skip=0&limit=100", headers=JSON, paginator={"type": "offset", "variable": "skip", "limit": 100},
    ),
    "DRF: next and count": Case(
        document=doc(f"  /posts/: {{get: {{operationId: posts_list, parameters: [{{name: page, in: query, schema: {{type: integer}}}}], {listed('count: {type: integer, example: 123}, next: {type: string, nullable: true, format: uri}, previous: {type: string, format: uri}')}}}}}"),
        endpoint="posts_list", target="/v1/posts/", headers=JSON, paginator={"type": "next_url", "next_url_path": "next", "record_path": "items", "total_path": "count"},
    ),
    "Spring: page from 0": Case(
        document=doc(f"  /api/users: {{get: {{operationId: users, parameters: [{{name: page, in: query, schema: {{type: integer, minimum: 0, default: 0}}}}, {{name: size, in: query, schema: {{type: integer, minimum: 1, default: 20}}}}], {listed('totalElements: {type: integer}, last: {type: boolean}')}}}}}"),
        endpoint="users", target="/v1/api/users?page=0&size=20", headers=JSON,
        paginator={"type": "page_number", "variable": "page", "start": 0, "record_path": "items", "total_path": "totalElements"},
    ),
    "a cursor": Case(
        document=doc(f"  /events: {{get: {{operationId: events, parameters: [{{name: starting_after, in: query, schema: {{type: string}}}}], {listed('next_cursor: {type: string}, has_more: {type: boolean}')}}}}}"),
        endpoint="events", target="/v1/events", headers=JSON,
        paginator={"type": "cursor", "variable": "starting_after", "cursor_path": "next_cursor", "record_path": "items", "has_more_path": "has_more"},
    ),
    "page tokens": Case(
        document=doc(f"  /v1/things: {{get: {{operationId: things, parameters: [{{name: pageToken, in: query, schema: {{type: string}}}}, {{name: maxResults, in: query, schema: {{type: integer}}}}], {listed('nextPageToken: {type: string}')}}}}}"),
        endpoint="things", target="/v1/v1/things", headers=JSON,
        paginator={"type": "cursor", "variable": "pageToken", "cursor_path": "nextPageToken", "record_path": "items"},
    ),
    "OData": Case(
        document=doc("  /Orders: {get: {operationId: Orders, parameters: [{name: $top, in: query, schema: {type: integer, default: 50}}], responses: {'200': {description: ok, content: {application/json: {schema: {type: object, properties: {value: {type: array, items: {type: object}}, '@odata.nextLink': {type: string, format: uri}}}}}}}}}"),
        endpoint="Orders", target="/v1/Orders?$top=50", headers=JSON,
        paginator={"type": "next_url", "next_url_path": '["@odata.nextLink"]', "record_path": "value"},
    ),
    "a cursor that no parameter takes": Case(
        document=doc(f"  /events: {{get: {{operationId: events, {listed('cursor: {type: string}')}}}}}"), endpoint="events", target="/v1/events", headers=JSON, paginator={},
    ),
}  # fmt: skip


STYLES = "parameters: [{name: a, in: path, required: true, style: matrix, schema: {type: string}}, {name: b, in: path, required: true, style: label, schema: {type: string}}]"
LISTS = "parameters: [{name: ids, in: path, required: true, schema: {type: array, items: {type: integer}}}, {name: X-Ids, in: header, required: true, schema: {type: array, items: {type: string}}}]"
FIELDS = "{type: object, required: [name], properties: {name: {type: string}}}"
OBJECTS = f"parameters: [{{name: f, in: query, required: true, style: deepObject, schema: {FIELDS}}}, {{name: g, in: query, required: true, schema: {{type: object, required: [kind], properties: {{kind: {{type: string}}}}}}}}]"
FILE = "requestBody: {content: {multipart/form-data: {schema: {type: object, required: [f], properties: {f: {contentMediaType: text/csv}}}}}}"
CASES |= {
    "styles of a path": Case(document=doc(f"  /x/{{a}}/{{b}}:\n    get: {{{STYLES}, {ONE}}}"), endpoint="GET /x/{a}/{b}", target="/v1/x/;a=1/.2", values={"a": "1", "b": "2"}, headers=JSON),
    "lists in a path and a header": Case(document=doc(f"  /x/{{ids}}:\n    get: {{{LISTS}, {ONE}}}"), endpoint="GET /x/{ids}", target="/v1/x/1%2C2", values={"ids": "1,2", "X_Ids": "a,b"}, headers={**JSON, "x-ids": "a,b"}),
    "objects in a query": Case(document=doc(f"  /x:\n    get: {{{OBJECTS}, {ONE}}}"), endpoint="GET /x", target="/v1/x?f[name]=n&kind=k", values={"f_name": "n", "kind": "k"}, headers=JSON),
    "a file of 3.1": Case(document=doc(f"  /x:\n    post: {{{FILE}, {NONE}}}", version="3.1.0"), endpoint="POST /x", method="POST", target="/v1/x", values={"f": "a,b"}, headers={"content-type": "multipart/form-data"}, body=[("f", "f", "text/csv", b"a,b")]),
    "a relative server of one operation": Case(document=doc(f"  /x:\n    get: {{servers: [{{url: ./other/}}], {ONE}}}"), endpoint="GET /x", target="/other/x", headers=JSON),
    "a server with a host behind one without": Case(document=doc(f"  /x:\n    get: {{servers: [{{url: /v9}}, {{url: \"{HOST}/v2\"}}], {ONE}}}"), endpoint="GET /x", target="/v2/x", headers=JSON),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_what_is_described_is_sent(name: str, upstream: Scripted) -> None:
    """Method, address, headers and body; and the paginator that parameters and response speak for."""
    case = CASES[name]
    imported = read_openapi(case.document)
    check_formula(imported)
    imported = relocated(imported, upstream)
    (sent,) = await send(imported, upstream, case.values, [case.endpoint])
    assert sent == Told(case.method, str(Url(upstream.url + case.target)), case.headers, case.body)
    if case.paginator is not None:
        assert imported.formula["workflows"][case.endpoint].get("paginator", {}) == case.paginator


def test_lists_come_first_and_only_they_are_workflows() -> None:
    imported = read_openapi(PETSTORE)
    assert list(imported.formula["endpoints"]) == ["List all pets", "Create a pet", "Info for a specific pet"]
    assert list(imported.formula["workflows"]) == ["List all pets"]


def test_variables_say_what_the_document_says() -> None:
    """Type, default, whether required, description and sample."""
    imported = read_openapi(
        doc(
            "  /x/{id}: {get: {operationId: x, parameters: [{in: path, name: id, required: true, description: 'The  id.', schema: {type: integer}, examples: {a: {value: 7}}},"
            f" {{in: query, name: sort, schema: {{type: string, enum: [new, old], default: old}}}}, {{in: query, name: access_token, schema: {{type: string}}, example: t-123456}}], {ONE}}}}}"
        )
    )
    assert imported.formula["endpoints"]["x"]["variables"] == {
        "id": {"type": "integer", "description": "The id.", "sample": 7},
        "sort": {"required": False, "default": "old", "sample": "new"},
        "access_token": {"required": False, "secret": True},
    }


def test_a_post_that_makes_something_is_no_search() -> None:
    """Though it answers with a list, as one for many at a time does."""
    imported = read_openapi(
        doc(
            f"  /items: {{post: {{operationId: x, requestBody: {{content: {{application/json: {{schema: {{type: object, properties: {{name: {{type: string}}}}}}}}}}}}, {LIST}}}}}"
        )
    )
    assert "workflows" not in imported.formula
    assert "x: Optional fields of the body were left out: name." in imported.notes


def test_a_token_by_client_credentials_is_fetched() -> None:
    """The workflow has what the flow describes."""
    imported = read_openapi(
        doc(
            f"  /x: {{get: {{operationId: x, security: [{{o: [read]}}], {LIST}}}}}",
            f"components: {{securitySchemes: {{o: {{type: oauth2, flows: {{clientCredentials: {{tokenUrl: '{HOST}/token', scopes: {{read: r, write: w}}}}}}}}}}}}",
        )
    )
    check_formula(imported)
    auth = read_workflow(imported, "x").auth
    assert auth is not None
    assert (auth.variable, auth.url) == ("access_token", f"{HOST}/token")
    assert auth.body is not None
    assert auth.body.form == {
        "grant_type": "client_credentials",
        "client_id": "{{client_id}}",
        "client_secret": "{{client_secret}}",
        "scope": "read",
    }


def test_what_cannot_be_carried_is_listed() -> None:
    """Other ways to be let in, logins, outside references, webhooks, optional fields."""
    imported = read_openapi(
        doc(
            "  /x: {get: {operationId: x, parameters: [{in: query, name: old, deprecated: true, schema: {type: string}}, {in: cookie, name: c, schema: {type: string}}, {$ref: 'common.yaml#/p'}],"
            " requestBody: {content: {application/json: {schema: {type: object, properties: {a: {type: string}}}}}}, "
            + LIST
            + "}}",
            "security: [{o: []}, {d: []}]\nwebhooks: {a: {}}\ncomponents: {securitySchemes: {d: {type: http, scheme: digest}, o: {type: oauth2, flows: {implicit: {authorizationUrl: x}}}}}",
        )
    )
    notes = "\n".join(imported.notes)
    for part in (
        "common.yaml#/p",
        "old is deprecated",
        "cookie c",
        "log in",
        "not d",
        "webhooks",
        "Optional fields of the body were left out: a",
    ):
        assert part in notes


def test_evidence_is_told() -> None:
    case = CASES["DRF: next and count"]
    assert (
        "posts_list pages by next_url: its answers have next, the address of a next page; items is the list; count is a total."
        in read_openapi(case.document).notes
    )


#: As a framework writes a document by itself: without servers.
BARE = f"openapi: 3.1.0\ninfo: {{title: FastAPI, version: '1'}}\npaths: {{/items/: {{get: {{summary: Items, {LIST}}}}}}}"


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("", "openapi", "an object with keys"),
        ("[1]", "openapi", "an object with keys"),
        ("a: [", "openapi", "line 2, column 1"),
        ("a: 1", "openapi", "swagger"),
        ("openapi: 3.0.0\npaths: {}", "paths", "no operation"),
        (
            f"openapi: 3.0.0\nservers: [{{url: /v1}}]\npaths: {{/x: {{get: {{{LIST}}}}}}}",
            "base_url",
            "the document says only '/v1'. Say where the API is: --base-url",
        ),
        (BARE, "base_url", "the document names no server"),
    ],
)
def test_a_document_that_cannot_be_read_is_explained(text: str, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_openapi(text)
    assert refused.value.fields[0][0] == field
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("servers", "base_url", "target"),
    [
        ("", HOST, "/items/"),
        ("", f"{HOST}/", "/items/"),
        ("", f"{HOST}/api/v2/", "/api/v2/items/"),
        ("servers: [{url: /}]", HOST, "/items/"),
        ("servers: [{url: /v1}]", f"{HOST}/api", "/api/v1/items/"),
        ("servers: [{url: 'https://other.example/v1'}]", HOST, "/items/"),
        ("servers: [{url: 'https://other.example/v1'}, {url: ./v2}]", HOST, "/v2/items/"),
    ],
)
async def test_where_the_api_is_can_be_given(
    servers: str, base_url: str, target: str, upstream: Scripted
) -> None:
    """In place of a document that does not say it, or says another place; servers without a host lie below it."""
    imported = read_openapi(f"{BARE}\n{servers}", base_url)
    check_formula(imported)
    (sent,) = await send(relocated(imported, upstream), upstream)
    assert sent.url == upstream.url + target


def test_swagger_without_a_host_takes_the_address_that_is_given() -> None:
    document = SWAGGER.replace("host: api.example.com\n", "")
    imported = read_openapi(document, "http://127.0.0.1:8000")
    assert imported.formula["endpoints"]["orders"]["url"] == "http://127.0.0.1:8000/api/orders"


@pytest.mark.parametrize(
    ("servers", "target"),
    [
        ("", "/items/"),
        ("servers: [{url: /v1}]", "/v1/items/"),
        ("servers: [{url: ../v2/}]", "/v2/items/"),
        ("servers: [{url: '/{base}', variables: {base: {default: v3}}}]", "/v3/items/"),
    ],
)
async def test_servers_without_a_host_lie_where_the_document_was_found(
    servers: str, target: str, upstream: Scripted
) -> None:
    imported = read("openapi", f"{BARE}\n{servers}", found_at=f"{HOST}/docs/openapi.json?full=1")
    check_formula(imported)
    (sent,) = await send(relocated(imported, upstream), upstream, {"base": "v3"})
    assert sent.url == upstream.url + target


def test_a_server_that_has_a_host_is_where_it_says() -> None:
    """Wherever the document was found."""
    found = read("openapi", f"{BARE}\nservers: [{{url: 'https://other.example/v1'}}]", found_at=HOST)
    (endpoint,) = found.formula["endpoints"].values()
    assert endpoint["url"] == "https://other.example/v1/items/"


@pytest.mark.parametrize(
    "base_url", ["api.example.com", "ftp://a.example", f"{HOST}/x?y=1", "https://me:pw@a.example"]
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_openapi(BARE, base_url)
    assert refused.value.fields[0][0] == "base_url"


def test_other_sources_take_no_address() -> None:
    with pytest.raises(InvalidInput, match="Only for OpenAPI documents"):
        read("curl", f"curl {HOST}", HOST)
    assert read("openapi", BARE, HOST) == read_openapi(BARE, HOST)


def test_schemas_that_refer_to_each_other_have_an_end() -> None:
    """Sixty schemas, each with all others in it, required and as parts: read, and of bounded size."""
    names = [f"S{number}" for number in range(60)]
    references = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    schemas = {
        name: {
            "type": "object",
            "properties": references,
            "required": names,
            "allOf": list(references.values()),
        }
        for name in names
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}
    operation = {
        "operationId": "x",
        "requestBody": {"content": content},
        "responses": {"200": {"description": "ok", "content": content}},
    }
    document = {
        "openapi": "3.0.0",
        "servers": [{"url": HOST}],
        "paths": {"/x": {"post": operation}},
        "components": {"schemas": schemas},
    }
    imported = read_openapi(json.dumps(document))
    assert len(json.dumps(imported.formula)) < 2_000_000


def test_texts_of_yaml_stay_texts() -> None:
    """Countries named `no`, dates and times are what they look like."""
    imported = read_openapi(
        doc(
            f"  /x: {{get: {{operationId: x, parameters: [{{in: query, name: a, schema: {{enum: [no, yes]}}}}, {{in: query, name: b, example: 2024-01-31}}, {{in: query, name: c, example: 12:30}}], {LIST}}}}}"
        )
    )
    variables = imported.formula["endpoints"]["x"]["variables"]
    assert [variables[name]["sample"] for name in "abc"] == ["no", "2024-01-31", "12:30"]
