"""Many processes over one PostgreSQL database, each of which can be stopped, frozen or killed."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from server import PATIENCE, Server, wait_until

#: Seconds after which a worker counts as dead where a test waits for that: fewer than by default.
LEASE = 4
#: The same where no worker is to be taken for dead, however long it is kept from running.
LONG_LEASE = 30
TOKEN = "the-administrators-token-of-the-tests"


class Member:
    """`swath worker` as a subprocess."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.process: subprocess.Popen[str] | None = None
        self.name = ""

    def start(self) -> Self:
        self.begin()
        return self.ready()

    def begin(self) -> None:
        """Start it, without waiting until it is up."""
        self.name = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "swath", "worker"],
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def ready(self) -> Self:
        """Wait until it is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        if not self.name:
            line = self.process.stdout.readline()
            assert "works as" in line, f"The worker did not start: {line!r}"
            self.name = line.split()[3]
        return self

    def is_up(self) -> bool:
        """Tell whether it is up, without waiting."""
        assert self.process is not None
        return bool(self.name or select.select([self.process.stdout], [], [], 0)[0])

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        self.reap()

    def stop(self) -> int:
        """End it as a service manager does; return its exit code."""
        self.send(signal.SIGTERM)
        return self.reap()

    def reap(self) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        return code


class Fleet:
    """API processes without a worker, and workers.

    `far` is what the environment of the last worker says otherwise: how it reaches what all share.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        workers: int = 2,
        servers: int = 1,
        lease: int = LONG_LEASE,
        far: Mapping[str, str] | None = None,
        **more: str,
    ) -> None:
        environment = {
            "SWATH_DATABASE_URL": url,
            "SWATH_SECRET_KEY": "the key of the tests",
            "SWATH_TOKEN": TOKEN,
            "SWATH_WORKER_LEASE": str(lease),
            **more,
        }
        # One folder for all: only the objects in it are shared, as a network's folder would be.
        self.servers = [Server(folder, "--no-worker", **environment) for _ in range(servers)]
        #: What a further process of the fleet is started with.
        self.environment = {
            **os.environ,
            "SWATH_ALLOWED_PRIVATE_HOSTS": "127.0.0.0/8",
            "SWATH_DATA_DIR": str(folder),
            **environment,
        }
        self.workers = [Member(self.environment) for _ in range(workers)]
        if far is not None:
            self.workers[-1] = Member({**self.environment, **far})

    @property
    def server(self) -> Server:
        return self.servers[0]

    def __enter__(self) -> Self:
        for member in (*self.servers, *self.workers):
            member.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in (*self.workers, *self.servers):
            if member.process is not None:
                member.process.send_signal(signal.SIGCONT)
                member.kill()

    def wait_for_pages(self, execution_id: str, pages: int) -> int:
        """Wait until so many pages are recorded; return how many are."""

        def recorded() -> int:
            found = int(self.server.execution(execution_id)["counters"]["pages"])
            return found if found >= pages else 0

        return int(wait_until(recorded, f"{pages} pages are recorded"))
