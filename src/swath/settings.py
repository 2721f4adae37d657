"""What an operator can set, all by environment variables that begin with `SWATH_`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from swath.errors import SetupError


def _variable(name: str, meaning: str, **default: Any) -> Any:
    return field(metadata={"variable": name, "meaning": meaning}, **default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process is configured by. Secrets are left out of `repr`."""

    data_dir: Path = _variable(
        "SWATH_DATA_DIR", "Folder of the databases, segments and files.", default=Path("data")
    )
    database_url: str = _variable(
        "SWATH_DATABASE_URL",
        "postgresql://... for many processes; empty: SQLite in the data folder.",
        default="",
        repr=False,
    )
    storage_url: str = _variable(
        "SWATH_STORAGE_URL",
        "Where segments and files are kept, e.g. s3://bucket/folder; empty: below the data folder.",
        default="",
    )
    public_url: str = _variable(
        "SWATH_PUBLIC_URL", "How clients reach the server; empty: as the request came.", default=""
    )
    token: str = _variable(
        "SWATH_TOKEN",
        "The first administrator's token; empty: one is made and kept in <data-dir>/token.",
        default="",
        repr=False,
    )
    secret_key: str = _variable(
        "SWATH_SECRET_KEY",
        "Keys that encrypt secrets at rest, newest first, comma-separated; empty: one is made and kept. "
        "Compulsory with SWATH_DATABASE_URL.",
        default="",
        repr=False,
    )
    allowed_private_hosts: tuple[str, ...] = _variable(
        "SWATH_ALLOWED_PRIVATE_HOSTS",
        "Private addresses, networks or host names that requests may go to, comma-separated.",
        default=(),
    )
    ca_file: str = _variable(
        "SWATH_CA_FILE", "Certificates in PEM that requests trust beside the usual ones.", default=""
    )
    direct_allowed: bool = _variable(
        "SWATH_DIRECT_ALLOWED", "Whether an execution may go without a proxy.", default=True
    )
    proxy_rate: float | None = _variable(
        "SWATH_PROXY_RATE", "Requests per second through each proxy; empty: no limit.", default=None
    )
    keep_days: float = _variable(
        "SWATH_KEEP_DAYS",
        "Days for which the stored answers of ended executions are kept; 0: for ever.",
        default=30.0,
    )
    keep_files_days: float = _variable(
        "SWATH_KEEP_FILES_DAYS",
        "Days after which ended executions go with their files; 0: never.",
        default=365.0,
    )
    max_running: int | None = _variable(
        "SWATH_MAX_RUNNING",
        "Executions that run at a time; further ones stay queued; empty: no limit.",
        default=None,
    )
    max_running_per_user: int | None = _variable(
        "SWATH_MAX_RUNNING_PER_USER", "The same, of one user; empty: no limit.", default=None
    )
    shard_seconds: float = _variable(
        "SWATH_SHARD_SECONDS",
        "Seconds after which a shard makes way while another execution waits.",
        default=10.0,
    )
    worker_shards: int = _variable(
        "SWATH_WORKER_SHARDS", "How many shards one worker works on at a time.", default=4
    )

    worker_lease: int = _variable(
        "SWATH_WORKER_LEASE",
        "Seconds after which a worker that was not heard of counts as dead; all workers need the same.",
        default=15,
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "Settings":
        """Read the environment; `given` values that are not None win over it.

        Raises SetupError for a value that does not read as its type.
        """
        values = {}
        for item in fields(cls):
            text = environment.get(item.metadata["variable"], "")
            if text:
                values[item.name] = _read(item.metadata["variable"], item.type, text)
        values.update({name: value for name, value in given.items() if value is not None})
        return cls(**values)


def _read(variable: str, kind: Any, text: str) -> Any:
    try:
        return _READERS[kind](text)
    except ValueError:
        raise SetupError(f"{variable} is {text!r}; it must be {_KINDS[kind]}.") from None


def _read_bool(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _read_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    int | None: "a whole number",
    float: "a number",
    float | None: "a number",
}
_READERS: dict[Any, Any] = {
    Path: Path,
    str: str,
    bool: _read_bool,
    int: int,
    int | None: int,
    float: float,
    float | None: float,
    tuple[str, ...]: _read_list,
}
