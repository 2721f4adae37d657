"""What `swath run` is to run, read and checked before anything is opened or sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import msgspec

from swath.cli.failures import Wrong
from swath.cli.lists import read_list, read_place
from swath.cli.options import find_secrets, read_params, read_proxy, read_secrets
from swath.cli.sources import FormulaFile
from swath.flow.definition import Compression, OutputFormat
from swath.flow.formula import SourceText

Json = Any

HIDDEN = Path(".swath")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be run."""

    file: FormulaFile
    #: The workflows that run: the one that is begun, and what follows on it.
    line: Sequence[str]
    workflow: str
    parameters: Mapping[str, Json]
    inputs: Mapping[str, Sequence[Json]]
    secrets: Mapping[str, str]
    proxy: Mapping[str, str] | None
    max_requests: int | None
    file_format: str
    compression: str | None
    archive: bool

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        workflow: str | None,
        params: Sequence[str] | None,
        inputs: Sequence[str] | None,
        secrets: Sequence[str] | None,
        max_requests: int | None,
        file_format: str,
        compression: str | None = None,
        archive: bool = False,
        proxy: str | None,
        ask: bool,
    ) -> "Job":
        """Read everything that the command names. Raises Wrong."""
        file = FormulaFile(path)
        if file_format not in get_args(OutputFormat):
            raise Wrong(f"--format {file_format}: must be one of {', '.join(get_args(OutputFormat))}.")
        if compression is not None and compression not in get_args(Compression):
            raise Wrong(f"--compression {compression}: must be one of {', '.join(get_args(Compression))}.")
        chosen = file.choose(workflow)
        return cls(
            file=file,
            line=file.formula.line_of(chosen),
            workflow=chosen,
            parameters=read_params(params),
            inputs=dict(_read_inputs(inputs)),
            secrets=_fill(file, read_secrets(secrets).of(file.secret_names), ask),
            proxy=read_proxy(proxy),
            max_requests=max_requests,
            file_format=file_format,
            compression=compression,
            archive=archive,
        )

    @property
    def source(self) -> SourceText:
        """The formula without the workflows that are not run."""
        return self.file.keep(self.line)

    @property
    def digest(self) -> str:
        """Stands for all that decides what comes out: the same command goes on with the same execution."""
        parts = (
            self.file.source.value,
            self.workflow,
            dict(self.parameters),
            dict(self.inputs),
            self.proxy,
            self.max_requests,
            self.file_format,
            self.compression,
            self.archive,
        )
        return sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def _read_inputs(given: Sequence[str] | None) -> Iterator[tuple[str, list[Json]]]:
    for each in given or ():
        variable, equals, source = each.partition("=")
        if not equals or not variable:
            raise Wrong(f"--input {each!r}: write VARIABLE=@FILE, VARIABLE=@FILE:COLUMN or VARIABLE=a,b,c.")
        yield variable, read_list(*read_place(source[1:])) if source[:1] == "@" else source.split(",")


def _fill(file: FormulaFile, given: dict[str, str], ask: bool) -> dict[str, str]:
    """Return values for all secrets of a formula. Raises Wrong for those that have none."""
    formula = file.formula
    fetched = {workflow.auth.variable for workflow in formula.workflows.values() if workflow.auth}
    wanted = {
        name: endpoint
        for endpoint, names in formula.secrets.items()
        for name in names
        if name not in given and f"{endpoint}.{name}" not in given and name not in fetched
    }
    values = given | find_secrets(wanted, ask=ask)
    missing = [name for name, endpoint in wanted.items() if name not in values]
    if missing:
        raise Wrong(*(f"The secret {name} has no value: give --secret {name}=VALUE." for name in missing))
    return values


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where it runs, where the files go, and how much is told."""

    out: Path | None
    data_dir: Path | None
    allowed: tuple[str, ...]
    fresh: bool
    retry: bool
    #: Of a retry: items that ended so, or failed with one of these errors.
    which: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    quiet: bool
    as_json: bool

    def folder(self, job: Job) -> Path:
        """Return the folder of what is under way: one for each workflow of each file."""
        if self.data_dir is not None:
            return self.data_dir
        name = sha256(f"{job.file.path.resolve()}\0{job.workflow}".encode()).hexdigest()[:8]
        return HIDDEN / f"{job.file.path.stem}-{name}"

    @property
    def to_pipe(self) -> bool:
        """Whether the last workflow's first file goes to standard output, and no other anywhere."""
        return str(self.out) == "-"

    def results(self, job: Job, workflow: str) -> Path:
        """Return the folder of a workflow's files: where several run, each has its own."""
        if self.out is not None:
            return self.out / _slug(workflow) if len(job.line) > 1 else self.out
        return Path("results") / _slug(workflow)


def _slug(name: str) -> str:
    kept = "".join(char if char.isalnum() or char in "._-" else "-" for char in name.lower())
    return "-".join(part for part in kept.split("-") if part) or "workflow"
