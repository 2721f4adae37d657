"""Runs programs and says what they took: peak memory, and CPU with that of all processes below them."""

import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import CACHE

_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float
    wall: float
    #: MiB of the largest single process of the tree, as the kernel counts it.
    peak: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A run of a competitor, and one of next to nothing, which shows what starting and stopping cost."""

    whole: Cost
    start: Cost
    #: Responses that came on top of the start.
    count: int

    @property
    def more(self) -> float:
        """CPU seconds of what came on top of the start."""
        return self.whole.cpu - self.start.cpu

    @property
    def each(self) -> float:
        """The same for one response."""
        return self.more / self.count


def run(command: list[str], log: Path) -> Cost:
    """Raises RuntimeError for a program that fails, for its figures would mean nothing."""
    _adopt()
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, process_group=0)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    usages = [usage, *_reap(process.pid)]
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed: {log.read_text(errors='replace')[-2000:]}")
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Cost(cpu, wall, max(usage.ru_maxrss for usage in usages) / 1024)


def _adopt() -> None:
    """Become the parent of what is left by processes that have ended, or nobody could tell what that took."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "The CPU of processes that outlive their parent cannot be counted.")


def _reap(group: int) -> list[resource.struct_rusage]:
    """Wait for all that is left of a process group; return what each took, with those it had waited for."""
    usages = []
    while True:
        try:
            usages.append(os.wait4(-group, 0)[2])
        except ChildProcessError:
            return usages


def fresh_folder(name: str) -> Path:
    folder = CACHE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def alternate(
    names: Sequence[str], rounds: int, once: Callable[[str], Measured], unit: Callable[[Measured], str]
) -> dict[str, list[Measured]]:
    """Run each competitor in turn, so many times; `unit` says what a run came to."""
    costs: dict[str, list[Measured]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            measured = once(name)
            costs[name].append(measured)
            print(f"{name:22} start {measured.start.cpu:5.2f} s CPU, then {unit(measured)}", flush=True)
    return costs


def middle(runs: Sequence[Measured], value: Callable[[Measured], float]) -> float:
    return statistics.median(map(value, runs))


def ratio(runs: Sequence[Measured], mine: Sequence[Measured] | None) -> str:
    """How many times the CPU of a response in the runs of the same rounds; the median."""
    if not mine:
        return ""
    return f"{statistics.median(a.each / b.each for a, b in zip(runs, mine, strict=True)):.2f}×"
