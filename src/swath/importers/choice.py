"""Of an import only what is wanted: a recording of a page holds many requests, a document many operations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.imported import Imported

Section = Mapping[str, Any]

#: Names that a refusal tells.
FEW = 20


def choose(imported: Imported, wanted: Sequence[str]) -> Imported:
    """Return the endpoints that have one of these texts in their name or address, with what belongs to them.

    An endpoint whose rows another one is fed with comes too. Raises InvalidInput where there is none.
    """
    endpoints: Section = imported.formula["endpoints"]
    workflows: Section = imported.formula.get("workflows", {})
    kept = {name for name, endpoint in endpoints.items() if _is_wanted(name, endpoint, wanted)}
    if not kept:
        names = [f"{name} ({endpoint['url']})" for name, endpoint in endpoints.items()]
        more = f", and {len(names) - FEW} more" if len(names) > FEW else ""
        raise InvalidInput("only", f"There is none of it among: {', '.join(names[:FEW])}{more}.")
    chosen = _with_sources({name for name, each in workflows.items() if each["endpoint"] in kept}, workflows)
    kept |= {workflows[name]["endpoint"] for name in chosen}
    lists = {mapping.get("source_collection") for name in chosen for mapping in _mappings(workflows[name])}
    sections: dict[str, set[Any]] = {"endpoints": kept, "workflows": chosen, "collections": lists}
    formula = {
        section: _pick(each, sections[section]) if section in sections else each
        for section, each in imported.formula.items()
    }
    variables = {name for endpoint in formula["endpoints"].values() for name in endpoint.get("variables", {})}
    secrets = {k: v for k, v in imported.secrets.items() if k in variables or k.startswith("proxies.")}
    gone = {*endpoints, *workflows} - kept - chosen
    notes = [note for note in imported.notes if not _is_about(note, gone, kept | chosen)]
    left = len(endpoints) - len(kept)
    told = (
        [*notes, f"Of {len(endpoints)} endpoints {left} were left out, as was asked for."] if left else notes
    )
    return replace(
        imported,
        formula={name: section for name, section in formula.items() if section},
        secrets=secrets,
        notes=tuple(told),
    )


def _is_wanted(name: str, endpoint: Section, wanted: Sequence[str]) -> bool:
    place = f"{name}\n{endpoint['url']}".lower()
    return any(text.lower() in place for text in wanted)


def _with_sources(chosen: set[str], workflows: Section) -> set[str]:
    """Return these workflows and those that they take rows of."""
    needed = {
        mapping["from_result"]["workflow"]
        for name in chosen
        for mapping in _mappings(workflows[name])
        if "from_result" in mapping
    }
    return chosen if needed <= chosen else _with_sources(chosen | needed, workflows)


def _mappings(workflow: Section) -> Sequence[dict[str, Json]]:
    mappings: Sequence[dict[str, Json]] = workflow.get("mappings", ())
    return mappings


def _pick(section: Section, names: Collection[str | None]) -> dict[str, Json]:
    return {name: each for name, each in section.items() if name in names}


def _is_about(note: str, gone: Collection[str], kept: Collection[str]) -> bool:
    """Tell whether a note begins with a name that is gone, and with none that is kept and longer."""
    found = max(
        (name for name in (*gone, *kept) if note.startswith((f"{name}:", f"{name} "))), key=len, default=""
    )
    return found in gone and found not in kept
