"""The page that a document promises, and the paginator that it speaks for."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from swath.flow.definition import Json, Paginator
from swath.flow.paging import Page
from swath.flow.paging.records import choose_array, holds_records
from swath.flow.paging.suggestion import suggest
from swath.importers.documents import as_object
from swath.importers.schemas import Schemas

Node = dict[str, Any]


def promise_page(response: Node, parameters: Sequence[Node], schemas: Schemas) -> Page:
    """Return a page as a response's schema or example describes it, asked for with what has a default."""
    content = as_object(response.get("content"))
    kind = next((kind for kind in content if "json" in kind.lower()), None)
    media = schemas.references.object(content[kind]) if kind else {}
    body = schemas.page(media["schema"]) if "schema" in media else media.get("example")
    names = [str(name) for name in as_object(response.get("headers"))]
    headers = [(name.lower(), _header_sample(name)) for name in names]
    query = "&".join(_sent_pairs(parameters, schemas))
    return Page(200, headers, body, f"https://api.example/?{query}")


def is_list(path: str, body: Json) -> bool:
    """Tell whether an answer is a list of things, not one thing that has lists."""
    found = choose_array(body)
    if found is None or not (isinstance(body, list) or holds_records(found[1])):
        return False
    return isinstance(body, list) or not path.rstrip("/").endswith("}")


def find_promised(page: Page, names: Collection[str]) -> Paginator | None:
    """Return the first paginator that a page speaks for and whose variable is among the parameters."""
    found = (suggestion.paginator for suggestion in suggest(page, names))
    return next((each for each in found if each.variable is None or each.variable in names), None)


def evidence(paginator: Paginator) -> Iterator[str]:
    """Yield what in the document speaks for a paginator."""
    if paginator.type == "header_link":
        yield "its answers have a Link header"
    if paginator.type == "header_cursor":
        yield f"its answers have the header {paginator.header}, which {paginator.variable} takes"
    if paginator.type == "next_url":
        yield f"its answers have {paginator.next_url_path}, the address of a next page"
    if paginator.type == "cursor":
        yield f"its answers have {paginator.cursor_path}, which {paginator.variable} takes"
    if paginator.type in ("page_number", "offset"):
        yield f"it has the parameter {paginator.variable}"
    for path, meaning in (
        (paginator.record_path, "the list"),
        (paginator.total_path, "a total"),
        (paginator.has_more_path, "whether there is more"),
    ):
        if path:
            yield f"{path} is {meaning}"


def _header_sample(name: str) -> str:
    return '<https://api.example/next>; rel="next"' if name.lower() == "link" else "token"


def _sent_pairs(parameters: Sequence[Node], schemas: Schemas) -> Iterator[str]:
    """Yield parameters with their defaults, as a first request would have them."""
    for each in parameters:
        name = str(each.get("name"))
        flat = schemas.flat(each.get("schema", {}))
        from_zero = flat.get("minimum") == 0 and "page" in name.lower()
        default = flat.get("default", 0 if from_zero else None)
        if each.get("in") == "query" and isinstance(default, int) and not isinstance(default, bool):
            yield f"{name}={default}"
