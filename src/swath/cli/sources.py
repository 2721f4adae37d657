"""Formulas in files, with the lists that lie beside them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from swath.cli.failures import Wrong, find_fields, tell
from swath.cli.lists import read_list
from swath.cli.options import read_text
from swath.errors import InvalidInput
from swath.flow.formula import Formula, SourceText, point, read_formula
from swath.flow.formula.structure import SECTIONS

Json = Any

_LINE: Final = re.compile(r"\ALine \d+: ")


class FormulaFile:
    """A formula that was read from a file. Raises Wrong, with file and line, for all that is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.source = SourceText(read_text(path))
            self._has_files = self._take_files()
            self.formula: Formula = read_formula(self.source)
        except InvalidInput as error:
            raise Wrong(*(tell(field, message, str(path)) for field, message in error.fields)) from None

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let what is found wrong with the formula later be told with file and line, too. Raises Wrong."""
        try:
            yield
        except Exception as error:
            found = [each for each in find_fields(error) if each[0].partition(".")[0] in SECTIONS]
            if not found:
                raise
            if self._has_files:  # what a server was sent has other lines
                found = [(field, _LINE.sub("", message)) for field, message in found]
            raise Wrong(*(tell(*each, str(self.path)) for each in point(self.source, found))) from None

    @property
    def body(self) -> Json:
        """What a server is sent: the text itself or, with files in it, the values."""
        return self.source.value if self._has_files else self.source.text

    @property
    def secret_names(self) -> set[str]:
        """What a value can be given for: `token`, or `Orders.token` of one endpoint, `proxies.nyc`."""
        formula = self.formula
        names = {name for each in formula.secrets.values() for name in each}
        names |= {f"{endpoint}.{name}" for endpoint, each in formula.secrets.items() for name in each}
        return names | {f"proxies.{name}" for name in formula.proxies}

    def choose(self, name: str | None) -> str:
        """Return the name of the workflow to run. Raises Wrong where it is not there, or not clear which."""
        names, first = list(self.formula.workflows), self.formula.first
        if name in names:
            return name
        if name is None and len(first) == 1:
            return first[0]
        listed = ", ".join(f"'{each}'" for each in names) or "none"
        problem = "say which one with --workflow" if name is None else f"there is no workflow '{name}'"
        raise Wrong(f"{self.path}: {problem}; there are: {listed}.")

    def keep(self, workflows: Sequence[str]) -> SourceText:
        """Return the formula without other workflows than these."""
        section = self.source.value["workflows"]
        if len(section) == len(workflows):
            return self.source
        kept = (
            {name: each for name, each in section.items() if name in workflows}
            if isinstance(section, dict)
            else [each for each in section if each["name"] in workflows]
        )
        return SourceText.of({**self.source.value, "workflows": kept})

    def _take_files(self) -> bool:
        """Put the items of files in the place of what names these; tell whether there were any."""
        value = self.source.value
        collections = value.get("collections") if isinstance(value, dict) else None
        listed = collections if isinstance(collections, list) else ()
        named = collections.items() if isinstance(collections, dict) else enumerate(listed)
        taken = False
        for name, each in named:
            if isinstance(each, dict) and isinstance(file := each.get("file"), str):
                each["items"] = self._read_list(name, file, each.pop("column", None))
                del each["file"]
                taken = True
        return taken

    def _read_list(self, name: str | int, file: str, column: str | None) -> list[Json]:
        """Read the file of a collection; what is wrong with it is told with the place that names it, too."""
        try:
            return read_list(self.path.parent / file, column)
        except Wrong as error:
            line = self.source.line(("collections", name, "file"))
            place = f"{self.path}:{line}: collections.{name}.file"
            raise Wrong(*(f"{place}: {told}" for told in error.lines)) from None
