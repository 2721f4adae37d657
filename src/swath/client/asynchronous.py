"""The client, for asyncio. `synchronous.py` is made of this file by `make client`: change this one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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


class AsyncClient:
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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.place = Place.find(url, token)
        self._patience = patience or Patience()
        #: Whether the server has answered: if it is not there then, it comes back.
        self._met = False
        self._http = httpx.AsyncClient(
            headers={"Token": self.place.token},
            timeout=timeout,
            trust_env=not self.place.is_near,
            transport=transport,
        )
        self.workflows = AsyncWorkflows(self)
        self.collections = AsyncCollections(self)
        self.executions = AsyncExecutions(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    # --- formulas

    async def apply(
        self,
        formula: str | Mapping[str, Json],
        secrets: Mapping[str, str] | None = None,
        *,
        dry_run: bool = False,
    ) -> dict[str, Json]:
        """Create or update everything in a formula; return what changed."""
        body = {"formula": formula, "secrets": secrets or {}}
        applied: dict[str, Json] = await self.ask("POST", f"/formulas?dry_run={str(dry_run).lower()}", body)
        return applied

    async def preview(self, formula: str | Mapping[str, Json], **wish: Json) -> dict[str, Json]:
        """Preview a workflow of a formula that has not been applied."""
        shown: dict[str, Json] = await self.ask("POST", "/formulas/preview", {"formula": formula, **wish})
        return shown

    async def import_source(
        self, kind: str, source: str, *, only: Sequence[str] = (), base_url: str = ""
    ) -> dict[str, Json]:
        """Make a formula of what another tool wrote: `curl`, `har`, `postman`, `openapi`, `airbyte`.

        `only` keeps endpoints by name or address; `base_url` says where the API of an OpenAPI document is.
        """
        query = httpx.QueryParams({"only": only, "base_url": base_url})
        imported: dict[str, Json] = await self.ask("POST", f"/imports/{kind}?{query}", {"source": source})
        return imported

    # --- any route

    async def ask(
        self, method: str, path: str, body: Json = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request below the base path; return the object or the list that the answer holds.

        Asks again where that may help. Raises ApiError for a refusal, NotReached without an answer.
        """
        answer = await self.send(method, self.place.api + path, body, headers)
        envelope = answer.json()
        return envelope["object"] if "object" in envelope else envelope["objects"]

    async def list(self, path: str) -> AsyncIterator[dict[str, Json]]:
        """Yield all objects of a list, however many pages it has."""
        cursor: str | None = None
        joint = "&" if "?" in path else "?"
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            answer = await self.send("GET", f"{self.place.api}{path}{joint}limit={PAGE}{more}")
            envelope = answer.json()
            for each in envelope["objects"]:
                yield each
            cursor = envelope.get("next_cursor")
            if not cursor:
                return

    async def send(
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
                answer = await self._http.request(method, url, json=body, headers=headers)
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
            await asyncio.sleep(wait)

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a result; its address needs no token, and is sent none."""
        async with self._http.stream("GET", url, headers={"Token": ""}) as answer:
            if not answer.is_success:
                await answer.aread()
                raise ApiError.of(answer.status_code, _json_of(answer))
            async for chunk in answer.aiter_bytes():
                yield chunk


def _json_of(answer: httpx.Response) -> Json:
    try:
        return answer.json()
    except ValueError:
        return None


# --- workflows


class AsyncWorkflows:
    """The workflows: `client.workflows["My Awesome Workflow"]`, by name or id."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getitem__(self, name_or_id: str) -> "AsyncWorkflow":
        """Return a workflow without asking for it; the first request by it finds its id."""
        return AsyncWorkflow(self._client, name_or_id)

    async def __aiter__(self) -> AsyncIterator["AsyncWorkflow"]:
        async for line in self._client.list("/workflows"):
            yield AsyncWorkflow(self._client, line["name"], line["id"])


class AsyncWorkflow:
    """A workflow, by its name or id."""

    def __init__(self, client: AsyncClient, name: str, workflow_id: str | None = None) -> None:
        self._client = client
        self.name = name
        self._id = workflow_id

    def __repr__(self) -> str:
        return f"Workflow({self.name!r})"

    async def find_id(self) -> str:
        """Return the id. Raises ApiError where there is no such workflow, or several."""
        if self._id is None:
            self._id = await _find(self._client, "/workflows", "workflow", self.name)
        return self._id

    async def execute(
        self,
        parameters: Mapping[str, Json] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Json,
    ) -> "AsyncExecution":
        """Trigger an execution. `options` are those of the API: `proxy`, `maximum_requests_count`, ..."""
        body = {"execution_parameters": parameters or {}, **options}
        key = {"Idempotency-Key": idempotency_key or str(uuid4())}  # so that it can be asked for again
        path = f"/workflows/{await self.find_id()}/executions"
        made = await self._client.ask("POST", path, body, headers=key)
        return AsyncExecution(self._client, made["id"])

    async def preview(self, **wish: Json) -> dict[str, Json]:
        """Show what an execution would be, without one."""
        shown: dict[str, Json] = await self._client.ask(
            "POST", f"/workflows/{await self.find_id()}/preview", wish
        )
        return shown

    async def read(self) -> dict[str, Json]:
        """Return the definition."""
        found: dict[str, Json] = await self._client.ask("GET", f"/workflows/{await self.find_id()}")
        return found

    async def formula(self) -> str:
        """Return the workflow as a formula."""
        url = f"{self._client.place.api}/formulas/{await self.find_id()}"
        return (await self._client.send("GET", url)).text

    async def executions(self) -> AsyncIterator["AsyncExecution"]:
        """Yield the executions, newest first."""
        async for view in self._client.list(f"/workflows/{await self.find_id()}/executions"):
            yield AsyncExecution(self._client, view["id"], view)

    async def delete(self) -> None:
        """Delete the workflow; ended executions stay."""
        await self._client.ask("DELETE", f"/workflows/{await self.find_id()}")


async def _find(client: AsyncClient, path: str, kind: str, wanted: str) -> str:
    """Return the id of what has this id or name."""
    named, known = [], []
    async for line in client.list(path):
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


class AsyncExecutions:
    """The executions: `client.executions[id]`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getitem__(self, execution_id: str) -> "AsyncExecution":
        return AsyncExecution(self._client, execution_id)

    async def __aiter__(self) -> AsyncIterator["AsyncExecution"]:
        async for view in self._client.list("/executions"):
            yield AsyncExecution(self._client, view["id"], view)


class AsyncExecution:
    """One run of a workflow. `view` is what was last seen of it."""

    def __init__(self, client: AsyncClient, execution_id: str, view: dict[str, Json] | None = None) -> None:
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
    def results(self) -> Sequence["AsyncResult"]:
        """The files of the newest revision, the primary one first; none before the end."""
        files = self.view.get("results", [])
        newest = max((file["revision"] for file in files), default=0)
        return [AsyncResult(self._client, file) for file in files if file["revision"] == newest]

    @property
    def started(self) -> Sequence["AsyncExecution"]:
        """The executions that its end has started: of the workflows that take its rows."""
        return [AsyncExecution(self._client, each) for each in self.view.get("started", [])]

    async def refresh(self) -> "AsyncExecution":
        """Look again."""
        self.view = await self._client.ask("GET", self._path)
        return self

    async def wait(
        self, *, progress: bool = False, look: Callable[[Mapping[str, Json]], None] | None = None
    ) -> "AsyncExecution":
        """Wait until every result can be downloaded. `progress` shows a bar; `look` is told of each view."""
        pause = LOOK
        with bar(progress) as show:
            while True:
                await self.refresh()
                show(self.view)
                if look is not None:
                    look(self.view)
                if self.view["completed_at"] is not None:
                    return self
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LOOK_LONGEST)

    async def cancel(self) -> "AsyncExecution":
        """Stop; what was fetched is combined."""
        return await self._steer("cancel")

    async def pause(self) -> "AsyncExecution":
        """Hold it: nothing more is sent."""
        return await self._steer("pause")

    async def resume(self) -> "AsyncExecution":
        """Let it go on."""
        return await self._steer("resume")

    async def change(self, **changes: Json) -> "AsyncExecution":
        """Change it while it goes on: `priority`, `maximum_requests_count`, `limits`, `rate_limits`, ..."""
        self.view = await self._client.ask("PATCH", self._path, changes)
        return self

    async def _steer(self, verb: str) -> "AsyncExecution":
        self.view = await self._client.ask("POST", f"{self._path}/{verb}")
        return self

    async def combine(self, **recipe: Json) -> "AsyncExecution":
        """Make other files of what was fetched, and wait for them: another format, filters, columns."""
        made = await self._client.ask("POST", f"{self._path}/combine", recipe)
        while made["completed_at"] is None:
            await asyncio.sleep(LOOK)
            found = await self._client.ask("GET", f"{self._path}/combinations")
            made = next(each for each in found if each["revision"] == made["revision"])
        if made["error"] is not None:
            raise ExecutionFailed(made["error"])
        return await self.refresh()

    async def retry(self, **options: Json) -> "AsyncExecution":
        """Fetch again what failed, as a new execution that merges into the same result."""
        key = {"Idempotency-Key": str(uuid4())}
        made = await self._client.ask("POST", f"{self._path}/retry", options, headers=key)
        return AsyncExecution(self._client, made["id"])

    async def failures(self) -> AsyncIterator[dict[str, Json]]:
        """Yield the failed items."""
        async for failure in self._client.list(f"{self._path}/failures"):
            yield failure

    async def events(self) -> AsyncIterator[dict[str, Json]]:
        """Yield what happened, oldest first."""
        async for event in self._client.list(f"{self._path}/events"):
            yield event

    async def manifest(self) -> dict[str, Json]:
        """Return what can be said about the files."""
        found: dict[str, Json] = await self._client.ask("GET", f"{self._path}/manifest")
        return found

    async def rows(self, collection: str | None = None) -> AsyncIterator[dict[str, Json]]:
        """Yield the rows of a collection, the primary one if none is named; amid a run, those so far."""
        offset = 0
        named = f"&{httpx.QueryParams(collection=collection)}" if collection else ""
        while True:
            page = await self._client.ask("GET", f"{self._path}/rows?offset={offset}&limit={PAGE}{named}")
            for row in page["rows"]:
                yield row
            offset += len(page["rows"])
            if not page["rows"] or offset >= page["total"]:
                return

    def result(self, collection: str | None = None) -> "AsyncResult":
        """Return the file of a collection, the primary one if none is named. Raises ExecutionFailed."""
        for each in self.results:
            if collection in (None, each.collection):
                return each
        known = ", ".join(each.collection for each in self.results) or "none"
        raise ExecutionFailed(
            f"There is no file of {collection or 'rows'}; there are: {known}. {self.view.get('error') or ''}"
        )

    async def to_polars(self, collection: str | None = None) -> Any:
        """Return a collection as a polars data frame; columns are typed best with the format parquet."""
        found = self.result(collection)
        return frames.to_polars(await found.read(), found.format)

    async def to_pandas(self, collection: str | None = None) -> Any:
        """Return a collection as a pandas data frame."""
        found = self.result(collection)
        return frames.to_pandas(await found.read(), found.format)

    async def download(self, folder: str | Path = ".") -> list[Path]:
        """Save all files into a folder; return where they are."""
        return [await each.save(Path(folder)) for each in self.results]


class AsyncResult:
    """A combined file."""

    def __init__(self, client: AsyncClient, file: Mapping[str, Json]) -> None:
        self._client = client
        self.url: str = file["url"]
        self.name: str = file["name"]
        self.collection: str = file["collection"]
        self.format: str = file["format"]
        self.rows: int = file["rows"]
        self.bytes: int = file["bytes"]

    def __repr__(self) -> str:
        return f"Result({self.name!r}, {self.rows} rows)"

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the file piece by piece."""
        async for chunk in self._client.stream(self.url):
            yield chunk

    async def read(self) -> bytes:
        """Return the whole file."""
        return b"".join([chunk async for chunk in self.stream()])

    async def save(self, folder: Path) -> Path:
        """Write the file into a folder, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / self.name
        part = place.with_name(f".{self.name}.part")
        with part.open("wb") as out:
            async for chunk in self.stream():
                out.write(chunk)
        part.replace(place)
        return place


# --- collections


class AsyncCollections:
    """The collections: `client.collections["People"]`, by name or id."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __getitem__(self, name_or_id: str) -> "AsyncCollection":
        return AsyncCollection(self._client, name_or_id)

    async def __aiter__(self) -> AsyncIterator["AsyncCollection"]:
        async for line in self._client.list("/collections"):
            yield AsyncCollection(self._client, line["name"], line["id"])

    async def create(self, name: str, items: Sequence[Json] = ()) -> "AsyncCollection":
        """Make a collection."""
        made = await self._client.ask("POST", "/collections", {"name": name, "items": list(items)})
        return AsyncCollection(self._client, name, made["id"])


class AsyncCollection:
    """A list that feeds variables."""

    def __init__(self, client: AsyncClient, name: str, collection_id: str | None = None) -> None:
        self._client = client
        self.name = name
        self._id = collection_id

    def __repr__(self) -> str:
        return f"Collection({self.name!r})"

    async def find_id(self) -> str:
        """Return the id. Raises ApiError where there is no such collection, or several."""
        if self._id is None:
            self._id = await _find(self._client, "/collections", "collection", self.name)
        return self._id

    async def items(self) -> list[Json]:
        """Return all items."""
        found: list[Json] = (await self._client.ask("GET", f"/collections/{await self.find_id()}"))["items"]
        return found

    async def add(self, items: Sequence[Json]) -> int:
        """Add items that are not there; return how many there are."""
        return await self._change("add", items)

    async def remove(self, items: Sequence[Json]) -> int:
        """Remove items; return how many are left."""
        return await self._change("remove", items)

    async def replace(self, items: Sequence[Json]) -> int:
        """Put other items in the place of all; return how many there are."""
        return await self._change("replace", items)

    async def _change(self, method: str, items: Sequence[Json]) -> int:
        body = {"method": method, "items": list(items)}
        changed = await self._client.ask("POST", f"/collections/{await self.find_id()}", body)
        return int(changed["count"])
