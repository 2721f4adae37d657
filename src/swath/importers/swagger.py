"""Swagger 2 documents, written as OpenAPI 3, so that there is one reading of both."""

from typing import Any, Final

from swath.flow.definition import Json
from swath.importers.documents import References, as_list, as_object

Node = dict[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
#: What a parameter says of its value itself, and OpenAPI 3 in a schema.
_OF_SCHEMA: Final = frozenset(
    "type format items default enum minimum maximum pattern example collectionFormat".split()  # noqa: SIM905
)
_STYLES: Final[dict[str, Node]] = {
    "csv": {"explode": False},
    "ssv": {"style": "spaceDelimited", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
    "tsv": {"style": "tabDelimited", "explode": False},
    "multi": {"explode": True},
}
_FLOWS: Final = {"application": "clientCredentials", "accessCode": "authorizationCode"}


def upgrade(document: Node) -> Node:
    """Return a Swagger 2 document in the shape of OpenAPI 3; references keep leading to where they led."""
    references = References(document)
    paths: Node = {}
    for path, item in references.object(document.get("paths")).items():
        known = references.object(item)
        shared = list(references.list(known.get("parameters")))
        paths[path] = {
            method: _operation(references, document, known[method], shared)
            for method in _METHODS
            if isinstance(known.get(method), dict)
        }
    schemes = {
        name: _scheme(references.object(scheme))
        for name, scheme in references.object(document.get("securityDefinitions")).items()
    }
    return {
        **document,
        "openapi": "3.0.0",
        "servers": _servers(document),
        "paths": paths,
        "components": {"securitySchemes": schemes},
    }


def _servers(document: Node) -> list[Node]:
    host, base = document.get("host"), str(document.get("basePath") or "")
    schemes = [str(each) for each in as_list(document.get("schemes"))] or ["https"]
    scheme = "https" if "https" in schemes else schemes[0]
    return [{"url": f"{scheme}://{host}{base.rstrip('/')}" if host else base or "/"}]


def _operation(references: References, document: Node, operation: Node, shared: list[Node]) -> Node:
    own = list(references.list(operation.get("parameters")))
    named = {(str(each.get("in")), str(each.get("name"))) for each in own}
    given = own + [each for each in shared if (str(each.get("in")), str(each.get("name"))) not in named]
    consumes = _kinds(operation.get("consumes", document.get("consumes")))
    produces = _kinds(operation.get("produces", document.get("produces")))
    body = _body([each for each in given if each.get("in") in ("body", "formData")], consumes)
    return {
        **operation,
        "parameters": [_parameter(each) for each in given if each.get("in") not in ("body", "formData")],
        **({"requestBody": body} if body else {}),
        "responses": {
            code: _response(references.object(response), produces)
            for code, response in references.object(operation.get("responses")).items()
        },
    }


def _kinds(listed: Json) -> list[str]:
    return [str(each) for each in as_list(listed)] or ["application/json"]


def _parameter(given: Node) -> Node:
    schema = {key: value for key, value in given.items() if key in _OF_SCHEMA}
    rest = {key: value for key, value in given.items() if key not in _OF_SCHEMA}
    style: Node = (
        _STYLES.get(str(given.get("collectionFormat", "csv")), {}) if given.get("type") == "array" else {}
    )
    example = given.get("x-example", given.get("example"))
    return {**rest, **style, "schema": schema, **({} if example is None else {"example": example})}


def _body(given: list[Node], consumes: list[str]) -> Node | None:
    if not given:
        return None
    if given[0].get("in") == "body":
        kind = next((each for each in consumes if "json" in each), consumes[0])
        return {
            "required": given[0].get("required", False),
            "content": {kind: {"schema": given[0].get("schema", {})}},
        }
    files = any(each.get("type") == "file" for each in given) or "multipart/form-data" in consumes
    kind = "multipart/form-data" if files else "application/x-www-form-urlencoded"
    properties = {str(each.get("name")): _field(each) for each in given}
    required = [str(each.get("name")) for each in given if each.get("required")]
    return {"content": {kind: {"schema": {"type": "object", "properties": properties, "required": required}}}}


def _field(given: Node) -> Node:
    if given.get("type") == "file":
        return {"type": "string", "format": "binary"}
    return {key: value for key, value in given.items() if key in _OF_SCHEMA or key == "description"}


def _response(response: Node, produces: list[str]) -> Node:
    schema: Json = response.get("schema")
    headers = {
        name: {"schema": {key: value for key, value in header.items() if key in _OF_SCHEMA}}
        for name, header in as_object(response.get("headers")).items()
        if isinstance(header, dict)
    }
    content = {} if schema is None else {kind: {"schema": schema} for kind in produces}
    return {**response, "headers": headers, "content": content}


def _scheme(scheme: Node) -> Node:
    if scheme.get("type") == "basic":
        return {"type": "http", "scheme": "basic"}
    if scheme.get("type") != "oauth2":
        return scheme
    flow = str(scheme.get("flow"))
    details = {key: scheme.get(key) for key in ("authorizationUrl", "tokenUrl", "scopes")}
    return {"type": "oauth2", "flows": {_FLOWS.get(flow, flow): details}}
