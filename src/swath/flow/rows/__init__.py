"""From stored responses to row parts: the map step."""

from swath.flow.rows.extractor import (
    Counts,
    Extraction,
    Extractor,
    SourcePage,
)

__all__ = [
    "Counts",
    "Extraction",
    "Extractor",
    "SourcePage",
]
