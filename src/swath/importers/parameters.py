"""Parameters of OpenAPI operations: each a variable, written where and how the document says."""

from dataclasses import dataclass, field
from typing import Any

from swath.flow.definition import Json
from swath.importers.credentials import is_secret_name
from swath.importers.holes import hole, identifier, literal
from swath.importers.schemas import Schemas

Node = dict[str, Any]

_JOINTS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}
#: Headers that other parts of a document speak of.
_ELSEWHERE = frozenset({"accept", "content-type", "authorization"})


@dataclass(slots=True)
class Parameters:
    """What the parameters of one operation come to. `names` are variables by place and name."""

    schemas: Schemas
    query: dict[str, Json] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    variables: dict[str, Node] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    #: What stands before a path's variable: `;name=` of a matrix, `.` of a label.
    openings: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    #: Fields of the body that need not be given, and are not.
    left: dict[str, Json] = field(default_factory=dict)

    def add(self, given: Node) -> None:
        """Take a parameter."""
        name, place = str(given.get("name")), given.get("in")
        if given.get("deprecated") and not given.get("required"):
            self.notes.append(f"The parameter {name} is deprecated, and was left out.")
        elif place == "path":
            self._add_path(name, given)
        elif place == "query":
            self._add_query(name, given)
        elif place == "header" and name.lower() not in _ELSEWHERE:
            self.headers[name] = hole(self._listed(name, "header", given))
        elif place == "cookie" and given.get("required"):
            self.cookies.append(f"{name}={hole(self.declare(name, 'cookie', given))}")
        elif place == "cookie":
            self.notes.append(f"The cookie {name} is optional, and was left out.")

    def _add_path(self, name: str, given: Node) -> None:
        self._listed(name, "path", given, required=True)
        openings = {"matrix": f";{name}=", "label": "."}
        if opening := openings.get(str(given.get("style"))):
            self.openings[name] = opening

    def _listed(self, name: str, place: str, given: Node, *, required: bool | None = None) -> str:
        """Declare a parameter that is written with commas between its values, if it has several."""
        variable = self.declare(name, place, given, required=required)
        if self.schemas.type_of(self.schemas.flat(_schema(given))) == "array":
            self._join(variable, ",")
        return variable

    def _add_query(self, name: str, given: Node) -> None:
        flat = self.schemas.flat(_schema(given))
        style = str(given.get("style", "form"))
        is_object = self.schemas.type_of(flat) == "object" and "schema" in given
        if style == "deepObject" or (style == "form" and is_object and given.get("explode") is not False):
            self._add_object(name, given, flat, deep=style == "deepObject")
            return
        variable = self.declare(name, "query", given)
        if self.schemas.type_of(flat) == "array" and (style != "form" or given.get("explode") is False):
            self._join(variable, _JOINTS.get(style, ","))
        self.query[name] = hole(variable)

    def _add_object(self, name: str, given: Node, flat: Node, *, deep: bool) -> None:
        """Take an object whose fields are parameters each: `name[field]` where it is deep, else `field`."""
        example = given.get("example")
        if not flat.get("properties"):
            self.notes.append(f"The parameter {name} is an object of any fields, and was left out.")
        for key, schema in flat.get("properties", {}).items():
            told: Node = {
                "schema": schema,
                "required": given.get("required") and key in flat.get("required", ()),
            }
            if isinstance(example, dict) and key in example:
                told["example"] = example[key]
            variable = self.declare(f"{name}_{key}" if deep else key, "query", told)
            self.query[f"{name}[{key}]" if deep else key] = hole(variable)

    def _join(self, variable: str, joint: str) -> None:
        """Let a list that goes into one parameter be given as one text."""
        known = self.variables[variable]
        known.pop("type", None)
        for key in ("default", "sample"):
            if isinstance(known.get(key), list):
                known[key] = joint.join(map(str, known[key]))
        told = f"Several are joined by {joint!r}."
        known["description"] = f"{known.get('description', '')} {told}".strip()

    def declare(self, name: str, place: str, given: Node, *, required: bool | None = None) -> str:
        """Declare a variable for a parameter and return its name."""
        variable = self._free(identifier(name))
        self.names[place, name] = variable
        needed = bool(given.get("required")) if required is None else required
        self.variables[variable] = describe(
            self.schemas, given, needed, secret=is_secret_name(name, alone=True)
        )
        return variable

    def _free(self, name: str) -> str:
        number, free = 2, name
        while free in self.variables:
            free, number = f"{name}_{number}", number + 1
        return free


def describe(schemas: Schemas, given: Node, required: bool, *, secret: bool = False) -> Node:
    """Return a variable's declaration as a formula holds it: what differs from the defaults."""
    schema = _schema(given)
    flat = schemas.flat(schema)
    declared: Node = {}
    if (kind := schemas.kind(schema)) != "string":
        declared["type"] = kind
    if not required:
        declared["required"] = False
    if secret:
        declared["secret"] = True
    if text := " ".join(str(given.get("description") or flat.get("description") or "").split()):
        declared["description"] = text if len(text) <= 200 else f"{text[:199]}…"
    if flat.get("default") is not None and not secret:
        declared["default"] = flat["default"]
    sample = given.get("example", _media(given).get("example"))
    if sample is None:
        sample = next((each.get("value") for each in _examples(schemas, given)), None)
    if sample is None:
        sample = schemas.example(schema)
    if sample is not None and not secret:
        declared["sample"] = sample
    return declared


def _examples(schemas: Schemas, given: Node) -> list[Node]:
    examples = given.get("examples")
    return (
        [schemas.references.object(each) for each in examples.values()] if isinstance(examples, dict) else []
    )


def _schema(given: Node) -> Json:
    """Return the schema of a parameter, which may stand inside a content type."""
    return given.get("schema", _media(given).get("schema", {}))


def _media(given: Node) -> Node:
    """Return what a content type of a parameter holds, if it has one."""
    content = given.get("content")
    inner: Json = next(iter(content.values()), {}) if isinstance(content, dict) else {}
    return inner if isinstance(inner, dict) else {}


# --- bodies


def build_body(request: Node, schemas: Schemas, parameters: Parameters) -> tuple[Node | None, str]:
    """Return the body that an operation takes, and its content type where Swath sends another by itself."""
    content = request.get("content")
    if not isinstance(content, dict) or not content:
        return None, ""
    kind = _choose(list(content))
    media = schemas.references.object(content[kind])
    plain = kind.partition(";")[0].strip().lower()
    example = _given_example(media, schemas)
    if "json" in plain or plain == "*/*":
        body = literal_tree(example) if example is not None else _object(media, schemas, parameters)
        return {"json": body}, "" if plain in ("application/json", "*/*") else kind
    if plain in ("application/x-www-form-urlencoded", "multipart/form-data"):
        fields = literal_tree(example) if isinstance(example, dict) else _object(media, schemas, parameters)
        return {
            "form" if plain.endswith("urlencoded") else "multipart": fields
            if isinstance(fields, dict)
            else {}
        }, ""
    if isinstance(example, str):
        return {"text": literal(example)}, kind
    return {"text": hole(parameters.declare("body", "body", media, required=True))}, kind


def _choose(kinds: list[str]) -> str:
    for wanted in ("application/json", "json", "x-www-form-urlencoded", "multipart"):
        for kind in kinds:
            if wanted in kind.lower():
                return kind
    return kinds[0]


def _given_example(media: Node, schemas: Schemas) -> Json:
    if media.get("example") is not None:
        return media["example"]
    found = next((each.get("value") for each in _examples(schemas, media)), None)
    return schemas.example(media.get("schema", {})) if found is None else found


def _object(media: Node, schemas: Schemas, parameters: Parameters) -> Json:
    """Return a body by its schema: what must be given, texts and numbers as variables."""
    flat = schemas.flat(media.get("schema", {}))
    if schemas.type_of(flat) != "object":
        return literal_tree(schemas.sample(flat))
    body: Node = {}
    required = flat.get("required") or []
    for name, schema in flat.get("properties", {}).items():
        if schemas.flat(schema).get("readOnly"):
            continue
        if name in required:
            body[name] = _field(name, schema, schemas, parameters)
        else:
            parameters.left[name] = schema
    return body


def _field(name: str, schema: Json, schemas: Schemas, parameters: Parameters) -> Json:
    flat = schemas.flat(schema)
    if flat.get("format") == "binary" or ("contentMediaType" in flat and "contentEncoding" not in flat):
        variable = parameters.declare(name, "body", {"description": "The file's content."}, required=True)
        kind = flat.get("contentMediaType")
        part = {"filename": name, "content": hole(variable)}
        return {**part, "content_type": kind} if kind else part
    if schemas.kind(schema) == "json":
        return literal_tree(schemas.sample(schema))
    return hole(parameters.declare(name, "body", {"schema": schema}, required=True))


def literal_tree(value: Json) -> Json:
    """Return a JSON value whose texts mean themselves."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, dict):
        return {literal(str(key)): literal_tree(each) for key, each in value.items()}
    return [literal_tree(each) for each in value] if isinstance(value, list) else value
