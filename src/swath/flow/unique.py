"""Names that differ: where one came before, the later one gets a suffix (`name_2`)."""

from collections.abc import Container, Iterable


def make_unique(name: str, taken: Container[str]) -> str:
    """Return `name`, or where that is taken the first free one of `name_2`, `name_3`, ..."""
    return f"{name}_{_find_free(name, taken, 2)}" if name in taken else name


def _find_free(name: str, taken: Container[str], number: int) -> int:
    while f"{name}_{number}" in taken:
        number += 1
    return number


def name_all(names: Iterable[str], taken: set[str]) -> list[str]:
    """Make the names unique, in order, among themselves and `taken`, which they are added to."""
    unique = []
    free: dict[str, int] = {}  # what was taken stays so: of a thousand alike none is looked for from 2 on
    for name in names:
        made = name
        if name in taken:
            free[name] = _find_free(name, taken, free.get(name, 2))
            made = f"{name}_{free[name]}"
        unique.append(made)
        taken.add(made)
    return unique
