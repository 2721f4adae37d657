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
  My endpoint:
    url: "https://api.example.com/users/{{user_id}}/posts"
    variables:
      user_id: {}
workflows:
  My workflow:
    endpoint: My endpoint
"""


class Sheet:
    """A text, and the plain values that it stands for. `fault` says why there are none."""

    def __init__(self, text: str) -> None:
        self.text = ""
        self.saved = text
        self.value: dict[str, Any] = {}
        self.fault = ""
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """Take a text; where it is no formula at all, the values of before stay beside its fault."""
        self.text, self.fault = text, ""
        try:
            self.value = _read(text)
        except FieldError as error:
            self.fault = "\n".join(message for _, message in error.fields)

    def change(self, edit: Edit) -> None:
        """Change the endpoint and the workflow, and of the text the lines that say so."""
        edit(self.endpoint, self.workflow)
        self._write(lambda: amend(self.text, _read(self.text), self.value))

    def rename(self, name: str) -> None:
        """Give the workflow another name, in its place."""
        old, known = self.name, self.value.setdefault("workflows", {})
        self.value["workflows"] = {name if each == old else each: part for each, part in known.items()}
        self._write(lambda: rename(self.text, ("workflows", old), name))

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
    def name(self) -> str:
        return next(iter(self.value.get("workflows") or {}), "")

    @property
    def workflow(self) -> dict[str, Any]:
        """The first workflow of the formula."""
        known = self.value.setdefault("workflows", {"My workflow": {}})
        name = next(iter(known))
        if not isinstance(known[name], dict):
            known[name] = {}
        return known[name]  # type: ignore[no-any-return]

    @property
    def endpoint(self) -> dict[str, Any]:
        """The endpoint of the first workflow."""
        name = self.workflow.get("endpoint") or self.workflow.get("endpoint_id") or "My endpoint"
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
        endpoints = self.value.get("endpoints") or {}
        declared = [each.get("variables") or {} for each in endpoints.values() if isinstance(each, dict)]
        return list(
            dict.fromkeys(
                name
                for variables in declared
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
