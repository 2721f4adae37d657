"""What other tools wrote, read as a formula that can be applied."""

from collections.abc import Sequence

from swath.errors import NotFound
from swath.flow.definition import Json
from swath.flow.formula import read_plain, write_text
from swath.flow.formula.hints import nearest
from swath.importers import KINDS, choose
from swath.importers.hints import Spot, fill_spot, find_spots

__all__ = ["Spot", "fill_spot", "find_spots", "read"]


def read(kind: str, source: str, only: Sequence[str] = ()) -> dict[str, Json]:
    """Return the formula, as text and as plain values, the secrets apart, and what could not be carried.

    `only` are texts, one of which the name or address of an endpoint must have.

    Raises NotFound for a kind that is not known, InvalidInput for a source that is not of the kind.
    """
    if kind not in KINDS:
        raise NotFound("kind", f"There is no import of {kind!r}{nearest(kind, KINDS)}")
    imported = KINDS[kind](source)
    if only:
        imported = choose(imported, only)
    return {
        "formula": write_text(read_plain(imported.formula)),
        "formula_object": imported.formula,
        "secrets": dict(imported.secrets),
        "notes": list(imported.notes),
    }
