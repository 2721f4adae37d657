"""From the text of a formula to what it holds; all that is wrong with it at once: line, field and remedy."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pyreqwest.http import Url

from swath.errors import InvalidInput
from swath.flow.checks import RING, Finding, check_endpoint, check_workflow, feeder_of
from swath.flow.definition import Endpoint, Json, Variable, VariableMapping, Workflow
from swath.flow.formula.hints import find_strangers, nearest
from swath.flow.formula.structure import SECTIONS, Formula, ListedProxy
from swath.flow.formula.text import Path, SourceText
from swath.flow.items import write_object
from swath.flow.typed import parse

T = TypeVar("T")
Entries = dict[str, tuple[Path, Json]]

#: Keys of a formula beside its sections.
_BESIDE = ("description", "$schema")
#: What a formula calls by name where the API takes an id.
ALIASES = {"source_collection": "source_collection_id", "endpoint": "endpoint_id", "workflow": "workflow_id"}
_NAMED = {"source_collection": "collections", "endpoint": "endpoints", "workflow": "workflows"}


def read_formula(text: str | SourceText) -> Formula:
    """Read a formula. Raises InvalidInput with everything that is wrong with it.

    A message begins with the line, as in `Line 12: ...`; its field is the place: `workflows.Repos.paginator`.
    """
    return _Reader(text if isinstance(text, SourceText) else SourceText(text)).read()


def point(source: SourceText, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the lines of their fields, as far as the formula has these."""
    pointed = []
    for field, message in findings:
        path = () if message.startswith("Line ") else _locate(source.value, field)
        pointed.append((field, f"Line {source.line(path)}: {message}" if path else message))
    return pointed


def read_plain(value: Json) -> Formula:
    """Read a formula that was never a text: what an import found. Raises InvalidInput."""
    return read_formula(SourceText.of(value))


@dataclass
class _Reader:
    source: SourceText

    def __post_init__(self) -> None:
        self._found: list[tuple[Path, str, str]] = []
        self._known: dict[str, Entries] = {}

    def read(self) -> Formula:
        value = self.source.value
        if not isinstance(value, dict):
            raise InvalidInput("formula", f"A formula has the sections {', '.join(SECTIONS)}.")
        for name in value:
            if name not in (*SECTIONS, *_BESIDE):
                self._note((name,), name, f"There is no section {name!r}{nearest(name, SECTIONS)}")
        formula = Formula(
            endpoints=self._section("endpoints", self._read_endpoint),
            workflows=self._section("workflows", self._read_workflow),
            collections=self._section("collections", self._read_collection),
            proxies=self._section("proxies", self._read_proxy),
        )
        self._check(formula)
        if self._found:
            raise InvalidInput(*(found := self._explain())[0], *found[1:])
        return formula

    # --- sections

    def _section(self, section: str, read: Callable[[str, Path, Json], T | None]) -> dict[str, T]:
        built = {}
        self._known[section] = self._entries(section)
        for name, (path, value) in self._known[section].items():
            if (item := read(name, path, value)) is not None:
                built[name] = item
        return built

    def _entries(self, section: str) -> Entries:
        """Return what a section holds by name: an object, or a list of objects that have a `name`."""
        value = self.source.value.get(section)
        if value is None:
            return {}
        if isinstance(value, dict):
            entries: Entries = {name: ((section, name), each) for name, each in value.items()}
        elif isinstance(value, list):
            entries = self._name(section, value)
        else:
            self._note((section,), section, "Must be an object of things by name, or a list of objects.")
            return {}
        for name, (path, _) in entries.items():
            if not name.strip():
                self._note(path, section, "A name is blank.")
        return entries

    def _name(self, section: str, listed: Sequence[Json]) -> Entries:
        entries: Entries = {}
        for number, each in enumerate(listed):
            path = (section, number)
            name = each.get("name") if isinstance(each, dict) else None
            if not isinstance(name, str):
                self._note(path, f"{section}[{number}].name", "Blank. In a list each has its own `name`.")
            elif name in entries:
                self._note(path, f"{section}[{number}].name", f"The name {name!r} stands here twice.")
            else:
                entries[name] = (path, {key: part for key, part in each.items() if key != "name"})
        return entries

    # --- entries

    def _read_endpoint(self, name: str, path: Path, value: Json) -> Endpoint | None:
        endpoint = self._parse(Endpoint, path, value, {"name": name})
        for each, variable in endpoint.variables.items() if endpoint else ():
            if variable.secret and variable.default not in (None, ""):
                self._note(
                    (*path, "variables", each, "default"),
                    _write((*path, "variables", each, "default")),
                    f"A secret's value does not belong in a formula: leave it out, and give it with "
                    f"--secret {each}=VALUE.",
                )
        return endpoint

    def _read_workflow(self, name: str, path: Path, value: Json) -> Workflow | None:
        return self._parse(Workflow, path, value, {"name": name})

    def _read_collection(self, name: str, path: Path, value: Json) -> tuple[Json, ...] | None:
        if isinstance(value, dict):
            value = self._items_of(path, value)
        if value is None:
            return ()
        if not isinstance(value, list):
            self._note(path, _write(path), "Must be a list of items.")
            return None
        for number, item in enumerate(value):
            if isinstance(item, bool) or not isinstance(item, str | int | float | dict):
                place = _write((*path, number))
                self._note((*path, number), place, "Must be a text, a number or an object.")
                return None
        if len({isinstance(item, dict) for item in value}) > 1:
            self._note(path, _write(path), "Texts and objects cannot stand in one collection.")
            return None
        return tuple(item if isinstance(item, str | dict) else write_object(item) for item in value)

    def _items_of(self, path: Path, value: dict[str, Json]) -> Json:
        for key in value:
            if key == "file":
                message = "A file is read where it lies: by `swath apply` and `swath run`, not by a server."
                self._note((*path, key), _write((*path, key)), message)
            elif key != "items":
                message = f"There is no field {key!r} here{nearest(key, ('items', 'file', 'column'))}"
                self._note((*path, key), _write((*path, key)), message)
        return value.get("items", [])

    def _read_proxy(self, name: str, path: Path, value: Json) -> ListedProxy | None:
        proxy = self._parse(ListedProxy, path, value, {})
        if proxy is not None and proxy.url is not None and _has_login(proxy.url):
            message = (
                "Its login does not belong in a formula: leave it out, and give the whole address with "
                f"--secret proxies.{name}=URL."
            )
            self._note((*path, "url"), _write((*path, "url")), message)
        return proxy

    def _parse(self, kind: type[T], path: Path, value: Json, more: Mapping[str, Json]) -> T | None:
        if not isinstance(value, dict):
            names = ", ".join(each.name for each in fields(kind) if each.name not in more)[:200]  # type: ignore[arg-type]
            self._note(path, _write(path), f"Must be an object with the fields {names}.")
            return None
        given = {**_rename(value), **more}
        strangers = list(find_strangers(kind, given))
        for inner, message in strangers:
            self._note((*path, *inner), _write((*path, *inner)), message)
        try:
            return parse(kind, given)
        except InvalidInput as error:
            hidden = {_write(inner) for inner, _ in strangers}
            for field, message in error.fields:
                if field not in hidden:
                    self._tell(path, value, field, message)
            return None

    # --- what only shows in all of it

    def _check(self, formula: Formula) -> None:
        for section, things in (("endpoints", formula.endpoints), ("workflows", formula.workflows)):
            for name, thing in things.items():
                path, value = self._known[section][name]
                for field, message in _findings(thing, formula):
                    self._tell(path, value, field, message)

    # --- findings

    def _tell(self, path: Path, value: Json, field: str, message: str) -> None:
        """Note what is wrong with a field of an entry, by the name that the entry has for it."""
        for ours, theirs in ALIASES.items():
            if field.endswith(theirs) and _find(value, field) is None:
                field = field.removesuffix(theirs) + ours
                message = (
                    f"Blank. Give the name of one of the {_NAMED[ours]}." if message == "Blank." else message
                )
        if message == "Must be a string." and (stands := _find(value, field)) and _is_number(stands[1]):
            message = "Must be a string: put it in quotes."
        place = _locate(value, field)
        self._note((*path, *place), f"{_write(path)}.{field}", message)

    def _note(self, path: Path, field: str, message: str) -> None:
        self._found.append((path, field, message))

    def _explain(self) -> list[Finding]:
        lines = [(self.source.line(path), field, message) for path, field, message in self._found]
        return [(field, f"Line {line}: {message}") for line, field, message in sorted(lines)]


def _rename(value: Mapping[str, Json]) -> dict[str, Json]:
    """Return an entry with the API's names for what a formula calls by another."""
    renamed = {ALIASES.get(key, key): part for key, part in value.items()}
    if isinstance(mappings := renamed.get("mappings"), list):
        renamed["mappings"] = [_rename(each) if isinstance(each, dict) else each for each in mappings]
    if isinstance(column := renamed.get("from_result"), dict):
        renamed["from_result"] = _rename(column)
    return renamed


def _findings(thing: Endpoint | Workflow, formula: Formula) -> Iterator[Finding]:
    """Yield what is wrong with an endpoint, or with a workflow whose endpoint is in the formula."""
    if isinstance(thing, Endpoint):
        yield from check_endpoint(thing)
        return
    endpoint = formula.endpoints.get(thing.endpoint_id)
    if endpoint is None or check_endpoint(endpoint):
        return
    yield from check_workflow(thing, endpoint)
    for name in thing.inputs:
        if endpoint.variables.get(name, Variable()).secret:
            told = f"give it with --secret {name}=VALUE"
            yield (
                f"inputs.{name}",
                f"A secret's value does not belong in a formula: leave it out, and {told}.",
            )
    for number, mapping in enumerate(thing.mappings):
        yield from _check_key(number, mapping, formula)
        if mapping.from_result and _is_in_ring(thing.name, formula):
            yield f"mappings[{number}].from_result.workflow_id", RING


def _is_in_ring(name: str, formula: Formula) -> bool:
    first = formula.workflows[formula.lineage(name)[0]]
    return feeder_of(first) == name


def _check_key(number: int, mapping: VariableMapping, formula: Formula) -> Iterator[Finding]:
    items = formula.collections.get(mapping.source_collection_id or "")
    key = mapping.source_collection_json_key
    if not items or key is None:
        return
    first = items[0]
    field = f"mappings[{number}].source_collection_json_key"
    if not isinstance(first, dict):
        yield field, "The collection holds texts, which have no keys; leave it out."
    elif key not in first and "." not in key:
        yield field, f"The first item has no key {key!r}{nearest(key, first)}"


def _has_login(url: str) -> bool:
    try:
        parsed = Url(url if "://" in url else f"http://{url}")
    except ValueError:
        return False
    return bool(parsed.username or parsed.password)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float)  # truth values too


def _find(value: Json, field: str) -> tuple[Path, Any] | None:
    """Return the path and the value of a field written as `mappings[0].name`; None where it is not there."""
    path = _locate(value, field)
    if _write(path) != field:
        return None
    for part in path:
        value = value[part]
    return path, value


def _locate(value: Json, field: str) -> Path:
    """Return the path of a field that is written with dots and indices, as far as the value has it."""
    path: list[str | int] = []
    rest = field
    while rest:
        if isinstance(value, dict):
            key = max((key for key in value if _begins(rest, key)), key=len, default=None)
            if key is None:
                break
            path.append(key)
            value, rest = value[key], rest[len(key) :].removeprefix(".")
        elif isinstance(value, list) and rest.startswith("["):
            digits, _, rest = rest[1:].partition("]")
            if not digits.isdecimal() or int(digits) >= len(value):
                break
            path.append(int(digits))
            value, rest = value[int(digits)], rest.removeprefix(".")
        else:
            break
    return tuple(path)


def _begins(field: str, key: str) -> bool:
    return field.startswith(key) and field[len(key) : len(key) + 1] in ("", ".", "[")


def _write(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
