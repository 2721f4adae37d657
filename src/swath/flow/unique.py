"""Names that differ: where one came before, the later one gets a suffix (`name_2`)."""

from collections.abc import Container, Iterable


def make_unique(name: str, taken: Container[str]) -> str:
    """Return `name`, or where that is taken the first free one of `name_2`, `name_3`, ..."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def name_all(names: Iterable[str], taken: set[str]) -> list[str]:
    """Make the names unique, in order, among themselves and `taken`, which they are added to."""
    unique = []
    for name in names:
        unique.append(make_unique(name, taken))
        taken.add(unique[-1])
    return unique
