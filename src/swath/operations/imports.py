"""What other tools wrote, read as a formula that can be applied."""

from collections.abc import Sequence

from swath import importers
from swath.errors import NotFound
from swath.flow.definition import Json
from swath.flow.formula import read_plain, write_text
from swath.flow.formula.hints import nearest
from swath.importers import KINDS, Imported
from swath.importers.hints import Spot, fill_spot, find_spots

__all__ = ["Imported", "Spot", "fill_spot", "find_spots", "read", "show"]


def read(kind: str, source: str, base_url: str = "") -> Imported:
    """Read what another tool wrote; `base_url` says where an API is whose document does not.

    Raises NotFound for a kind that is not known, InvalidInput for a source that is not of the kind.
    """
    if kind not in KINDS:
        raise NotFound("kind", f"There is no import of {kind!r}{nearest(kind, KINDS)}")
    return importers.read(kind, source, base_url)


def show(imported: Imported, only: Sequence[str] = ()) -> dict[str, Json]:
    """Return the formula, as text and as plain values, the secrets apart, and what could not be carried.

    Of it only the endpoints that one of the texts names, if there are any. Raises InvalidInput where none is.
    """
    if only:
        imported = importers.choose(imported, only)
    return {
        "formula": write_text(read_plain(imported.formula)),
        "formula_object": imported.formula,
        "secrets": dict(imported.secrets),
        "notes": list(imported.notes),
    }
