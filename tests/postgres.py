"""A real PostgreSQL server of the tests' own, on a free port and in a temporary folder: stopped at will."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Self
from uuid import uuid4

import psycopg
from tests.ports import Port

#: Where Debian's packages and others put the programs.
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
#: Seconds after which a server that should have started or stopped counts as not doing so.
PATIENCE = "180"


def find_programs() -> Path:
    """Return the folder of the newest `initdb`, which `make test` installs where there is none."""
    found = [path for place in PLACES for path in Path("/").glob(f"{place[1:]}/initdb")]
    if not found and (on_path := shutil.which("initdb")):
        found = [Path(on_path)]
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return max(found, key=lambda path: [int(part) for part in path.parts if part.isdecimal()]).parent


class Postgres:
    """A server that only this machine reaches, with further `settings` of its own (`name=value`).

    `url` is of a database that nobody else uses.
    """

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._programs = find_programs()
        self._account = _unprivileged()
        self.folder = Path(mkdtemp(prefix="swath-postgres-"))
        self._place = Port()
        self.port = self._place.number
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)

    def __enter__(self) -> Self:
        locale = ("-E", "UTF8", "--locale", "C.UTF-8")
        self._run("initdb", "-A", "trust", "-U", "swath", "--no-instructions", *locale)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", check=False)
        self._place.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        settings = (
            f"port={self.port} listen_addresses=127.0.0.1 unix_socket_directories='' max_connections=90"
        )
        options = " ".join(f"-c {setting}" for setting in (*settings.split(), *self._settings))
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-t", PATIENCE, "-l", log, "-o", options)

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is as a loss of power."""
        self._run("pg_ctl", "stop", "-w", "-t", PATIENCE, "-m", mode)

    @property
    def pid(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def url(self, name: str) -> str:
        return f"postgresql://swath@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """Make an empty database; return its URL."""
        name = f"swath_{uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]

    def _run(self, program: str, *options: str, check: bool = True) -> None:
        command: Sequence[str] = (str(self._programs / program), "-D", str(self.folder / "data"), *options)
        who = {} if self._account is None else {"user": self._account.pw_uid, "group": self._account.pw_gid}
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            **who,  # type: ignore[call-overload]
        )
        assert not check or done.returncode == 0, f"{program}: {done.stderr}"


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom to run the server as when we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("There is no account to run PostgreSQL under: adduser postgres")
