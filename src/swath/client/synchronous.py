"""The client. Made of `asynchronous.py` by `make client`: change that one."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from swath.client import frames
from swath.client.faults import ApiError, ExecutionFailed, NotReached
from swath.client.patience import REPEATABLE, Patience
from swath.client.place import Place
from swath.client.progress import bar

#: A JSON value.
Json = Any
#: Objects that one request of a list asks for.
PAGE = 1_000
#: What a connection that does not come about raises.
NOT_THERE = (httpx.ConnectError, httpx.ConnectTimeout)
#: Seconds between two looks at an execution: the first, and the longest.
LOOK, LOOK_LONGEST = 0.2, 2.0


class Client:
    """A server's API. Without arguments: SWATH_URL and SWATH_TOKEN, or this machine and ./data/token.

    `transport` replaces the network, in tests of programs that use it. Raises NotReached without a token.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.place = Place.find(url, token)
        self._patience = patience or Patience()
        #: Whether the server has answered: if it is not there then, it comes back.
        self._met = False
        self._http = httpx.Client(
            headers={"Token": self.place.token},
            timeout=timeout,
            trust_env=not self.place.is_near,
            transport=transport,
        )
        self.workflows = Workflows(self)
        self.collections = Collections(self)
        self.executions = Executions(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # --- formulas

    def apply(
        self,
        formula: str | Mapping[str, Json],
        secrets: Mapping[str, str] | None = None,
        *,
        dry_run: bool = False,
    ) -> dict[str, Json]:
        """Create or update everything in a formula; return what changed."""
        body = {"formula": formula, "secrets": secrets or {}}
        applied: dict[str, Json] = self.ask("POST", f"/formulas?dry_run={str(dry_run).lower()}", body)
        return applied

    def preview(self, formula: str | Mapping[str, Json], **wish: Json) -> dict[str, Json]:
        """Preview a workflow of a formula that has not been applied."""
        shown: dict[str, Json] = self.ask("POST", "/formulas/preview", {"formula": formula, **wish})
        return shown

    def import_source(
        self, kind: str, source: str, *, only: Sequence[str] = (), base_url: str = ""
    ) -> dict[str, Json]:
        """Make a formula of what another tool wrote: `curl`, `har`, `postman`, `openapi`, `airbyte`.

        `only` keeps endpoints by name or address; `base_url` says where the API of an OpenAPI document is.
        """
        query = httpx.QueryParams({"only": only, "base_url": base_url})
        imported: dict[str, Json] = self.ask("POST", f"/imports/{kind}?{query}", {"source": source})
        return imported

    # --- any route

    def ask(
        self, method: str, path: str, body: Json = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request below the base path; return the object or the list that the answer holds.

        Asks again where that may help. Raises ApiError for a refusal, NotReached without an answer.
        """
        answer = self.send(method, self.place.api + path, body, headers)
        envelope = answer.json()
        return envelope["object"] if "object" in envelope else envelope["objects"]

    def list(self, path: str) -> Iterator[dict[str, Json]]:
        """Yield all objects of a list, however many pages it has."""
        cursor: str | None = None
        joint = "&" if "?" in path else "?"
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            answer = self.send("GET", f"{self.place.api}{path}{joint}limit={PAGE}{more}")
            envelope = answer.json()
            for each in envelope["objects"]:
                yield each
            cursor = envelope.get("next_cursor")
            if not cursor:
                return

    def send(
        self, method: str, url: str, body: Json = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a request until it is answered well, or until asking again does not help.

        A server that cannot be connected to is waited for only if it has answered before.
        """
        repeatable = method in REPEATABLE or "Idempotency-Key" in (headers or {})
        attempt = 0
        while True:
            attempt += 1
            answer: httpx.Response | None = None
            problem, may_come = "", True
            try:
                answer = self._http.request(method, url, json=body, headers=headers)
                self._met = True
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
                may_come = self._met or not isinstance(error, NOT_THERE)
            if answer is not None and answer.is_success:
                return answer
            status, told = (answer.status_code, answer.headers) if answer is not None else (None, {})
            wait = self._patience.wait(attempt, status, told, repeatable=repeatable and may_come)
            if wait is None:
                if answer is None:
                    raise NotReached(f"No answer from {self.place.url}: {problem}. Is the server running?")
                raise ApiError.of(answer.status_code, _json_of(answer))
            time.sleep(wait)

    def stream(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of a result; its address needs no token, and is sent none."""
        with self._http.stream("GET", url, headers={"Token": ""}) as answer:
            if not answer.is_success:
                answer.read()
                raise ApiError.of(answer.status_code, _json_of(answer))
            for chunk in answer.iter_bytes():
                yield chunk


def _json_of(answer: httpx.Response) -> Json:
    try:
        return answer.json()
    except ValueError:
        return None


# --- workflows


class Workflows:
    """The workflows: `client.workflows["My Awesome Workflow"]`, by name or id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, name_or_id: str) -> "Workflow":
        """Return a workflow without asking for it; the first request by it finds its id."""
        return Workflow(self._client, name_or_id)

    def __iter__(self) -> Iterator["Workflow"]:
        for line in self._client.list("/workflows"):
            yield Workflow(self._client, line["name"], line["id"])


class Workflow:
    """A workflow, by its name or id."""

    def __init__(self, client: Client, name: str, workflow_id: str | None = None) -> None:
        self._client = client
        self.name = name
        self._id = workflow_id

    def __repr__(self) -> str:
        return f"Workflow({self.name!r})"

    def find_id(self) -> str:
        """Return the id. Raises ApiError where there is no such workflow, or several."""
        if self._id is None:
            self._id = _find(self._client, "/workflows", "workflow", self.name)
        return self._id

    def execute(
        self,
        parameters: Mapping[str, Json] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Json,
    ) -> "Execution":
        """Trigger an execution. `options` are those of the API: `proxy`, `maximum_requests_count`, ..."""
        body = {"execution_parameters": parameters or {}, **options}
        key = {"Idempotency-Key": idempotency_key or str(uuid4())}  # so that it can be asked for again
        path = f"/workflows/{self.find_id()}/executions"
        made = self._client.ask("POST", path, body, headers=key)
        return Execution(self._client, made["id"])

    def preview(self, **wish: Json) -> dict[str, Json]:
        """Show what an execution would be, without one."""
        shown: dict[str, Json] = self._client.ask("POST", f"/workflows/{self.find_id()}/preview", wish)
        return shown

    def read(self) -> dict[str, Json]:
        """Return the definition."""
        found: dict[str, Json] = self._client.ask("GET", f"/workflows/{self.find_id()}")
        return found

    def formula(self) -> str:
        """Return the workflow as a formula."""
        url = f"{self._client.place.api}/formulas/{self.find_id()}"
        return (self._client.send("GET", url)).text

    def executions(self) -> Iterator["Execution"]:
        """Yield the executions, newest first."""
        for view in self._client.list(f"/workflows/{self.find_id()}/executions"):
            yield Execution(self._client, view["id"], view)

    def delete(self) -> None:
        """Delete the workflow; ended executions stay."""
        self._client.ask("DELETE", f"/workflows/{self.find_id()}")


def _find(client: Client, path: str, kind: str, wanted: str) -> str:
    """Return the id of what has this id or name."""
    named, known = [], []
    for line in client.list(path):
        if line["id"] == wanted:
            return wanted
        known.append(line["name"])
        if line["name"] == wanted:
            named.append(line["id"])
    if len(named) == 1:
        return str(named[0])
    listed = ", ".join(sorted(set(known))[:20]) or "none"
    problem = (
        f"Several have this name; give the id: {', '.join(named)}." if named else f"There are: {listed}."
    )
    raise ApiError(404, {kind: f"{wanted!r} is not the name of one. {problem}"})


# --- executions


class Executions:
    """The executions: `client.executions[id]`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, execution_id: str) -> "Execution":
        return Execution(self._client, execution_id)

    def __iter__(self) -> Iterator["Execution"]:
        for view in self._client.list("/executions"):
            yield Execution(self._client, view["id"], view)


class Execution:
    """One run of a workflow. `view` is what was last seen of it."""

    def __init__(self, client: Client, execution_id: str, view: dict[str, Json] | None = None) -> None:
        self._client = client
        self.id = execution_id
        self.view: dict[str, Json] = view or {}
        self._path = f"/workflows/executions/{execution_id}"

    def __repr__(self) -> str:
        return f"Execution({self.id!r}, {self.view.get('status', 'not looked at')})"

    @property
    def status(self) -> str:
        """The status when it was last looked at."""
        return str(self.view.get("status", ""))

    @property
    def results(self) -> Sequence["Result"]:
        """The files of the newest revision, the primary one first; none before the end."""
        files = self.view.get("results", [])
        newest = max((file["revision"] for file in files), default=0)
        return [Result(self._client, file) for file in files if file["revision"] == newest]

    @property
    def started(self) -> Sequence["Execution"]:
        """The executions that its end has started: of the workflows that take its rows."""
        return [Execution(self._client, each) for each in self.view.get("started", [])]

    def refresh(self) -> "Execution":
        """Look again."""
        self.view = self._client.ask("GET", self._path)
        return self

    def wait(
        self, *, progress: bool = False, look: Callable[[Mapping[str, Json]], None] | None = None
    ) -> "Execution":
        """Wait until every result can be downloaded. `progress` shows a bar; `look` is told of each view."""
        pause = LOOK
        with bar(progress) as show:
            while True:
                self.refresh()
                show(self.view)
                if look is not None:
                    look(self.view)
                if self.view["completed_at"] is not None:
                    return self
                time.sleep(pause)
                pause = min(pause * 1.5, LOOK_LONGEST)

    def cancel(self) -> "Execution":
        """Stop; what was fetched is combined."""
        return self._steer("cancel")

    def pause(self) -> "Execution":
        """Hold it: nothing more is sent."""
        return self._steer("pause")

    def resume(self) -> "Execution":
        """Let it go on."""
        return self._steer("resume")

    def change(self, **changes: Json) -> "Execution":
        """Change it while it goes on: `priority`, `maximum_requests_count`, `limits`, `rate_limits`, ..."""
        self.view = self._client.ask("PATCH", self._path, changes)
        return self

    def _steer(self, verb: str) -> "Execution":
        self.view = self._client.ask("POST", f"{self._path}/{verb}")
        return self

    def combine(self, **recipe: Json) -> "Execution":
        """Make other files of what was fetched, and wait for them: another format, filters, columns."""
        made = self._client.ask("POST", f"{self._path}/combine", recipe)
        while made["completed_at"] is None:
            time.sleep(LOOK)
            found = self._client.ask("GET", f"{self._path}/combinations")
            made = next(each for each in found if each["revision"] == made["revision"])
        if made["error"] is not None:
            raise ExecutionFailed(made["error"])
        return self.refresh()

    def retry(self, **options: Json) -> "Execution":
        """Fetch again what failed, as a new execution that merges into the same result."""
        key = {"Idempotency-Key": str(uuid4())}
        made = self._client.ask("POST", f"{self._path}/retry", options, headers=key)
        return Execution(self._client, made["id"])

    def failures(self) -> Iterator[dict[str, Json]]:
        """Yield the failed items."""
        for failure in self._client.list(f"{self._path}/failures"):
            yield failure

    def events(self) -> Iterator[dict[str, Json]]:
        """Yield what happened, oldest first."""
        for event in self._client.list(f"{self._path}/events"):
            yield event

    def manifest(self) -> dict[str, Json]:
        """Return what can be said about the files."""
        found: dict[str, Json] = self._client.ask("GET", f"{self._path}/manifest")
        return found

    def rows(self, collection: str | None = None) -> Iterator[dict[str, Json]]:
        """Yield the rows of a collection, the primary one if none is named; amid a run, those so far."""
        offset = 0
        named = f"&{httpx.QueryParams(collection=collection)}" if collection else ""
        while True:
            page = self._client.ask("GET", f"{self._path}/rows?offset={offset}&limit={PAGE}{named}")
            for row in page["rows"]:
                yield row
            offset += len(page["rows"])
            if not page["rows"] or offset >= page["total"]:
                return

    def result(self, collection: str | None = None) -> "Result":
        """Return the file of a collection, the primary one if none is named. Raises ExecutionFailed."""
        for each in self.results:
            if collection in (None, each.collection):
                return each
        known = ", ".join(each.collection for each in self.results) or "none"
        raise ExecutionFailed(
            f"There is no file of {collection or 'rows'}; there are: {known}. {self.view.get('error') or ''}"
        )

    def to_polars(self, collection: str | None = None) -> Any:
        """Return a collection as a polars data frame; columns are typed best with the format parquet."""
        found = self.result(collection)
        return frames.to_polars(found.read(), found.format)

    def to_pandas(self, collection: str | None = None) -> Any:
        """Return a collection as a pandas data frame."""
        found = self.result(collection)
        return frames.to_pandas(found.read(), found.format)

    def download(self, folder: str | Path = ".") -> list[Path]:
        """Save all files into a folder; return where they are."""
        return [each.save(Path(folder)) for each in self.results]


class Result:
    """A combined file."""

    def __init__(self, client: Client, file: Mapping[str, Json]) -> None:
        self._client = client
        self.url: str = file["url"]
        self.name: str = file["name"]
        self.collection: str = file["collection"]
        self.format: str = file["format"]
        self.rows: int = file["rows"]
        self.bytes: int = file["bytes"]

    def __repr__(self) -> str:
        return f"Result({self.name!r}, {self.rows} rows)"

    def stream(self) -> Iterator[bytes]:
        """Yield the file piece by piece."""
        for chunk in self._client.stream(self.url):
            yield chunk

    def read(self) -> bytes:
        """Return the whole file."""
        return b"".join([chunk for chunk in self.stream()])

    def save(self, folder: Path) -> Path:
        """Write the file into a folder, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / self.name
        part = place.with_name(f".{self.name}.part")
        with part.open("wb") as out:
            for chunk in self.stream():
                out.write(chunk)
        part.replace(place)
        return place


# --- collections


class Collections:
    """The collections: `client.collections["People"]`, by name or id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, name_or_id: str) -> "Collection":
        return Collection(self._client, name_or_id)

    def __iter__(self) -> Iterator["Collection"]:
        for line in self._client.list("/collections"):
            yield Collection(self._client, line["name"], line["id"])

    def create(self, name: str, items: Sequence[Json] = ()) -> "Collection":
        """Make a collection."""
        made = self._client.ask("POST", "/collections", {"name": name, "items": list(items)})
        return Collection(self._client, name, made["id"])


class Collection:
    """A list that feeds variables."""

    def __init__(self, client: Client, name: str, collection_id: str | None = None) -> None:
        self._client = client
        self.name = name
        self._id = collection_id

    def __repr__(self) -> str:
        return f"Collection({self.name!r})"

    def find_id(self) -> str:
        """Return the id. Raises ApiError where there is no such collection, or several."""
        if self._id is None:
            self._id = _find(self._client, "/collections", "collection", self.name)
        return self._id

    def items(self) -> list[Json]:
        """Return all items."""
        found: list[Json] = (self._client.ask("GET", f"/collections/{self.find_id()}"))["items"]
        return found

    def add(self, items: Sequence[Json]) -> int:
        """Add items that are not there; return how many there are."""
        return self._change("add", items)

    def remove(self, items: Sequence[Json]) -> int:
        """Remove items; return how many are left."""
        return self._change("remove", items)

    def replace(self, items: Sequence[Json]) -> int:
        """Put other items in the place of all; return how many there are."""
        return self._change("replace", items)

    def _change(self, method: str, items: Sequence[Json]) -> int:
        body = {"method": method, "items": list(items)}
        changed = self._client.ask("POST", f"/collections/{self.find_id()}", body)
        return int(changed["count"])
