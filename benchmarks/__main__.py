"""Measure what Swath costs beside what people use now; write the sections measured into RESULTS.md."""

import argparse
import os
from collections.abc import Callable

from benchmarks import (
    control,
    costs,
    extraction,
    growth,
    idle,
    memory,
    million,
    page,
    report,
    whole_way,
    workers,
)
from benchmarks.choice import Choice

#: Each part measures, and returns its section of RESULTS.md.
PARTS: dict[str, Callable[[Choice], str]] = {
    "whole_way": whole_way.measure,
    "extraction": extraction.measure,
    "memory": memory.measure,
    "growth": growth.measure,
    "page": page.measure,
    "workers": workers.measure,
    "control": control.measure,
    "costs": costs.measure,
    "idle": idle.measure,
    "million": million.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each competitor, alternating")
    parser.add_argument("--scale", type=float, default=1.0, help="of the usual amounts of data")
    parser.add_argument("--only", nargs="+", default=[], help="competitors, by the names of their scripts")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; choose of {', '.join(PARTS)}")
    choice = Choice(rounds=given.rounds, scale=given.scale, only=tuple(given.only))
    for name in given.parts or PARTS:
        before = os.getloadavg()[0]
        text = PARTS[name](choice)
        report.keep(name, f"{text}\n{report.origin(name, choice, before)}", list(PARTS))


if __name__ == "__main__":
    main()
