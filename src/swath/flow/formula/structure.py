"""What a formula holds once it has been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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

    @property
    def secrets(self) -> dict[str, list[str]]:
        """The secret variables, by the name of their endpoint."""
        return {
            name: secret
            for name, endpoint in self.endpoints.items()
            if (secret := [each for each, variable in endpoint.variables.items() if variable.secret])
        }
