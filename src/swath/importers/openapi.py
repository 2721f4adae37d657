"""OpenAPI 3 and Swagger 2 documents: every operation an endpoint, every list of things a workflow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urljoin

from swath.errors import InvalidInput
from swath.flow.definition import Json, Paginator
from swath.importers.addresses import parse_address
from swath.importers.bundles import Folder, bundle
from swath.importers.documents import References, as_list, as_object, read_document
from swath.importers.holes import hole, identifier
from swath.importers.imported import Draft, Imported
from swath.importers.listings import write_paginator
from swath.importers.parameters import Parameters, build_body, describe
from swath.importers.promises import evidence, find_promised, is_list, promise_page
from swath.importers.schemas import Schemas
from swath.importers.security import Credentials, read_security
from swath.importers.swagger import upgrade

Node = dict[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_BRACES: Final = re.compile(r"\{\+?([^{}]+?)\*?\}")


#: What operations are called that ask for a list by a POST.
_SEARCH: Final = re.compile(r"_?(?:search|query|filter|find|list|lookup)", re.IGNORECASE)


def read_openapi(text: str, base_url: str = "", found_at: str = "", folder: Folder | None = None) -> Imported:
    """Return the formula of a document in JSON or YAML, OpenAPI 3 or Swagger 2.

    All operations become endpoints, and those that get lists workflows, which come first; the workflows
    over others are spare. `base_url` says where the API is, in place of the document; servers without a
    host lie where the document was `found_at`. References to others in its `folder` are followed, if there
    is one. Raises InvalidInput.
    """
    document = read_document(text, "openapi")
    if folder is not None:
        document = bundle(document, folder)
    if str(document.get("swagger", "")).startswith("2"):
        document = upgrade(document)
    if not str(document.get("openapi", "")).startswith("3"):
        raise InvalidInput("openapi", 'Blank. Needs `openapi: "3..."` or `swagger: "2.0"` at the top.')
    if base_url:
        document = _placed(document, base_url)
    elif found_at:
        document = _located(document, found_at)
    return _Reader(document).read()


@dataclass(slots=True)
class _Operation:
    """An operation and what was read of it."""

    name: str
    endpoint: Node
    parameters: Parameters
    credentials: Credentials
    paginator: Paginator | None
    is_list: bool


class _Reader:
    def __init__(self, document: Node) -> None:
        self.document = document
        self.references = References(document)
        self.schemas = Schemas(self.references)
        self.draft = Draft()
        components = self.references.object(document.get("components"))
        self.schemes = self.references.object(components.get("securitySchemes"))

    def read(self) -> Imported:
        operations = [self._operation(*each) for each in self._operations()]
        if not operations:
            raise InvalidInput("paths", "Blank. There is no operation in the document.")
        for each in sorted(operations, key=lambda operation: not operation.is_list):
            self._keep(each)
        if self.references.outside:
            listed = ", ".join(self.references.outside)
            self.draft.note(
                f"References to other documents were not followed: {listed}. Bundle them into one."
            )
        for key in ("webhooks", "callbacks"):
            if self.document.get(key):
                self.draft.note(f"The {key} were left out: they are requests to you, not by you.")
        if not self.draft.endpoints:
            raise InvalidInput("paths", " ".join(self.draft.notes))
        return self.draft.finish()

    def _operations(self) -> Iterator[tuple[str, str, Node, Node]]:
        for path, item in self.references.object(self.document.get("paths")).items():
            known = self.references.object(item)
            for method in _METHODS:
                if isinstance(known.get(method), dict):
                    yield method.upper(), str(path), known, known[method]

    # --- one operation

    def _operation(self, method: str, path: str, item: Node, operation: Node) -> _Operation:
        own = list(self.references.list(operation.get("parameters")))
        named = {_place(each) for each in own}
        given = own + [
            each for each in self.references.list(item.get("parameters")) if _place(each) not in named
        ]
        parameters = Parameters(self.schemas)
        for each in given:
            parameters.add(each)
        credentials = read_security(
            operation.get("security", self.document.get("security")), self.schemes, self.references
        )
        url = self._server(item, operation, parameters) + self._path(path, parameters)
        response, accept = self._response(operation)
        endpoint = self._endpoint(method, url, accept, operation, parameters, credentials)
        fields = [{"in": "query", "name": key, "schema": each} for key, each in parameters.left.items()]
        page = promise_page(response, [*given, *fields], self.schemas)
        has_rows = is_list(path, page.body)
        paginator = find_promised(page, _names(parameters, endpoint)) if has_rows else None
        name = _name(method, path, operation)
        asks = method == "GET" or (method == "POST" and _is_search(path, paginator, parameters))
        return _Operation(name, endpoint, parameters, credentials, paginator, has_rows and asks)

    def _endpoint(
        self,
        method: str,
        url: str,
        accept: str,
        operation: Node,
        parameters: Parameters,
        credentials: Credentials,
    ) -> Node:
        body, kind = build_body(
            self.references.object(operation.get("requestBody")), self.schemas, parameters
        )
        headers = {**({"Accept": accept} if accept else {}), **parameters.headers, **credentials.headers}
        if kind:
            headers["Content-Type"] = kind
        if cookies := [*parameters.cookies, *credentials.cookies]:
            headers["Cookie"] = "; ".join(cookies)
        return {
            "method": method,
            "url": url,
            "query": {**parameters.query, **credentials.query},
            "headers": headers,
            "body": body,
            "variables": {**parameters.variables, **credentials.variables},
        }

    def _server(self, item: Node, operation: Node, parameters: Parameters) -> str:
        servers = self._servers(operation) or self._servers(item) or self._servers(self.document)
        server = servers[0] if servers else {}
        url = self._whole(str(server.get("url") or "/"))
        known = self.references.object(server.get("variables"))
        origin = re.match(r"[a-z]+://[^/]*", _filled(url, known))
        if origin is None:
            said = f"says only {url!r}" if servers else "names no server"
            raise InvalidInput(
                "base_url",
                f"Blank, and the document {said}. Say where the API is: --base-url https://host on the "
                "command line, ?base_url=https://host in the API.",
            )
        if len(servers) > 1:
            others = ", ".join(str(each.get("url")) for each in servers[1:])
            self.draft.note(f"Of several servers the first is taken; the others are {others}.")
        head = re.match(r"[a-z]+://[^/]*|", url)
        rest = url[head.end() :] if head else ""
        return origin[0] + _BRACES.sub(
            lambda found: self._server_hole(found[1], known, parameters), rest
        ).rstrip("/")

    def _servers(self, holder: Node) -> list[Node]:
        """Return the servers that stand somewhere, those with a host first."""
        servers = [self.references.object(each) for each in as_list(holder.get("servers"))]
        return sorted(servers, key=lambda each: "//" not in str(each.get("url")))

    def _whole(self, url: str) -> str:
        """Return a server's address with the host of the document's, where it has none itself."""
        if url.startswith("//"):
            return f"https:{url}"
        for server in [] if "://" in url else self._servers(self.document):
            known, whole = self.references.object(server.get("variables")), str(server.get("url"))
            whole = f"https:{whole}" if whole.startswith("//") else whole
            found = re.match(r"[a-z]+://[^/]*", _filled(whole, known))
            if found:
                return f"{found[0]}/{url.lstrip('./')}"
        return url

    def _server_hole(self, name: str, known: Node, parameters: Parameters) -> str:
        described = self.references.object(known.get(name))
        given = {"schema": described, "description": described.get("description")}
        return hole(
            parameters.names.get(("server", name)) or parameters.declare(name, "server", given, required=True)
        )

    def _path(self, path: str, parameters: Parameters) -> str:
        def fill(found: re.Match[str]) -> str:
            known = parameters.names.get(("path", found[1]))
            variable = known or parameters.declare(found[1], "path", {}, required=True)
            return parameters.openings.get(found[1], "") + hole(variable)

        return _BRACES.sub(fill, path if path.startswith("/") else f"/{path}").partition("#")[0]

    def _response(self, operation: Node) -> tuple[Node, str]:
        """Return the first good response, and its content type of JSON."""
        known = self.references.object(operation.get("responses"))
        responses = {str(code): response for code, response in known.items()}
        code = next((code for code in sorted(responses) if code.startswith("2")), "default")
        response = self.references.object(responses.get(code))
        kinds = [kind for kind in as_object(response.get("content")) if "json" in kind.lower()]
        return response, next((kind for kind in kinds if kind == "application/json"), next(iter(kinds), ""))

    # --- keeping

    def _keep(self, operation: _Operation) -> None:
        paginator = self._apply(operation) if operation.is_list else None
        name = self.draft.add_endpoint(operation.name, operation.endpoint)
        if name is None:
            return
        self.draft.note(*(f"{name}: {note}" for note in operation.parameters.notes))
        if left := operation.parameters.left:
            self.draft.note(f"{name}: Optional fields of the body were left out: {', '.join(left)}.")
        self.draft.note(*operation.credentials.notes)
        mappings, inputs = self._values(name, operation, paginator)
        workflow: Node = {"mappings": mappings, "inputs": inputs, "auth": operation.credentials.auth}
        if paginator is not None:
            workflow["paginator"] = write_paginator(paginator)
            self.draft.note(f"{name} pages by {paginator.type}: {'; '.join(evidence(paginator))}.")
        self.draft.add_workflow(name, name, workflow, spare=not operation.is_list)

    def _apply(self, operation: _Operation) -> Paginator | None:
        """Put the paginator's variable where the operation has its parameter."""
        paginator = operation.paginator
        if paginator is None or paginator.variable is None:
            return paginator
        name = paginator.variable
        endpoint = operation.endpoint
        variable = operation.parameters.names.get(("query", name)) or identifier(name)
        if name not in endpoint["query"]:
            fields = next(iter(endpoint["body"].values()))
            fields[name] = hole(variable)
        schema = operation.parameters.left.pop(name, {})
        endpoint["variables"].setdefault(variable, describe(self.schemas, {"schema": schema}, required=True))
        return replace(paginator, variable=variable)

    def _values(
        self, name: str, operation: _Operation, paginator: Paginator | None
    ) -> tuple[list[Node], Node]:
        """Map what must be given and has samples to collections of these; note the rest.

        A sample that is a list or an object itself is a constant.
        """
        mappings, inputs, missing = list[Node](), dict[str, Json](), list[str]()
        fetched = (operation.credentials.auth or {}).get("variable")
        apart = {fetched, "client_id", paginator.variable if paginator else None}
        for variable, known in operation.endpoint["variables"].items():
            is_open = known.get("required", True) and not known.get("secret") and "default" not in known
            if not is_open or variable in apart:
                continue
            sample = known.get("sample")
            if isinstance(sample, list | dict) and known.get("type") == "json":
                inputs[variable] = sample
            elif isinstance(sample, str | int | float) and not isinstance(sample, bool):
                collection = self.draft.collect(variable, [sample])
                mappings.append({"target_variable_name": variable, "source_collection": collection})
            else:
                missing.append(variable)
        if missing and operation.is_list:
            self.draft.note(f"{name} needs values for {', '.join(missing)}: map a collection to each.")
        return mappings, inputs


def _placed(document: Node, base_url: str) -> Node:
    """Return a document that lies at an address: with its own servers below it, if these name no host."""
    parsed = parse_address(base_url, "base_url")
    if parsed.username or parsed.query_string is not None or parsed.fragment is not None:
        raise InvalidInput(
            "base_url", "Takes an address without a login, query or fragment: https://host/path."
        )
    servers = [as_object(each) for each in as_list(document.get("servers"))]
    below = [each for each in servers if "//" not in str(each.get("url"))] or [{}]
    root = base_url.rstrip("/")
    placed = [{**each, "url": f"{root}/{str(each.get('url') or '').lstrip('./')}"} for each in below]
    return {**document, "servers": placed}


def _located(document: Node, address: str) -> Node:
    """Return a document whose servers have the host of its address, where they have none themselves."""
    servers = [as_object(each) for each in as_list(document.get("servers"))] or [{}]
    urls = [str(each.get("url") or "/") for each in servers]
    located = [
        each if "//" in url else {**each, "url": urljoin(address, url)}
        for each, url in zip(servers, urls, strict=True)
    ]
    return {**document, "servers": located}


def _place(parameter: Node) -> tuple[str, str]:
    return str(parameter.get("in")), str(parameter.get("name"))


def _names(parameters: Parameters, endpoint: Node) -> list[str]:
    """Return what a paginator's variable can be: parameters of the query, and fields of the body."""
    body = endpoint["body"] or {}
    fields = body.get("json", body.get("form"))
    names = [name for place, name in parameters.names if place == "query"]
    return names + ([*fields, *parameters.left] if isinstance(fields, dict) else [])


def _is_search(path: str, paginator: Paginator | None, parameters: Parameters) -> bool:
    """Tell whether a POST asks for a list: by its name, or by a field of its body for the page."""
    if _SEARCH.fullmatch(path.rstrip("/").rpartition("/")[2]):
        return True
    return paginator is not None and paginator.variable in parameters.left


def _filled(url: str, known: Node) -> str:
    """Return an address with the defaults of its variables."""
    return _BRACES.sub(lambda found: _default(known, found[1]), url)


def _default(known: Node, name: str) -> str:
    described = known.get(name)
    return str(described.get("default", "")) if isinstance(described, dict) else ""


def _name(method: str, path: str, operation: Node) -> str:
    text = " ".join(str(operation.get("summary") or operation.get("operationId") or "").split())
    return text[:80].rstrip(".") or f"{method} {path}"
