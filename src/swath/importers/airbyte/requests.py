"""Requesters: where a stream asks, with what parameters, headers and body."""

import re
from dataclasses import dataclass, field
from typing import Any

from swath.flow.definition import Json
from swath.importers.airbyte.interpolation import Interpolation
from swath.importers.holes import hole, identifier

Node = dict[str, Any]


@dataclass(slots=True)
class Draw:
    """A request that is being put together."""

    method: str = "GET"
    url: str = ""
    query: dict[str, Json] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Node | None = None

    def inject(
        self, option: Node, value: Json, interpolation: Interpolation, default: str = ""
    ) -> str | None:
        """Put a value where a request option says, and return the name of its field; JSON keeps its type."""
        place = option.get("inject_into")
        path = option.get("field_path")
        name = interpolation.text(option.get("field_name") or default, "field_name")
        if place == "header":
            self.headers[name] = str(value)
        elif place == "body_data":
            self._fields("form")[name] = str(value)
        elif place == "body_json":
            _set(
                self._fields("json"),
                [str(key) for key in path] if isinstance(path, list) and path else [name],
                value,
            )
            name = str(path[-1]) if isinstance(path, list) and path else name
        elif name:
            self.query[name] = str(value)
        return name or None

    def take_joint(self, variable: str) -> str | None:
        """Let a variable stand alone where it is joined, `{{ ids | join(';') }}`; return what joins it."""
        pattern = re.compile(rf"\{{\{{\s*{variable}\s*\|\s*join\(\s*(['\"])(.*?)\1\s*\)\s*\}}\}}")
        joints: list[str] = []

        def alone(value: Any) -> Any:
            if isinstance(value, str):
                joints.extend(found[2] for found in pattern.finditer(value))
                return pattern.sub(lambda _: hole(variable), value)
            if isinstance(value, dict):
                return {key: alone(each) for key, each in value.items()}
            return [alone(each) for each in value] if isinstance(value, list) else value

        self.url, self.query, self.headers = alone(self.url), alone(self.query), alone(self.headers)
        self.body = alone(self.body)
        return joints[0] if joints else None

    def _fields(self, kind: str) -> Node:
        if self.body is None or not isinstance(self.body.get(kind), dict):
            self.body = {kind: {}}
        found: Node = self.body[kind]
        return found

    def endpoint(self, variables: Node) -> Node:
        return {
            "method": self.method,
            "url": self.url,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
            "variables": variables,
        }


def _set(fields: Node, path: list[str], value: str) -> None:
    for key in path[:-1]:
        inner = fields.setdefault(key, {})
        fields = inner if isinstance(inner, dict) else {}
    fields[path[-1]] = value


def draw_request(requester: Node, interpolation: Interpolation) -> Draw:
    """Return the request of a requester, before authenticator, paginator and partitions."""
    options = requester.get("request_options_provider")
    source = {
        **(options if isinstance(options, dict) else {}),
        **{k: v for k, v in requester.items() if v is not None},
    }
    draw = Draw(method=str(requester.get("http_method") or "GET").upper())
    draw.url = _address(requester, interpolation)
    draw.query = _mapping(source.get("request_parameters"), "request_parameters", interpolation)
    draw.headers = {
        name: str(value)
        for name, value in _mapping(source.get("request_headers"), "request_headers", interpolation).items()
    }
    draw.body = _body(source, interpolation)
    return draw


def _mapping(given: Json, place: str, interpolation: Interpolation) -> dict[str, Json]:
    if isinstance(given, dict):
        written = interpolation.write(given, place)
        return {name: _plain(value) for name, value in written.items() if value != ""}
    if given:
        interpolation.note(f"{place} was left out: it is one expression for all of them.")
    return {}


def _plain(value: Json) -> Json:
    """Write what stands for true in a URL as Airbyte does."""
    return str(value) if isinstance(value, bool) else value


def _body(source: Node, interpolation: Interpolation) -> Node | None:
    given = source.get("request_body")
    if isinstance(given, dict) and "value" in given:
        kind, value = str(given.get("type")), given["value"]
        if kind == "RequestBodyGraphQL" and isinstance(value, dict):
            return {"graphql": interpolation.write(value, "request_body")}
        names = {"RequestBodyUrlEncodedForm": "form", "RequestBodyPlainText": "text"}
        return {names.get(kind, "json"): interpolation.write(value, "request_body")}
    for key, kind in (("request_body_json", "json"), ("request_body_data", "form")):
        value = source.get(key)
        if isinstance(value, dict) and value:
            return {kind: interpolation.write(value, key)}
        if isinstance(value, str) and value.strip():
            return {"text": interpolation.text(value, key)}
    return None


_HOST = re.compile(r"(?P<scheme>\w+://)(?P<host>[^/]*)")


def _address(requester: Node, interpolation: Interpolation) -> str:
    """Join base and path, and fill in the host, which Swath takes from no variable."""
    base = interpolation.text(requester.get("url_base") or requester.get("url"), "url_base")
    path = interpolation.text(requester.get("path"), "path").strip()
    if "://" in path[:10]:
        base, path = path, ""
    base = _fill_whole(base, interpolation)
    base = _HOST.sub(lambda found: found["scheme"] + _fill_host(found["host"], interpolation), base, count=1)
    return f"{base.rstrip('/')}/{path.lstrip('/')}" if path else base


def _fill_whole(base: str, interpolation: Interpolation) -> str:
    """Fill in a base that begins with a variable, by what is known of it."""
    found = re.match(r"\{\{(\w+)\}\}", base)
    if found is None:
        return base
    name = found[1]
    known = interpolation.variables.pop(name, {})
    value = str(known.get("default") or known.get("sample") or f"https://{name.replace('_', '-')}.example")
    interpolation.note(f"The address begins with {name}, of which {value} was made: write your own.")
    return (value if "://" in value else f"https://{value}").rstrip("/") + base[found.end() :]


def _fill_host(host: str, interpolation: Interpolation) -> str:
    def fill(found: re.Match[str]) -> str:
        name = identifier(found[1])
        known = interpolation.variables.pop(name, {})
        value = str(known.get("default") or known.get("sample") or name.replace("_", "-"))
        interpolation.note(f"The host holds {name}, of which {value} was made: write your own.")
        return value

    return re.sub(r"\{\{\s*(\w+)[^}]*\}\}", fill, host)
