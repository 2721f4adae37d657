"""What an import gives: a formula, the secrets that were found, and what could not be carried."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from swath.errors import InvalidInput
from swath.flow.checks import Finding, check_workflow
from swath.flow.definition import Endpoint, Json, Workflow
from swath.flow.masking import Masker
from swath.flow.request import RequestTemplate
from swath.flow.request.encoding import well_formed
from swath.importers.documents import clean
from swath.importers.holes import hole

Section = dict[str, dict[str, Json]]

#: Shorter secrets are ordinary words, too.
_LONG_ENOUGH: Final = 8
#: What documentation writes in a secret's place.
_PLACEHOLDER: Final = re.compile(
    r"<[^<>]+>|\{[^{}]+\}|\[[^\[\]]+\]|\$\{?[A-Z_]+\}?|YOUR[_-]?[A-Z_-]+|your[_-][a-z_-]+|[xX]{3,}|\*{3,}|\.{3}|…"
)
#: The parts of an endpoint whose texts are templates.
_WRITTEN: Final = ("headers", "body", "query")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A formula in its canonical form, as plain JSON values.

    `secrets` are the values found, by variable; the formula holds none of them. `notes` are sentences: what
    was left out and why, and what speaks for each paginator. `spare` are workflows over endpoints that
    have none in the formula, and their collections, for whoever chooses such an endpoint.
    """

    formula: dict[str, Json]
    spare: dict[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


class Draft:
    """A formula while it is being gathered."""

    def __init__(self) -> None:
        self.endpoints: Section = {}
        self.workflows: Section = {}
        self.spare: Section = {}
        self.collections: dict[str, list[Json]] = {}
        self.proxies: Section = {}
        self.secrets: dict[str, str] = {}
        self.notes: list[str] = []

    def note(self, *sentences: str) -> None:
        """Keep sentences, each once."""
        self.notes += [each for each in dict.fromkeys(sentences) if each not in self.notes]

    def hide(self, name: str, value: str) -> str:
        """Keep a secret and return the variable that stands for it; the same value is kept once.

        What only says that a value is to stand there, `<token>` or `YOUR_API_KEY`, is none.
        """
        if _PLACEHOLDER.fullmatch(value.strip(" :")):
            return name
        for known, kept in self.secrets.items():
            if kept == value and (known == name or len(value) >= 8):
                return known
        variable = _free(name, self.secrets, "_")
        self.secrets[variable] = value
        return variable

    def collect(self, name: str, items: Iterable[Json]) -> str:
        """Keep a list and return its name; an equal one of that name is kept once."""
        wanted = list(items)
        if self.collections.get(name) == wanted:
            return name
        name = _free(name, self.collections, " ")
        self.collections[name] = wanted
        return name

    def add_proxy(self, name: str, proxy: dict[str, Json], address: str) -> str:
        """Keep a proxy, an equal one once, and return its name; an address with a login is a secret."""
        kept, secret = {"type": "dedicated", **proxy}, f"proxies.{name}"
        if self.proxies.get(name) == kept and self.secrets.get(secret, address) == address:
            return name
        name = _free(name, self.proxies, "-")
        self.proxies[name] = kept
        if address != proxy["url"]:
            self.secrets[f"proxies.{name}"] = address
        return name

    def add_endpoint(self, name: str, endpoint: dict[str, Json]) -> str | None:
        """Keep an endpoint and return its name; one that cannot be sent is noted instead."""
        name = _free(name, self.endpoints, " ")
        kept = self._without_secrets(_slim(endpoint))
        try:
            template = RequestTemplate(msgspec.convert({"name": name, **kept}, Endpoint))
        except (InvalidInput, msgspec.ValidationError) as error:
            self.note(f"{name} was left out: {error}.")
            return None
        variables = kept.get("variables", {})
        for each in sorted(template.names):
            variables.setdefault(each, {})
        self.endpoints[name] = {**kept, "variables": variables} if variables else kept
        return name

    def _without_secrets(self, endpoint: dict[str, Json]) -> dict[str, Json]:
        """Put their variables where known secrets stand a second time, as in the address of a referrer."""
        found = {value: name for name, value in self.secrets.items() if len(value) >= _LONG_ENOUGH}
        if not found:
            return endpoint
        pattern = re.compile("|".join(map(re.escape, sorted(found, key=len, reverse=True))))
        used: dict[str, Json] = {}

        def hide(value: Any) -> Any:
            if isinstance(value, str):
                return pattern.sub(lambda hit: used.setdefault(found[hit[0]], hole(found[hit[0]])), value)
            if isinstance(value, dict):
                return {key: hide(each) for key, each in value.items()}
            return [hide(each) for each in value] if isinstance(value, list) else value

        hidden = {key: hide(value) if key in _WRITTEN else value for key, value in endpoint.items()}
        declared: dict[str, Json] = {name: {"secret": True} for name in used}
        variables = {**declared, **endpoint.get("variables", {})}
        return {**hidden, "variables": variables} if variables else hidden

    def add_workflow(
        self, name: str, endpoint: str, workflow: Mapping[str, Json] | None = None, *, spare: bool = False
    ) -> str:
        """Keep a workflow and return its name; parts that cannot be used are noted instead."""
        name = _free(name, [*self.workflows, *self.spare], " ")
        kept = {key: value for key, value in (workflow or {}).items() if value}
        for place, message in self._findings(endpoint, kept):
            part = re.split(r"[.\[]", place)[0]
            if kept.pop(part, None) is not None:
                self.note(f"{name}: {part} was left out, for {place} cannot be used: {message}")
        (self.spare if spare else self.workflows)[name] = {"endpoint": endpoint, **kept}
        return name

    def _findings(self, endpoint: str, workflow: Mapping[str, Json]) -> list[Finding]:
        over = msgspec.convert({"name": endpoint, **self.endpoints[endpoint]}, Endpoint)
        given = {key: value for key, value in workflow.items() if key != "mappings"}
        try:
            read = msgspec.convert({"name": endpoint, "endpoint_id": endpoint, **given}, Workflow)
        except msgspec.ValidationError as error:
            place = re.search(r"`\$\.([^`]*)`", str(error))
            return [(place[1] if place else "", str(error))]
        return check_workflow(read, over)

    def finish(self) -> Imported:
        of_spare = _lists(self.spare) - _lists(self.workflows)
        lists = {name: items for name, items in self.collections.items() if name not in of_spare}
        sections: dict[str, Section | dict[str, list[Json]]] = {
            "endpoints": self.endpoints,
            "workflows": self.workflows,
            "collections": lists,
            "proxies": self.proxies,
        }
        spare: dict[str, Section | dict[str, list[Json]]] = {
            "workflows": self.spare,
            "collections": {name: self.collections[name] for name in of_spare},
        }
        used = _declared(self.endpoints) | {f"proxies.{name}" for name in self.proxies}
        secrets = {name: value for name, value in self.secrets.items() if name in used}
        return Imported(
            formula=clean(_filled(sections)),
            spare=clean(_filled(spare)),
            secrets=secrets,
            notes=tuple(map(self._shown, self.notes)),
        )

    def _shown(self, note: str) -> str:
        return Masker(self.secrets.values()).mask(well_formed(note))


def _free(name: str, taken: Iterable[str], joint: str) -> str:
    """Return the name, or with a number behind it where it is taken."""
    known = set(taken)
    number, free = 2, name
    while free in known:
        free = f"{name}{joint}{number}"
        number += 1
    return free


def _slim(endpoint: dict[str, Json]) -> dict[str, Json]:
    """Leave out what says no more than the defaults."""
    usual: tuple[tuple[str, Json], ...] = (
        ("method", "GET"),
        ("headers", {}),
        ("query", {}),
        ("variables", {}),
        ("body", None),
    )
    return {key: value for key, value in endpoint.items() if (key, value) not in usual}


def _filled(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Json]:
    """Return the sections that hold something."""
    return {name: section for name, section in sections.items() if section}


def _lists(workflows: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the collections that workflows take values from."""
    mappings = [mapping for workflow in workflows.values() for mapping in workflow.get("mappings", ())]
    return {mapping["source_collection"] for mapping in mappings if "source_collection" in mapping}


def _declared(endpoints: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {name for endpoint in endpoints.values() for name in endpoint.get("variables", {})}
