"""Runs a program and says what it took: peak memory, and CPU of it and of the children that it waited for."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float
    wall: float
    #: MiB of the largest single process of the tree, as the kernel counts it.
    peak: float


def run(command: list[str], log: Path) -> Cost:
    """Raises RuntimeError for a program that fails, for its figures would mean nothing."""
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed: {log.read_text(errors='replace')[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024)
