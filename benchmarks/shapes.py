"""Responses of four shapes, made by the seed: flat and nested, narrow and wide."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

ROWS = 20
_WORDS = ["amber", "breeze", "copper, polished", "dusk", 'said "so"', "élan", "fern", "granite"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a row holds, how many responses are measured, and which tables are to be written, by path."""

    title: str
    row: Callable[[random.Random, int], dict[str, Any]]
    count: int
    collections: tuple[str, ...] = ("rows",)


def response(shape: Shape, number: int) -> dict[str, Any]:
    chance = random.Random(number)
    return {"rows": [shape.row(chance, number * ROWS + place) for place in range(ROWS)]}


def _flat_narrow(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": chance.choice(_WORDS),
        "score": round(chance.random() * 100, 3),
        "active": chance.random() < 0.5,
        "note": None if chance.random() < 0.3 else f"note {chance.randrange(10**6)}",
    }


def _flat_wide(chance: random.Random, number: int) -> dict[str, Any]:
    row = _flat_narrow(chance, number)
    row.update({f"count_{n}": chance.randrange(10**6) for n in range(30)})
    row.update({f"rate_{n}": round(chance.random(), 4) for n in range(25)})
    row.update({f"word_{n}": chance.choice(_WORDS) for n in range(20)})
    return row


def _nested_narrow(chance: random.Random, number: int) -> dict[str, Any]:
    row = _flat_narrow(chance, number)
    row["customer"] = {
        "id": chance.randrange(10**6),
        "address": {"city": chance.choice(_WORDS), "zip": "10115"},
    }
    row["lines"] = [
        {
            "sku": f"S{chance.randrange(10**5)}",
            "amount": chance.randrange(9),
            "price": {"net": 1.5, "tax": 0.19},
        }
        for _ in range(3)
    ]
    return row


def _nested_wide(chance: random.Random, number: int) -> dict[str, Any]:
    row = _nested_narrow(chance, number)
    for group in ("billing", "shipping", "tracking"):
        row[group] = {f"{kind}_{n}": chance.choice(_WORDS) for kind in ("street", "label") for n in range(8)}
        row[group]["at"] = {f"time_{n}": chance.randrange(10**9) for n in range(6)}
    return row


SHAPES = {
    "flat_narrow": Shape("flat, 5 columns", _flat_narrow, 20_000),
    "flat_wide": Shape("flat, 80 columns", _flat_wide, 2_000),
    "nested_narrow": Shape("nested, rows and their lines", _nested_narrow, 4_000, ("rows", "rows.lines")),
    "nested_wide": Shape(
        "nested and wide, rows and their lines", _nested_wide, 2_000, ("rows", "rows.lines")
    ),
}
