"""Of an import only what is wanted: a recording of a page holds many requests, a document many operations."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.imported import Imported

Section = Mapping[str, Any]

_SECTIONS: Final = ("endpoints", "workflows", "collections", "proxies")
#: Names that a refusal tells.
FEW = 20


def choose(imported: Imported, wanted: Sequence[str]) -> Imported:
    """Return the endpoints that one of these texts names, with what belongs to them, also of the spare.

    A text names the endpoint that is called so, else all that have it in their name or address. An endpoint
    whose rows another one is fed with comes too. Raises InvalidInput where there is none.
    """
    given = {name: {**imported.formula.get(name, {}), **imported.spare.get(name, {})} for name in _SECTIONS}
    endpoints, workflows = given["endpoints"], given["workflows"]
    kept = {name for text in wanted for name in _named(text, endpoints)}
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
        for section, each in given.items()
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
        spare={},
        secrets=secrets,
        notes=tuple(told),
    )


def _named(text: str, endpoints: Section) -> Iterator[str]:
    if text in endpoints:
        yield text
        return
    for name, endpoint in endpoints.items():
        if text.lower() in f"{name}\n{endpoint['url']}".lower():
            yield name


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
