"""What a formula holds once it has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from swath.flow.checks import feeder_of
from swath.flow.definition import Endpoint, Json, Workflow

#: The sections of a formula, in the order in which each may refer to those before it.
SECTIONS = ("endpoints", "workflows", "collections", "proxies")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProxy:
    """A proxy of a formula. Its address holds no login: that is given when the formula is applied."""

    type: Literal["shared", "dedicated"] = "dedicated"
    location: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """Things by name. `endpoint_id` and `source_collection_id` of a workflow hold a name of the formula's,
    or the name or id of something that is kept already."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    collections: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    proxies: Mapping[str, ListedProxy] = field(default_factory=dict)

    def feeders_first(self) -> list[tuple[str, Workflow]]:
        """Return the workflows, those before others that take their rows. Rings were refused before."""
        ordered: dict[str, Workflow] = {}

        def visit(name: str, waiting: tuple[str, ...]) -> None:
            workflow = self.workflows.get(name)
            if workflow is None or name in ordered or name in waiting:
                return
            visit(feeder_of(workflow) or "", (*waiting, name))
            ordered[name] = workflow

        for name in self.workflows:
            visit(name, ())
        return list(ordered.items())

    @property
    def first(self) -> list[str]:
        """The workflows that take no rows of another here: what they start follows by itself."""
        return [name for name, each in self.workflows.items() if feeder_of(each) not in self.workflows]

    def lineage(self, name: str) -> list[str]:
        """Return a workflow behind those whose rows it needs, the first of them first."""
        line: list[str] = []
        while name in self.workflows and name not in line:
            line.insert(0, name)
            name = feeder_of(self.workflows[name]) or ""
        return line

    def line_of(self, name: str) -> list[str]:
        """Return what runs where a workflow is wanted: those that it needs, itself, and those that follow."""
        line = self.lineage(name)
        for each, workflow in self.feeders_first():
            if each not in line and feeder_of(workflow) in line[line.index(name) :]:
                line.append(each)
        return line

    @property
    def secrets(self) -> dict[str, list[str]]:
        """The secret variables, by the name of their endpoint."""
        return {
            name: secret
            for name, endpoint in self.endpoints.items()
            if (secret := [each for each, variable in endpoint.variables.items() if variable.secret])
        }
