"""The formula that is being edited: one text, and what it says. The form reads and changes it here."""

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from yaml import YAMLError

from swath.errors import FieldError, InvalidInput
from swath.flow.definition import Json
from swath.flow.formula import SourceText, read_formula
from swath.ui.amend import amend, dump, rename

Edit = Callable[[dict[str, Any], dict[str, Any]], None]

#: Lines of a collection's items that are left in a workflow's text; longer ones stay where they are.
MOST_LINES = 20
NEW = """endpoints:
  My workflow:
    url: "https://api.example.com/users/{{user_id}}/posts"
    variables:
      user_id: {}
workflows:
  My workflow:
    endpoint: My workflow
"""


class Sheet:
    """A text, and the plain values that it stands for. `fault` says why there are none.

    It is over one of the formula's workflows, called `name`; the others are those whose rows that one takes.
    A new one has no name yet.
    """

    def __init__(self, text: str, name: str = "") -> None:
        self.text = ""
        self.saved = text
        self.value: dict[str, Any] = {}
        self.fault = ""
        self.name, self._place, self._is_new = name, 0, not name
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """Take a text; where it is no formula at all, the values of before stay beside its fault."""
        self.text, self.fault = text, ""
        try:
            self.value = _read(text)
        except FieldError as error:
            self.fault = "\n".join(message for _, message in error.fields)
        known = self.value.get("workflows")
        names = [*known] if isinstance(known, dict) else []
        if self.name not in names:  # what stands in its place now is the same one by another name
            self.name = names[min(self._place, len(names) - 1)] if names else ""
        self._place = names.index(self.name) if names else 0

    def change(self, edit: Edit) -> None:
        """Change the endpoint and the workflow, and of the text the lines that say so."""
        edit(self.endpoint, self.workflow)
        self._write(lambda: amend(self.text, _read(self.text), self.value))

    def rename(self, name: str) -> None:
        """Give the workflow another name, in its place, and a new one's endpoint where it is called alike."""
        old = self.name
        if self._is_new and self._has_namesake() and name not in self.value["endpoints"]:
            self.workflow["endpoint"] = name
            self._rename("endpoints", old, name)
        self._rename("workflows", old, name)
        self.name = name

    def _has_namesake(self) -> bool:
        """Tell whether the workflow's endpoint is called like it, and is that of no other one."""
        known = self.value.get("workflows") or {}
        found = {each: part.get("endpoint") for each, part in known.items() if isinstance(part, dict)}
        users = [each for each, endpoint in found.items() if endpoint == self.name]
        return users == [self.name] and self.name in (self.value.get("endpoints") or {})

    def _rename(self, section: str, old: str, name: str) -> None:
        known = self.value.setdefault(section, {})
        self.value[section] = {name if each == old else each: part for each, part in known.items()}

        def amended() -> str:
            text = rename(self.text, (section, old), name)
            return amend(text, _read(text), self.value)

        self._write(amended)

    def _write(self, amended: Callable[[], str]) -> None:
        """Take the amended text; where the text's way of saying it cannot be amended, write all anew."""
        with contextlib.suppress(
            FieldError, YAMLError, LookupError, ValueError, StopIteration, AttributeError
        ):
            if _read(text := amended()) == self.value:
                self.text = text
                return
        self.text = dump(self.value)

    def find_faults(self) -> list[str]:
        """Return everything that is wrong with the text, each with its line and its place."""
        if self.fault:
            return [self.fault]
        try:
            read_formula(SourceText(self.text))
        except FieldError as error:
            return [f"{message} (in {place})" if "." in place else message for place, message in error.fields]
        return []

    @property
    def workflow(self) -> dict[str, Any]:
        """The workflow that this is over; a formula without any gets one."""
        if not self.value.get("workflows"):
            self.name = "My workflow"
            self.value["workflows"] = {self.name: {}}
        known = self.value["workflows"]
        if not isinstance(known[self.name], dict):
            known[self.name] = {}
        return known[self.name]  # type: ignore[no-any-return]

    @property
    def endpoint(self) -> dict[str, Any]:
        """The endpoint of that workflow."""
        name = self.workflow.get("endpoint") or self.workflow.get("endpoint_id") or "My workflow"
        known = self.value.setdefault("endpoints", {})
        if not isinstance(known.get(name), dict):
            known[name] = {}
        return known[name]  # type: ignore[no-any-return]

    @property
    def lists(self) -> dict[str, Any]:
        """The collections that the text holds, to be read; `set_list` changes them."""
        found = self.value.get("collections")
        return found if isinstance(found, dict) else {}

    def set_list(self, name: str, items: list[Json]) -> None:
        """Let the text hold a collection; a change of the text that is under way writes it."""
        self.value["collections"] = {**self.lists, name: items}

    @property
    def secrets(self) -> list[str]:
        """The names of all endpoints' secret variables, as they are given beside the formula."""
        endpoints = self.value.get("endpoints")
        found = endpoints.values() if isinstance(endpoints, dict) else ()
        declared = [each.get("variables") for each in found if isinstance(each, dict)]
        return list(
            dict.fromkeys(
                name
                for variables in declared
                if isinstance(variables, dict)
                for name, each in variables.items()
                if isinstance(each, dict) and each.get("secret")
            )
        )


def _read(text: str) -> dict[str, Any]:
    """Return what a text says, its sections by name. Raises FieldError."""
    value = SourceText(text).value or {}
    if not isinstance(value, dict):
        raise InvalidInput("formula", "A formula has sections: endpoints, workflows, collections.")
    return {name: _by_name(part) for name, part in value.items()}


def _by_name(part: Json) -> Json:
    """Return a section by name, also where it is written as a list."""
    if isinstance(part, list) and all(isinstance(each, dict) and "name" in each for each in part):
        return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in part}
    return part if part is not None else {}


def leave_out_items(text: str) -> str:
    """Return a formula without its collections, where those are long: they are kept, and edited elsewhere."""
    lines = text.splitlines(keepends=True)
    start = next((place for place, line in enumerate(lines) if line.startswith("collections:")), None)
    if start is None:
        return text
    end = next(
        (p for p in range(start + 1, len(lines)) if not lines[p].startswith((" ", "-", "\n"))), len(lines)
    )
    return text if end - start <= MOST_LINES else "".join(lines[:start] + lines[end:])


# --- fields that a form shows as lines


def write_lines(values: Mapping[str, Json] | None, between: str = ": ") -> str:
    return "\n".join(f"{name}{between}{_write_value(value)}" for name, value in (values or {}).items())


def read_lines(text: str) -> dict[str, Json]:
    """Return `name: value` lines as names and texts; lines without a colon stand for an empty value."""
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_value(value: Json) -> str:
    """Return a value as YAML; nothing as nothing."""
    if value is None:
        return ""
    return dump(value).removesuffix("...\n").rstrip("\n")


def _write_value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
