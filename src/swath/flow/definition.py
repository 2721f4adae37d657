"""What a person describes: an endpoint, a workflow over it, and what an execution freezes of both.

Plain frozen dataclasses, so that msgspec stores them and pydantic validates them at the edge without
a second description. Every field is optional where a newcomer need not think of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: A JSON value as Python holds it.
Json = Any

VariableType = Literal["string", "integer", "number", "boolean", "json"]
PaginatorType = Literal["none", "page_number", "offset", "cursor", "next_url", "header_link", "header_cursor"]
Action = Literal["success", "retry", "rate_limited", "ignore", "fail_item", "fail_execution", "refresh_auth"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not_in", "contains", "matches", "exists"]
Scope = Literal["target", "exit", "credential"]
LoopGuard = Literal["stop", "fail", "allow"]
Join = Literal["product", "zip"]
AnswerFormat = Literal["auto", "json", "ndjson", "csv", "xml"]
OutputFormat = Literal["csv", "json", "jsonl", "parquet", "xlsx"]
UniqueWithin = Literal["item", "execution"]
ChainedEnd = Literal["succeeded", "partially_failed"]
Compression = Literal["none", "gzip", "zstd"]
ProxyType = Literal["shared", "dedicated", "custom", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A declared variable of an endpoint. `default` of None means that there is none."""

    type: VariableType = "string"
    default: Json = None
    required: bool = True
    secret: bool = False
    description: str = ""
    sample: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQL:
    query: str
    variables: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request body: exactly one of the five kinds. Strings inside are templates."""

    json: Json = None
    form: Mapping[str, Json] | None = None
    text: str | None = None
    graphql: GraphQL | None = None
    multipart: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates in PEM: authorities to trust beside the usual ones, and who we are to the server."""

    ca: str | None = None
    #: A certificate and its private key, one behind the other; a secret.
    client: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An HTTP request template. `{{name}}` in url, query, headers and body takes a variable's value."""

    name: str
    url: str
    method: str = "GET"
    query: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    variables: Mapping[str, Variable] = field(default_factory=dict)
    #: Send a query parameter that is one empty variable as `name=` instead of leaving it out.
    keep_empty: bool = False
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of the rows that another workflow's executions make: of the primary table if none is named."""

    workflow_id: str
    #: As a file's header has it, or without the table's own name: `id` of the table `results`.
    column: str
    collection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableMapping:
    """`target_variable_name` takes its values from a collection; of JSON items, from one key.

    Or `from_result`: from a column of what another workflow gives.
    """

    target_variable_name: str
    source_collection_id: str | None = None
    source_collection_json_key: str | None = None
    from_result: ResultColumn | None = None
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """When an execution of the workflow that this one takes rows from starts one of this, and with what."""

    #: Ends that start one; none: only a trigger does.
    after: tuple[ChainedEnd, ...] = ("succeeded", "partially_failed")
    #: Names of its execution parameters that are handed on; None: all that are no lists.
    parameters: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Up to `size` values of a variable's list go into one request, joined by `separator`."""

    size: int
    separator: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """`variable` takes the numbers from `first` to `last`, both included."""

    variable: str
    first: int
    last: int
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DateWindows:
    """`from_variable` and `until_variable` take begin and end of windows of `step` from `first` to `last`.

    Dates are ISO 8601, `today`, `now`, or these with `+` or `-` and a length of time: `today - 30 days`.
    """

    from_variable: str
    until_variable: str | None = None
    first: str
    last: str = "today"
    step: str = "1 day"
    #: As strftime has it; or `epoch`, `epoch_ms`.
    format: str = "%Y-%m-%d"
    #: Whether `until` is the last moment of a window (or its last day) instead of the first of the next.
    inclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paginator:
    """How one page leads to the next, and when to stop. Paths are dotted, or JSONPath from `$`."""

    type: PaginatorType = "none"
    variable: str | None = None
    start: int = 1
    limit: int | None = None
    cursor_path: str | None = None
    next_url_path: str | None = None
    rel: str = "next"
    #: Of `header_cursor` the header with the cursor; of `next_url` the one with the URL, instead of a path.
    header: str | None = None
    total_path: str | None = None
    has_more_path: str | None = None
    stop_after_empty_page: bool = True
    max_pages_per_item: int | None = None
    #: A predicate on the page's body that ends the item after that page.
    stop_when: "Filter | None" = None
    #: Where the records of a page stand; default: the largest array of the first page.
    record_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Keep an object at `path`'s parent (and all rows below it) only where the value there satisfies `op`."""

    path: str
    op: Operator = "="
    value: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenColumn:
    """A column of a file: `path` as a header has it; `name`: how it is to be called instead."""

    path: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRule:
    """A predicate on an answer and what to do with it.

    All given conditions must hold; the first rule that fits decides.
    `status` is a code, a class (`"5xx"`), or a list of these; `header` maps names to regular expressions;
    `path`/`op`/`value` judge the JSON body as a filter does; `body_contains` judges its text.
    """

    action: Action
    status: int | str | tuple[int | str, ...] | None = None
    header: Mapping[str, str] | None = None
    path: str | None = None
    op: Operator = "exists"
    value: Json = None
    body_contains: str | None = None
    error_code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `requests` in `per_seconds` for each thing that `scope` names."""

    requests: int
    per_seconds: float = 1.0
    scope: Scope = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long one request is tried. Times in seconds."""

    max_attempts: int = 5
    base_delay: float = 0.5
    max_delay: float = 60.0
    #: An item whose waits together would pass this ends as `rate_limited` or `failed`.
    item_deadline: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one exchange. Sizes in bytes after decompression, times in seconds."""

    timeout: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    max_response_bytes: int = 64 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A request that fetches a token when there is none, when it is about to expire, or on `refresh_auth`.

    Its templates use the endpoint's declared variables and the execution's constants. One for all items.
    """

    #: The endpoint's variable that the token fills.
    variable: str
    url: str
    method: str = "POST"
    query: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    #: Where the token stands in the answer, and where the seconds for which it is good.
    token_path: str = "access_token"
    expires_path: str | None = "expires_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """An endpoint, where its variables come from, how its answers lead on and what becomes of them."""

    name: str
    endpoint_id: str
    mappings: tuple[VariableMapping, ...] = ()
    #: Constant values of variables.
    inputs: Mapping[str, Json] = field(default_factory=dict)
    #: By variable: how many values of its list go into one request.
    batches: Mapping[str, Batch] = field(default_factory=dict)
    #: Lists that are generated by rule.
    ranges: tuple[NumberRange, ...] = ()
    date_windows: tuple[DateWindows, ...] = ()
    join: Join = "product"
    #: Of a workflow whose mappings take rows from another: what that one's end starts.
    chain: Chain = field(default_factory=Chain)
    paginator: Paginator = field(default_factory=Paginator)
    filters: tuple[Filter, ...] = ()
    response_rules: tuple[ResponseRule, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    limits: Limits = field(default_factory=Limits)
    #: How a token is fetched; None: a 401 is the end of an item.
    auth: Refresh | None = None
    #: What answers are written in; by default what their content type says, JSON where that is silent.
    answer_format: AnswerFormat = "auto"
    loop_guard: LoopGuard = "stop"
    concurrency: int = 16
    #: Find the pace that the target bears: faster while it answers, slower when it refuses.
    automatic_pace: bool = False
    #: Keep the pages of an item on one exit for as long as that is well.
    sticky_exits: bool = False
    #: Hosts that a next URL or a redirect may lead to, beside the endpoint's own.
    allowed_hosts: tuple[str, ...] = ()
    #: Paths of the result collections wanted; None: all.
    result_collections: tuple[str, ...] | None = None
    primary_collection: str | None = None
    #: The paths of a key (`results.id`) that no two rows have in common; later ones are dropped.
    unique_by: str | tuple[str, ...] | None = None
    #: Where they have none in common: among the rows of an item, or of the whole execution.
    unique_within: UniqueWithin = "item"
    include_inputs: bool = True
    #: The columns of collections, by the collections' names, in order; `*` stands for all others. None: all.
    columns: Mapping[str, tuple[str | ChosenColumn, ...]] | None = None
    #: A table with more columns than this keeps the emptiest ones together, as JSON in the column `_more`.
    column_budget: int = 2_000
    #: Make files of all result collections; else of the primary one only.
    children: bool = True
    #: Put an apostrophe before texts that a spreadsheet would run as formulas.
    spreadsheet_safe: bool = False
    #: An object with more different keys than this, over the execution, becomes rows of keys and values.
    key_value_threshold: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyChoice:
    """Which exits an execution uses. `direct` is the choice of nobody's proxy."""

    type: ProxyType = "direct"
    location: str | None = None
    proxy_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller of one execution asked for, beside its parameters."""

    proxy: ProxyChoice = field(default_factory=ProxyChoice)
    maximum_requests_count: int | None = None
    output_aggregation_format: OutputFormat = "csv"
    compression: Compression = "none"
    #: Make one more result, a ZIP archive of all files.
    archive: bool = False
    do_proxy_hot_swap: bool = False
    #: Whether its end starts the workflows that take its rows.
    chain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One variable's place on an axis: `key` of the axis's JSON item, or the item itself."""

    variable: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What was found in a table that a list was drawn from."""

    rows: int = 0
    #: Rows without a value, which were left out, and rows whose values came before.
    blank: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """An execution's table that a list is drawn from when its reader begins; `drawn` tells that it was."""

    execution_id: str
    revision: int
    collection: str | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A frozen list that input items are drawn from: a snapshot object, the values themselves, or a rule.

    With `batch`, of whose values as many go into one: `count` counts the batches, `items` the elements.
    """

    count: int
    sources: tuple[Source, ...]
    #: The collection's number and version whose items these are; None with `values`.
    snapshot: tuple[int, int] | None = None
    values: tuple[Json, ...] | None = None
    #: First number and step of a range.
    numbers: tuple[int, int] | None = None
    batch: Batch | None = None
    items: int = 0
    #: Where the snapshot's items come from, of a list that is no collection.
    result: ResultTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What an execution freezes: no later change of the endpoint, workflow or collections reaches it."""

    endpoint: Endpoint
    workflow: Workflow
    axes: tuple[Axis, ...] = ()
    #: Constants of variables: the workflow's `inputs` below the execution's scalar parameters.
    constants: Mapping[str, Json] = field(default_factory=dict)
    #: All `execution_parameters`, for the filters.
    parameters: Mapping[str, Json] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
