"""A server that speaks S3's protocol, in a process and with libraries of its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

#: Where `make test` installs the server.
SITE = Path(__file__).parent / "servers" / "s3" / "site"
BUCKET = "swath-tests"


class S3:
    """The server. Stopped and started again it has forgotten everything: it keeps objects in memory."""

    def __init__(self) -> None:
        assert SITE.is_dir(), "The S3 server of the tests is not installed: make test does it"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return {
            "SWATH_STORAGE_URL": f"s3://{BUCKET}/some/folder",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            env={**os.environ, "PYTHONPATH": str(SITE)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._make_bucket()
        return self

    def _make_bucket(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    head = f"PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: 0\r\n"
                    connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
                    if b" 200 " in connection.recv(1000):
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("The S3 server does not answer")

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
