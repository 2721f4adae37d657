"""Which objects of a response are kept: a filter drops an object and all rows below it.

What is dropped is the innermost array element on the way to the path's last key, or the whole response
where the way crosses no array. Where the object that would hold the last key is absent, there is nothing to
judge and nothing is dropped; `exists` on that object's own key drops the elements that lack it.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Filter, Json
from swath.flow.paths import EVERY, MISSING, JSONPath, Step, compile_path

#: Prunes a response in place; False: drop it whole.
Sieve = Callable[[Json], bool]
#: Is told how many elements of an array were dropped.
Note = Callable[[int], None]

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*\Z", re.ASCII)
_PLACE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def matches(op: str, left: Json, right: Json) -> bool:
    """Tell whether `left op right` holds. An absent value is None.

    Numbers compare as numbers where both sides read as numbers, else text as text; null satisfies only
    `!=`, `not_in` and `= null`. Raises InvalidInput for an unknown operator or a bad regular expression.
    """
    judge = _OPERATORS.get(op)
    if judge is None:
        raise InvalidInput("op", f"Unknown operator {op!r}. Known are: {' '.join(_OPERATORS)}.")
    return judge(left, right)


def bind_filters(filters: Sequence[Filter], parameters: Mapping[str, Json]) -> tuple[Filter, ...]:
    """Put the parameters into the filters' values. A filter whose parameter was not given is left out."""
    bound = (replace(each, value=_bind(each.value, parameters)) for each in filters)
    return tuple(each for each in bound if each.value is not MISSING)


def compile_filters(filters: Sequence[Filter], note: Note = lambda dropped: None) -> Sieve | None:
    """Return a function that prunes a response by all filters, or None if there are none.

    What it drops of arrays it tells `note`. Raises InvalidInput for a path, operator or expression that
    cannot be used.
    """
    sieves = [_compile(each, note) for each in filters]
    if len(sieves) <= 1:
        return sieves[0] if sieves else None
    return lambda value: all(sieve(value) for sieve in sieves)


def _bind(value: Json, parameters: Mapping[str, Json]) -> Json:
    if isinstance(value, list | tuple):
        bound = [_bind(each, parameters) for each in value]
        return MISSING if any(each is MISSING for each in bound) else bound
    if not isinstance(value, str):
        return value
    names = [match.strip() for match in _PLACE.findall(value)]
    if any(name not in parameters for name in names):
        return MISSING
    if len(names) == 1 and _PLACE.fullmatch(value.strip()):
        return parameters[names[0]]
    return _PLACE.sub(lambda match: text_of(parameters[match[1].strip()]), value)


def _compile(each: Filter, note: Note) -> Sieve:
    path = compile_path(each.path)
    matches(each.op, "", each.value)
    if isinstance(path, JSONPath):
        return _located_sieve(path, each, note)
    steps = path.steps or ()
    spread = not each.path.startswith("$")
    return _step_sieve(steps, spread, _bind_operator(each), note)


def _bind_operator(each: Filter) -> Callable[[Json], bool]:
    """Return the filter's operator with its value, quick where integers meet, or texts that are no number."""
    judge, right, number = _OPERATORS[each.op], each.value, read_number(each.value)
    compare = _COMPARISONS.get(each.op)
    if compare is None or not (number is not None or isinstance(right, str)):
        return lambda left: judge(left, right)
    kind, bound = (str, right) if number is None else (int, _exact(number))
    return lambda left: compare(left, bound) if type(left) is kind else judge(left, right)


def _step_sieve(steps: tuple[Step, ...], spread: bool, holds: Callable[[Json], bool], note: Note) -> Sieve:
    """Walk `steps`; wherever they cross an array, keep the elements below which the walk says so."""
    last = len(steps) - 1
    spreading = [spread and isinstance(step, str) for step in steps] + [False]

    def keep(value: Json, at: int) -> bool:
        if at > last:
            return holds(value)
        step = steps[at]
        if isinstance(value, list) and (spreading[at] or step is EVERY):
            thin(value, at + (step is EVERY))
            return True
        if at == last:
            return not _can_hold(value, step) or holds(_get(value, step))
        child = _get(value, step)
        return child is None or keep(child, at + 1)

    def thin(array: list[Json], at: int) -> None:
        """Thin an array and, where the same step goes on through them, the arrays in it, however deep."""
        waiting = [array]
        while waiting:
            whole = waiting.pop()
            kept = []
            for each in whole:
                if spreading[at] and isinstance(each, list):
                    waiting.append(each)
                elif not keep(each, at):
                    continue
                kept.append(each)
            if len(kept) < len(whole):
                note(len(whole) - len(kept))
                whole[:] = kept

    return lambda value: keep(value, 0)


def _can_hold(value: Json, step: Step) -> bool:
    return isinstance(value, dict) if isinstance(step, str) else isinstance(value, list)


def _get(value: Json, step: Step) -> Json:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
        return value[step]
    return None


def _located_sieve(path: JSONPath, each: Filter, note: Note) -> Sieve:
    """Drop the array elements around those matches of a full JSONPath that do not satisfy the filter."""

    def sieve(value: Json) -> bool:
        failed = [place for place, found in path.locations(value) if not matches(each.op, found, each.value)]
        doomed = {_element_place(value, place) for place in failed}
        for place in sorted((place for place in doomed if place), key=_reverse_order, reverse=True):
            parent = value
            for key in place[:-1]:
                parent = parent[key]
            del parent[place[-1]]
        note(len(doomed - {()}))
        return () not in doomed

    return sieve


def _element_place(value: Json, place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the place of the innermost array element that holds `place`'s last key; (): the response."""
    last = len(place)
    while last and not isinstance(place[last - 1], int):
        last -= 1
    return place[:last]


def _reverse_order(place: tuple[int | str, ...]) -> tuple[tuple[bool, Any], ...]:
    return tuple((isinstance(key, str), key) for key in place)


def read_number(value: Json) -> int | float | Decimal | None:
    """Return the number that a JSON value reads as, else None. A boolean is none."""
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, msgspec.Raw):
        value = text_of(value)
    if isinstance(value, str) and len(value) < 400 and _NUMBER.match(value):
        try:
            return int(value) if value.strip().lstrip("-").isdigit() else Decimal(value.strip())
        except (InvalidOperation, ValueError):
            return None
    return None


def text_of(value: Json) -> str:
    """Return a JSON value as text: a string as it is, null as nothing, everything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return msgspec.json.encode(value).decode()


def _equal(left: Json, right: Json) -> bool:
    if left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(each, right[key]) for key, each in left.items())
    if isinstance(left, list) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict | list) or isinstance(right, dict | list | tuple):
        return False
    order = _order(left, right)
    return text_of(left) == text_of(right) if order is None else order == 0


def _order(left: Json, right: Json) -> int | None:
    """Compare as numbers, else as text; None where the two have no order."""
    a, b = read_number(left), read_number(right)
    if a is not None and b is not None:
        return (_exact(a) > _exact(b)) - (_exact(a) < _exact(b))
    if type(left) is str and type(right) is str:  # a decimal keeps its text, and is none
        return (left > right) - (left < right)
    return None


def _exact(number: int | float | Decimal) -> int | Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else number


def _ordered(fits: Callable[[int], bool]) -> Callable[[Json, Json], bool]:
    def judge(left: Json, right: Json) -> bool:
        order = _order(left, right)
        return order is not None and fits(order)

    return judge


def _among(left: Json, right: Json) -> bool:
    if isinstance(right, str):
        return any(_equal(left, each.strip()) for each in right.split(","))
    if isinstance(right, list | tuple):
        return any(_equal(left, each) for each in right)
    return _equal(left, right)


def _contains(left: Json, right: Json) -> bool:
    if isinstance(left, list):
        return any(_equal(each, right) for each in left)
    if isinstance(left, dict):
        return text_of(right) in left
    return left is not None and text_of(right) in text_of(left)


def _searches(left: Json, right: Json) -> bool:
    found = _expression(text_of(right)).search(text_of(left))
    return left is not None and found is not None


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InvalidInput("value", f"Not a regular expression: {error}.") from None


def _exists(left: Json, right: Json) -> bool:
    """`value: false` asks for the contrary."""
    wanted = right is not False and right != "false"
    return (left is not None) is wanted


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_OPERATORS: dict[str, Callable[[Json, Json], bool]] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda order: order < 0),
    "<=": _ordered(lambda order: order <= 0),
    ">": _ordered(lambda order: order > 0),
    ">=": _ordered(lambda order: order >= 0),
    "in": _among,
    "not_in": lambda left, right: not _among(left, right),
    "contains": _contains,
    "matches": _searches,
    "exists": _exists,
}
