"""Servers that others wrote, each as a process of its own on a free port of loopback."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.ports import Port

ROOT = Path(__file__).parents[2]
#: Seconds within which every server answers.
PATIENCE = 180.0


class Process:
    """A server's process. `{port}` in the command is the port that it is told to listen on."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self._command, self._environment = command, environment
        self._log = folder / f"{Path(command[0]).name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._place = Port()  # not every server tells which one it chose for itself

    @property
    def url(self) -> str:
        return f"http://{self._place.address}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [part.format(port=self._place.number) for part in self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **self._environment},
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _wait(self) -> None:
        """Wait until somebody listens."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._place.number)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{self._command} does not listen:\n{self._log.read_text(errors='replace')}")

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._place.close()
