"""A server that speaks S3's protocol, in a process and with libraries of its own; it goes away at will."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Literal, Self

#: Where `make test` installs the server's libraries.
SITE = Path(__file__).parent / "servers" / "s3" / "site"
SERVER = SITE.parent / "serve.py"
BUCKET = "swath-tests"

Mood = Literal["well", "away", "refuse", "slow"]


class S3:
    """The server. What it does in each mood stands in `servers/s3/serve.py`; it keeps objects in memory."""

    def __init__(self) -> None:
        assert SITE.is_dir(), "The S3 server of the tests is not installed: make test does it"
        self.port = 0  # Known once it runs
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return self.reached_at("127.0.0.1", self.port)

    def reached_at(self, host: str, port: int) -> dict[str, str]:
        """The same, where something stands between."""
        return {
            "SWATH_STORAGE_URL": f"s3://{BUCKET}/some/folder",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER)],
            env={**os.environ, "PYTHONPATH": str(SITE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.be("well")
        self._make_bucket()
        return self

    def be(self, mood: Mood) -> None:
        """Have the server in this mood; on return it is."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{mood}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == mood, "The S3 server does not do as it is told"

    def _make_bucket(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            head = f"PUT /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: 0\r\n"
            connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
            assert b" 200 " in connection.recv(1000), "The S3 server makes no bucket"

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
