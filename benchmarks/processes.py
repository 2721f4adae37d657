"""What processes take, with all those below them: memory and CPU, as the kernel counts them."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks.
EVERY = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Peak:
    """MiB: before anything was executed, the most at any moment, and what the largest process had then."""

    idle: float = 0.0
    whole: float = 0.0
    largest: float = 0.0
    processes: int = 0


@contextmanager
def watch(pids: Mapping[str, int]) -> Iterator[dict[str, Peak]]:
    """Look at the memory of named processes, each with those below it, until the block ends."""
    peaks, ended = {name: Peak(idle=sum(sizes(pid))) for name, pid in pids.items()}, threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            for name, pid in pids.items():
                _note(peaks[name], sizes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()


def _note(peak: Peak, found: list[float]) -> None:
    peak.processes = max(peak.processes, len(found))
    if sum(found) > peak.whole:
        peak.whole, peak.largest = sum(found), max(found)


def sizes(pid: int) -> list[float]:
    """Return the MiB of a process and of each below it; what they share counts once."""
    found = []
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return found


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process, of those below it, and of those that have ended there."""
    ticks = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(map(int, fields[11:15]))  # its own and its children's, user and system
    return ticks / _TICKS


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return found
    for child in children:
        found += tree(int(child))
    return found
