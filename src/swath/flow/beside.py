"""Which arrays of an answer stand beside its records, by their names."""

import re
from typing import Final

#: Words in the names of such arrays.
_BESIDE: Final = frozenset(
    """link facet aggregation agg error warning notice column field schema included breadcrumb suggested
    suggestion filter meta metadata debug header pagination paging""".split()  # noqa: SIM905
)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_beside(key: str) -> bool:
    """Tell whether what is called so stands beside the records: links, facets, errors and their like."""
    return not _BESIDE.isdisjoint(word.lower().removesuffix("s") for word in _WORD.findall(key))
