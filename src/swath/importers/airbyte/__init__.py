"""Airbyte's low-code manifests: every stream an endpoint and a workflow."""

from collections.abc import Iterator
from typing import Any, Final

from swath.errors import InvalidInput
from swath.flow.definition import Json
from swath.importers.airbyte.authenticators import add_authenticator
from swath.importers.airbyte.faults import read_filters, read_rules
from swath.importers.airbyte.interpolation import Interpolation, write_path
from swath.importers.airbyte.manifest import Manifest
from swath.importers.airbyte.pages import read_paginator
from swath.importers.airbyte.partitions import Partitions, add_cursor, parents_of, routers_of, split_parents
from swath.importers.airbyte.requests import draw_request
from swath.importers.documents import as_list, as_object, objects, read_document
from swath.importers.imported import Draft, Imported

Node = dict[str, Any]

_SECONDS: Final = {"S": 1, "M": 60, "H": 3600, "D": 86400}

#: By decoder, how a workflow calls what it reads; JSON is what is read anyway.
_DECODERS: Final = {"JsonDecoder": None, "JsonlDecoder": "ndjson", "CsvDecoder": "csv", "XmlDecoder": "xml"}
#: Those that are told from an answer's first line.
_DELIMITERS: Final = frozenset([",", ";", "\t", "\\t", "|"])


def read_airbyte(text: str) -> Imported:
    """Return the formula of a `manifest.yaml`: a workflow for each stream and for its parents.

    The configuration's values are variables, as its specification describes them. Raises InvalidInput.
    """
    document = read_document(text, "airbyte")
    if not isinstance(document.get("streams"), list) and not isinstance(
        document.get("dynamic_streams"), list
    ):
        raise InvalidInput("streams", "Blank. A manifest lists its streams.")
    return _Reader(document).read()


class _Reader:
    def __init__(self, document: Node) -> None:
        self.manifest = Manifest(document)
        self.document = document
        self.draft = Draft()
        specification = as_object(self.manifest.settle(document.get("spec")))
        self.properties = as_object(
            as_object(specification.get("connection_specification")).get("properties")
        )
        self.common = self._common()
        #: The workflows by the names of their streams, of the first parent where there are several.
        self.kept: dict[str, str] = {}

    def read(self) -> Imported:
        for stream in _with_parents(self.manifest.streams):
            for each in split_parents(stream):
                self._add(each)
        if self.document.get("dynamic_streams"):
            self.draft.note(
                "The dynamic_streams were left out: what streams there are is known only at run time."
            )
        if outside := self.manifest.references.outside:
            self.draft.note(f"References to other documents were not followed: {', '.join(outside)}.")
        if not self.draft.endpoints:
            raise InvalidInput(
                "streams", " ".join(["There is no stream that can be carried.", *self.draft.notes])
            )
        return self.draft.finish()

    def _common(self) -> Node:
        """Return what holds for all streams: rates and concurrency."""
        found: Node = {}
        budget = as_object(self.manifest.settle(self.document.get("api_budget")))
        if limits := list(_rates(budget)):
            found["rate_limits"] = limits
        level = as_object(self.manifest.settle(self.document.get("concurrency_level")))
        if str(level.get("default_concurrency", "")).isdigit():
            found["concurrency"] = max(1, int(level["default_concurrency"]))
        return found

    def _add(self, stream: Node) -> None:
        name = str(stream.get("name") or "stream")
        retriever = stream.get("retriever")
        interpolation = Interpolation(self.properties, lambda note: self.draft.note(f"{name}: {note}"))
        if not isinstance(retriever, dict) or retriever.get("type") not in ("SimpleRetriever", None):
            kind = retriever.get("type") if isinstance(retriever, dict) else "nothing"
            self.draft.note(f"{name} was left out: it is fetched by {kind}, which Swath does not have.")
            return
        requester = retriever.get("requester")
        if not isinstance(requester, dict) or requester.get("type") not in ("HttpRequester", None):
            self.draft.note(f"{name} was left out: its requester is not HTTP's.")
            return
        endpoint, workflow = self._read(stream, retriever, requester, interpolation)
        kept = self.draft.add_endpoint(name, endpoint)
        if kept is not None:
            self.kept.setdefault(name, self.draft.add_workflow(kept, kept, workflow))

    def _read(
        self, stream: Node, retriever: Node, requester: Node, interpolation: Interpolation
    ) -> tuple[Node, Node]:
        draw = draw_request(requester, interpolation)
        auth = add_authenticator(requester.get("authenticator"), draw, interpolation)
        selector = as_object(retriever.get("record_selector"))
        record_path = self._record_path(selector, interpolation)
        parts = Partitions(draw, interpolation, self.draft, self.kept)
        for router in routers_of(retriever):
            parts.add_router(router)
        add_cursor(stream.get("incremental_sync"), parts)
        paginator = read_paginator(retriever.get("paginator"), draw, record_path, interpolation)
        self._note_rest(stream, interpolation)
        workflow: Node = {
            "mappings": parts.mappings,
            "batches": parts.batches,
            "date_windows": parts.windows,
            "paginator": paginator,
            "filters": read_filters(selector.get("record_filter"), record_path, interpolation),
            **read_rules(requester.get("error_handler"), interpolation),
            "auth": auth,
            "answer_format": _read_decoder(retriever.get("decoder") or stream.get("decoder"), interpolation),
            "primary_collection": record_path if "[" not in record_path else None,
            **self.common,
        }
        return draw.endpoint(interpolation.variables), workflow

    def _record_path(self, selector: Node, interpolation: Interpolation) -> str:
        extractor = as_object(selector.get("extractor"))
        if extractor and extractor.get("type") not in ("DpathExtractor", None):
            interpolation.note(
                f"The extractor {extractor['type']} was left out: Swath finds all lists of an answer."
            )
            return ""
        path = extractor.get("field_path") or extractor.get("field_pointer")
        return write_path([str(key) for key in path]) if isinstance(path, list) else ""

    def _note_rest(self, stream: Node, interpolation: Interpolation) -> None:
        for each in as_list(stream.get("transformations")):
            kind = each.get("type") if isinstance(each, dict) else each
            interpolation.note(f"The transformation {kind} was left out: choose columns when combining.")
        if as_object(stream.get("state_migrations")):
            interpolation.note("The migrations of its state were left out: Swath keeps none between runs.")


def _read_decoder(given: Json, interpolation: Interpolation) -> str | None:
    """Return the format of answers that a decoder reads; what it does beside that is noted."""
    decoder = as_object(given)
    kind = str(decoder.get("type") or "JsonDecoder")
    if kind == "GzipDecoder":
        interpolation.note("Answers are unpacked where their Content-Encoding says gzip.")
        return _read_decoder(decoder.get("decoder"), interpolation)
    if kind not in _DECODERS:
        interpolation.note(f"The decoder {kind} was left out: answers are read as JSON, lines, CSV or XML.")
    elif kind == "CsvDecoder" and decoder.get("delimiter", ",") not in _DELIMITERS:
        interpolation.note(
            f"The delimiter {decoder['delimiter']!r} was left out: it is told from the answer."
        )
    return _DECODERS.get(kind)


def _with_parents(streams: list[Node]) -> Iterator[Node]:
    """Yield streams, those that others go through before them, each name once."""
    seen: set[str] = set()

    def visit(stream: Node, depth: int) -> Iterator[Node]:
        name = str(stream.get("name"))
        if name in seen or depth > 10:
            return
        if stream.get("type") == "StateDelegatingStream":
            stream = as_object(stream.get("full_refresh_stream"))
        for router in routers_of(as_object(stream.get("retriever"))):
            for parent in parents_of(router):
                yield from visit(parent, depth + 1)
        seen.add(name)
        yield stream

    for stream in streams:
        yield from visit(stream, 0)


def _rates(budget: Node) -> Iterator[Node]:
    for policy in objects(budget.get("policies")):
        if str(policy.get("call_limit", "")).isdigit():
            yield _rate(policy["call_limit"], policy.get("period"))
        for rate in objects(policy.get("rates")):
            if str(rate.get("limit", "")).isdigit():
                yield _rate(rate["limit"], rate.get("interval"))


def _rate(requests: Json, period: Json) -> Node:
    return {"requests": int(requests), "per_seconds": _seconds(str(period or "PT1S")), "scope": "target"}


def _seconds(duration: str) -> float:
    """Return the seconds of an ISO 8601 duration of hours, minutes and seconds, or days."""
    total, number = 0.0, ""
    for char in duration.upper().removeprefix("P").replace("T", ""):
        if char.isdigit() or char == ".":
            number += char
        else:
            total += float(number or 0) * _SECONDS.get(char, 0)
            number = ""
    return total or 1.0
