# ruff: noqa: E501 - components as manifests write them
"""Airbyte's low-code manifests: what is sent first is what each component describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from pyreqwest.http import Url
from tests.importers.wire import HOST, Told, check_formula, read_workflow, relocated, send
from tests.upstreams.scripted import Scripted

from swath.errors import InvalidInput
from swath.importers import read_airbyte

SPEC = """
spec:
  type: Spec
  connection_specification:
    type: object
    required: [api_key]
    properties:
      api_key: {type: string, title: Key, description: "The <b>key</b>.", airbyte_secret: true}
      start_date: {type: string, format: date, examples: ["2024-01-01"]}
      region: {type: string, default: eu}
      subdomain: {type: string, examples: [api]}
      credentials: {type: object, properties: {client_id: {type: string}, client_secret: {type: string, airbyte_secret: true}, refresh_token: {type: string, airbyte_secret: true}}}
"""


def manifest(
    requester: str = "", retriever: str = "", stream: str = "", rest: str = "", url: str = "path: /items"
) -> str:
    """A manifest of one stream, of the parts that differ."""
    return f"""
version: 6.1.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [items]}}
streams:
  - type: DeclarativeStream
    name: items
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester: {{type: HttpRequester, url_base: {HOST}/v1/, {url}, http_method: GET, {requester}}}
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [data]}}}}
      {retriever}
    schema_loader: {{type: InlineSchemaLoader, schema: {{}}}}
    {stream}
{rest}
{SPEC}"""


def pages(
    strategy: str,
    option: str = "{type: RequestOption, inject_into: request_parameter, field_name: page}",
    more: str = "",
) -> str:
    return f"paginator: {{type: DefaultPaginator, pagination_strategy: {{{strategy}}}, page_token_option: {option}, {more}}}"


SIZE = "page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: per_page}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A manifest; the first request of its stream, and what its workflow has."""

    manifest: str
    target: str = "/v1/items"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = b""
    values: Mapping[str, Any] = field(default_factory=dict)
    workflow: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


KEY = {"api_key": "k-0123456789"}
CASES = {
    "bare": Case(manifest=manifest(), workflow={"primary_collection": "data"}),
    "parameters and headers": Case(
        manifest=manifest("request_parameters: {a: '1', region: \"{{ config['region'] }}\", none: ''}, request_headers: {X-A: '{{ config.region }}'}"),
        target="/v1/items?a=1&region=eu", headers={"x-a": "eu"},
    ),
    "options of an old manifest": Case(
        manifest=manifest("request_options_provider: {type: InterpolatedRequestOptionsProvider, request_parameters: {a: \"{{ config.get('region', 'us') }}\"}}"), target="/v1/items?a=us",
    ),
    "a value or another": Case(manifest=manifest("request_parameters: {a: \"{{ config['other'] or 'x' }}\"}"), target="/v1/items?a=x"),
    "an expression": Case(manifest=manifest("request_parameters: {a: \"{{ config['region'] ~ '-1' | upper }}\"}"), target="/v1/items?a=eu-1"),
    "json body": Case(
        manifest=manifest("request_body_json: {q: \"{{ config['region'] }}\", n: 5, deep: {a: [1, x]}}").replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/json"}, body=b'{"q":"eu","n":5,"deep":{"a":[1,"x"]}}',
    ),
    "form body": Case(
        manifest=manifest("request_body_data: {q: a b, r: \"{{ config['region'] }}\"}").replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/x-www-form-urlencoded"}, body=b"q=a+b&r=eu",
    ),
    "the newer body": Case(
        manifest=manifest("request_body: {type: RequestBodyJsonObject, value: {q: x}}").replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/json"}, body=b'{"q":"x"}',
    ),
    "graphql": Case(
        manifest=manifest("request_body: {type: RequestBodyGraphQL, value: {query: '{ items { id } }'}}").replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/json"}, body=b'{"query":"{ items { id } }","variables":{}}',
    ),
    "a whole url": Case(manifest=manifest(url=f"url: {HOST}/v9/things").replace(f"url_base: {HOST}/v1/, ", ""), target="/v9/things"),
    "a host with a variable": Case(
        manifest=manifest().replace("https://api.example", "\"https://{{ config['subdomain'] }}.example").replace("/v1/,", "/v1/\","), note="The host holds subdomain, of which api was made",
    ),
    "a path with a variable": Case(manifest=manifest(url="path: \"/{{ config['region'] }}/items\""), target="/v1/eu/items"),
    "bearer": Case(
        manifest=manifest("authenticator: {type: BearerAuthenticator, api_token: \"{{ config['api_key'] }}\"}"), values=KEY, headers={"authorization": "Bearer k-0123456789"},
    ),
    "api key in a header": Case(
        manifest=manifest("authenticator: {type: ApiKeyAuthenticator, header: X-Key, api_token: \"{{ config['api_key'] }}\"}"), values=KEY, headers={"x-key": "k-0123456789"},
    ),
    "api key in the query": Case(
        manifest=manifest("authenticator: {type: ApiKeyAuthenticator, api_token: \"{{ config['api_key'] }}\", inject_into: {type: RequestOption, inject_into: request_parameter, field_name: key}}"),
        values=KEY, target="/v1/items?key=k-0123456789",
    ),
    "api key with words before": Case(
        manifest=manifest("authenticator: {type: ApiKeyAuthenticator, api_token: \"Token token={{ config['api_key'] }}\", inject_into: {type: RequestOption, inject_into: header, field_name: Authorization}}"),
        values=KEY, headers={"authorization": "Token token=k-0123456789"},
    ),
    "basic": Case(
        manifest=manifest("authenticator: {type: BasicHttpAuthenticator, username: \"{{ config['api_key'] }}\", password: ''}"), values={"api_key": "k1"}, headers={"authorization": "Basic azE6"},
    ),
    "OAuth with a refresh token": Case(
        manifest=manifest(f"authenticator: {{type: OAuthAuthenticator, token_refresh_endpoint: '{HOST}/token', client_id: \"{{{{ config['credentials']['client_id'] }}}}\", client_secret: \"{{{{ config['credentials']['client_secret'] }}}}\", refresh_token: \"{{{{ config['credentials']['refresh_token'] }}}}\", access_token_name: token, scopes: [a, b]}}"),
        values={"access_token": "t-1"}, headers={"authorization": "Bearer t-1"},
        workflow={"auth": {"variable": "access_token", "url": f"{HOST}/token", "token_path": "token", "body": {"form": {"grant_type": "refresh_token", "client_id": "{{client_id}}", "client_secret": "{{client_secret}}", "refresh_token": "{{refresh_token}}", "scope": "a b"}}}},
    ),
    "a session": Case(
        manifest=manifest(f"authenticator: {{type: SessionTokenAuthenticator, login_requester: {{type: HttpRequester, url_base: {HOST}, path: login, http_method: POST, request_body_json: {{user: me, password: \"{{{{ config['api_key'] }}}}\"}}}}, session_token_path: [data, token], expiration_duration: PT1H, request_authentication: {{type: ApiKey, inject_into: {{type: RequestOption, inject_into: header, field_name: X-Session}}}}}}"),
        values={"session_token": "s-1"}, headers={"x-session": "s-1"}, note="duration",
        workflow={"auth": {"variable": "session_token", "url": f"{HOST}/login", "method": "POST", "token_path": "data.token", "body": {"json": {"user": "me", "password": "{{api_key}}"}}}},
    ),
    "page numbers": Case(
        manifest=manifest(retriever=pages("type: PageIncrement, start_from_page: 1, page_size: 50", more=SIZE)), target="/v1/items?per_page=50&page=1", note="The first request says page=1 too",
        workflow={"paginator": {"type": "page_number", "variable": "page", "record_path": "data"}},
    ),
    "page numbers from 0": Case(
        manifest=manifest(retriever=pages("type: PageIncrement, inject_on_first_request: true")), target="/v1/items?page=0",
        workflow={"paginator": {"type": "page_number", "variable": "page", "start": 0, "record_path": "data"}},
    ),
    "offsets": Case(
        manifest=manifest(retriever=pages("type: OffsetIncrement, page_size: 20", "{type: RequestOption, inject_into: request_parameter, field_name: skip}", SIZE)), target="/v1/items?per_page=20&skip=0",
        workflow={"paginator": {"type": "offset", "variable": "skip", "limit": 20, "record_path": "data"}},
    ),
    "offsets in the body": Case(
        manifest=manifest(retriever=pages("type: OffsetIncrement, page_size: 20", "{type: RequestOption, inject_into: body_json, field_path: [page, from]}")).replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/json"}, body=b'{"page":{"from":0}}', workflow={"paginator": {"type": "offset", "variable": "from", "limit": 20, "record_path": "data"}},
    ),
    "a page's size in the body": Case(
        manifest=manifest(
            retriever=pages("type: OffsetIncrement, page_size: 20", "{type: RequestOption, inject_into: body_json, field_name: from}", "page_size_option: {type: RequestOption, inject_into: body_json, field_name: size}")
        ).replace("http_method: GET", "http_method: POST"),
        method="POST", headers={"content-type": "application/json"}, body=b'{"size":20,"from":0}', workflow={"paginator": {"type": "offset", "variable": "from", "limit": 20, "record_path": "data"}},
    ),
    "lines": Case(manifest=manifest(retriever="decoder: {type: JsonlDecoder}"), workflow={"answer_format": "ndjson"}),
    "tables": Case(manifest=manifest(retriever="decoder: {type: CsvDecoder, delimiter: ';'}"), workflow={"answer_format": "csv"}),
    "documents": Case(manifest=manifest(retriever="decoder: {type: XmlDecoder}"), workflow={"answer_format": "xml"}),
    "packed lines": Case(
        manifest=manifest(retriever="decoder: {type: GzipDecoder, decoder: {type: JsonlDecoder}}"), workflow={"answer_format": "ndjson"}, note="unpacked where their Content-Encoding says gzip",
    ),
    "a decoder that is not ours": Case(manifest=manifest(retriever="decoder: {type: ZipfileDecoder}"), note="The decoder ZipfileDecoder was left out"),
    "a cursor": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ response.get('meta', {}).get('next', {}) }}\", stop_condition: \"{{ not response.get('meta', {}).get('next', {}) }}\"", "{type: RequestOption, inject_into: request_parameter, field_name: after}")),
        workflow={"paginator": {"type": "cursor", "variable": "after", "cursor_path": "meta.next", "record_path": "data"}},
    ),
    "a cursor with a flag": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ response['next'] }}\", stop_condition: \"{{ response.has_more is false }}\"")),
        workflow={"paginator": {"type": "cursor", "variable": "page", "cursor_path": "next", "has_more_path": "has_more", "record_path": "data"}},
    ),
    "the last record's id": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ last_record['id'] }}\", stop_condition: \"{{ not response.has_more }}\"", "{type: RequestOption, inject_into: request_parameter, field_name: starting_after}")),
        workflow={"paginator": {"type": "cursor", "variable": "starting_after", "cursor_path": "data[-1].id", "has_more_path": "has_more", "record_path": "data"}},
    ),
    "a next address": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ response.links.next }}\"", "{type: RequestPath}")), workflow={"paginator": {"type": "next_url", "next_url_path": "links.next", "record_path": "data"}},
    ),
    "a Link header": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ headers['link']['next']['url'] }}\", stop_condition: \"{{ 'next' not in headers['link'] }}\"", "{type: RequestPath}")),
        workflow={"paginator": {"type": "header_link", "record_path": "data"}},
    ),
    "a cursor in a header": Case(
        manifest=manifest(retriever=pages("type: CursorPagination, cursor_value: \"{{ headers['X-Next'] }}\"")), workflow={"paginator": {"type": "header_cursor", "variable": "page", "header": "X-Next", "record_path": "data"}},
    ),
    "a list": Case(
        manifest=manifest(retriever="partition_router: {type: ListPartitionRouter, values: [a, b], cursor_field: kind, request_option: {type: RequestOption, inject_into: request_parameter, field_name: type}}"),
        target="/v1/items?type=a", workflow={"mappings": [{"target_variable_name": "kind", "source_collection": "kind"}]},
    ),
    "a list in the path, written as text": Case(
        manifest=manifest(url="path: \"/{{ stream_partition['kind'] }}/items\"", retriever="partition_router: {type: ListPartitionRouter, values: \"['x', 'y']\", cursor_field: kind}"), target="/v1/x/items",
    ),
    "a list of the configuration": Case(
        manifest=manifest(url="path: '/r/{{ stream_slice.repo }}'", retriever="partition_router: {type: ListPartitionRouter, values: \"{{ config['repos'] }}\", cursor_field: repo}"),
        values={"repo": "r1"}, target="/v1/r/r1", note="repo goes through the list repos",
    ),
    "a product": Case(
        manifest=manifest(url="path: \"/{{ stream_partition.a }}/{{ stream_partition.b }}\"", retriever="partition_router: [{type: ListPartitionRouter, values: ['1', '2'], cursor_field: a}, {type: ListPartitionRouter, values: [3], cursor_field: b}]"),
        target="/v1/1/3", workflow={"mappings": [{"target_variable_name": "a", "source_collection": "a"}, {"target_variable_name": "b", "source_collection": "b"}]},
    ),
    "groups": Case(
        manifest=manifest(retriever="partition_router: {type: GroupingPartitionRouter, group_size: 10, underlying_partition_router: {type: ListPartitionRouter, values: [a, b], cursor_field: ids, request_option: {type: RequestOption, inject_into: request_parameter, field_name: ids}}}"),
        target="/v1/items?ids=a,b", workflow={"batches": {"ids": {"size": 10}}}, note="ids go joined by commas",
    ),
    "groups joined otherwise": Case(
        manifest=manifest("request_parameters: {ids: \"{{ stream_partition['ids'] | join(';') }}\"}", retriever="partition_router: {type: GroupingPartitionRouter, group_size: 2, underlying_partition_router: {type: ListPartitionRouter, values: [a, b, c], cursor_field: ids}}"),
        target="/v1/items?ids=a%3Bb", workflow={"batches": {"ids": {"size": 2, "separator": ";"}}},
    ),
    "a window in time": Case(
        manifest=manifest(stream="incremental_sync: {type: DatetimeBasedCursor, cursor_field: updated_at, datetime_format: '%Y-%m-%d', start_datetime: '2024-01-01', step: P1M, cursor_granularity: P1D, start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}, end_time_option: {type: RequestOption, inject_into: request_parameter, field_name: until}}"),
        target="/v1/items?since=2024-01-01&until=2024-01-31",
        workflow={"date_windows": [{"from_variable": "start_time", "until_variable": "end_time", "first": "2024-01-01", "last": "today", "step": "1 month", "format": "%Y-%m-%d", "inclusive": True}]},
    ),
    "windows of seconds": Case(
        manifest=manifest("request_parameters: {since: \"{{ stream_slice['from'] }}\", until: \"{{ stream_slice['to'] }}\"}", stream="incremental_sync: {type: DatetimeBasedCursor, cursor_field: u, datetime_format: '%s', start_datetime: {datetime: '2024-01-01T00:00:00Z', datetime_format: '%Y-%m-%dT%H:%M:%SZ'}, end_datetime: {datetime: '{{ now_utc() }}'}, step: P7D, partition_field_start: from, partition_field_end: to}"),
        target="/v1/items?since=1704067200&until=1704672000",
        workflow={"date_windows": [{"from_variable": "from", "until_variable": "to", "first": "2024-01-01", "last": "now", "step": "7 days", "format": "epoch", "inclusive": False}]},
    ),
    "windows that begin as the configuration says": Case(
        manifest=manifest(stream="incremental_sync: {type: DatetimeBasedCursor, cursor_field: u, datetime_format: '%Y-%m-%d', start_datetime: \"{{ config['start_date'] }}\", end_datetime: '2024-01-20', step: P1W, start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}}"),
        target="/v1/items?since=2024-01-01", note="an example of \"{{ config['start_date'] }}\": write your own",
    ),
    "windows in a format that is not ours": Case(
        manifest=manifest(stream="incremental_sync: {type: DatetimeBasedCursor, cursor_field: u, datetime_format: '%epoch_microseconds', start_datetime: '1704067200000000', step: P1W, start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}}"),
        target="/v1/items?since=1704067200000000", note="write date_windows of your own",
    ),
    "the interval in a parameter": Case(
        manifest=manifest("request_parameters: {q: \"updated>{{ stream_interval.start_time }}\"}", stream="incremental_sync: {type: DatetimeBasedCursor, cursor_field: u, datetime_format: '%s', start_datetime: {type: MinMaxDatetime, datetime: \"{{ config['start_date'] }}\"}}"),
        values={"start_time": "5"}, target="/v1/items?q=updated%3E5", note="Give start_time a value",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_what_is_described_is_sent(name: str, upstream: Scripted) -> None:
    """Method, address, headers and body of the first request, and what the workflow has."""
    case = CASES[name]
    imported = read_airbyte(case.manifest)
    check_formula(imported)
    workflow = imported.formula["workflows"]["items"]
    assert {key: workflow.get(key) for key in case.workflow} == case.workflow
    assert case.note in "\n".join(imported.notes)
    (sent,) = await send(relocated(imported, upstream), upstream, case.values)
    assert sent == Told(case.method, str(Url(upstream.url + case.target)), case.headers, case.body)


def test_variables_say_what_the_specification_says() -> None:
    imported = read_airbyte(
        manifest(
            "request_parameters: {r: \"{{ config['region'] }}\", s: \"{{ config['start_date'] }}\"}, authenticator: {type: BearerAuthenticator, api_token: \"{{ config['api_key'] }}\"}"
        )
    )
    assert imported.formula["endpoints"]["items"]["variables"] == {
        "region": {"default": "eu"},
        "start_date": {"sample": "2024-01-01"},
        "api_key": {"description": "The key.", "secret": True},
    }


REFERENCES = f"""
version: 0.50.0
type: DeclarativeSource
definitions:
  selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: ["{{{{ parameters['root'] }}}}"]}}}}
  requester: {{type: HttpRequester, url_base: "{HOST}/v2", http_method: GET, request_parameters: {{lang: de}}}}
  retriever:
    type: SimpleRetriever
    requester: {{$ref: "#/definitions/requester"}}
    record_selector: {{$ref: "#/definitions/selector"}}
  base: {{type: DeclarativeStream, retriever: {{$ref: "#/definitions/retriever"}}}}
  users:
    $ref: "#/definitions/base"
    $parameters: {{name: users, path: /users, root: users}}
  posts:
    $ref: "#/definitions/base"
    $parameters: {{name: posts, path: "/users/{{{{ stream_partition.user_id }}}}/posts", root: items}}
    retriever:
      $ref: "#/definitions/retriever"
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs: [{{type: ParentStreamConfig, stream: {{$ref: "#/definitions/users"}}, parent_key: id, partition_field: user_id}}]
streams: [{{$ref: "#/definitions/posts"}}]
check: {{type: CheckStream, stream_names: [posts]}}
"""


async def test_references_and_parameters_are_followed(upstream: Scripted) -> None:
    """What a component lacks it takes from the parameters handed down; a stream's parent is there, and first."""
    imported = read_airbyte(REFERENCES)
    check_formula(imported)
    assert list(imported.formula["workflows"]) == ["users", "posts"]
    assert [each["primary_collection"] for each in imported.formula["workflows"].values()] == [
        "users",
        "items",
    ]
    (mapping,) = imported.formula["workflows"]["posts"]["mappings"]
    assert mapping["from_result"] == {"workflow": "users", "column": "id"}
    sent = await send(relocated(imported, upstream), upstream, {"user_id": "7"})
    assert [told.url for told in sent] == [
        f"{upstream.url}/v2/users?lang=de",
        f"{upstream.url}/v2/users/7/posts?lang=de",
    ]


async def test_a_text_that_is_a_reference_is_followed() -> None:
    """As manifests name a parent's stream, and whatever else."""
    bare = REFERENCES.replace('stream: {$ref: "#/definitions/users"}', 'stream: "#/definitions/users"')
    assert bare != REFERENCES
    assert read_airbyte(bare) == read_airbyte(REFERENCES)
    assert read_airbyte(bare.replace("lang: de", 'lang: "#/no"')).formula["endpoints"]["users"]["query"] == {
        "lang": "#/no"
    }


async def test_an_old_manifest_s_references_are_followed(upstream: Scripted) -> None:
    """`*ref(...)` and `$options`, as the first manifests wrote them."""
    imported = read_airbyte(
        f"""
definitions:
  requester: {{type: HttpRequester, url_base: "{HOST}", path: "/{{{{ options['name'] }}}}", http_method: GET}}
streams:
  - type: DeclarativeStream
    $options: {{name: things}}
    retriever: {{type: SimpleRetriever, requester: "*ref(definitions.requester)", record_selector: {{extractor: {{field_pointer: []}}}}}}
"""
    )
    (sent,) = await send(relocated(imported, upstream), upstream)
    assert sent.url == f"{upstream.url}/things"


def test_error_handlers_become_rules() -> None:
    """A rule for each condition of a filter, and how often and long is tried."""
    imported = read_airbyte(
        manifest(
            "error_handler: {type: CompositeErrorHandler, error_handlers: [{type: DefaultErrorHandler, max_retries: 3, backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 30}],"
            " response_filters: [{type: HttpResponseFilter, action: IGNORE, http_codes: [404, 410]}, {type: HttpResponseFilter, action: RETRY, error_message_contains: busy},"
            ' {type: HttpResponseFilter, action: FAIL, predicate: "{{ response.code == 5 }}", error_message: No such project.},'
            " {type: HttpResponseFilter, action: RATE_LIMITED, predicate: \"{{ 'limit' in response['message'] }}\"}, {type: HttpResponseFilter, action: REFRESH_TOKEN_THEN_RETRY, http_codes: [401]}]}]}"
        )
    )
    check_formula(imported)
    workflow = imported.formula["workflows"]["items"]
    assert workflow["response_rules"] == [
        {"action": "ignore", "status": [404, 410]},
        {"action": "retry", "body_contains": "busy"},
        {"action": "fail_item", "path": "code", "op": "=", "value": 5, "message": "No such project."},
        {"action": "rate_limited", "path": "message", "op": "contains", "value": "limit"},
        {"action": "refresh_auth", "status": 401},
    ]
    assert workflow["retry"] == {"max_attempts": 4, "base_delay": 30.0, "max_delay": 60.0}


@pytest.mark.parametrize(
    ("condition", "filters"),
    [
        ("{{ record['status'] == 'active' }}", [{"path": "data.status", "op": "=", "value": "active"}]),
        (
            "{{ record.n >= 5 and record['a']['b'] not in ['x'] }}",
            [
                {"path": "data.n", "op": ">=", "value": 5},
                {"path": "data.a.b", "op": "not_in", "value": ["x"]},
            ],
        ),
        (
            "{{ record.date > config['start_date'] }}",
            [{"path": "data.date", "op": ">", "value": "{{start_date}}"}],
        ),
        ("{{ record.live == true }}", [{"path": "data.live", "op": "=", "value": True}]),
        ("{{ record.a or record.b }}", None),
    ],
)
def test_record_filters_become_filters(condition: str, filters: Any) -> None:
    """Comparisons of fields; all else is listed."""
    document = yaml.safe_load(manifest())
    document["streams"][0]["retriever"]["record_selector"]["record_filter"] = {
        "type": "RecordFilter",
        "condition": condition,
    }
    imported = read_airbyte(yaml.safe_dump(document))
    check_formula(imported)
    assert imported.formula["workflows"]["items"].get("filters") == filters
    assert (filters is None) == any("filter of the records" in note for note in imported.notes)


def test_budget_and_concurrency_hold_for_all_streams() -> None:
    imported = read_airbyte(
        manifest(
            rest="api_budget: {type: HTTPAPIBudget, policies: [{type: MovingWindowCallRatePolicy, rates: [{limit: 100, interval: PT1M}], matchers: []}, {type: FixedWindowCallRatePolicy, period: PT1H, call_limit: 5000}]}\n"
            "concurrency_level: {type: ConcurrencyLevel, default_concurrency: 4}"
        )
    )
    check_formula(imported)
    workflow = read_workflow(imported, "items")
    assert [(each.requests, each.per_seconds) for each in workflow.rate_limits] == [
        (100, 60.0),
        (5000, 3600.0),
    ]
    assert workflow.concurrency == 4


def test_what_cannot_be_carried_is_listed() -> None:
    """Custom components, transformations, conditions, expressions, state; nothing is dropped in silence."""
    document = yaml.safe_load(
        manifest(
            "authenticator: {type: CustomAuthenticator, class_name: x}, request_parameters: {t: '{{ now_utc() }}'}, error_handler: {type: DefaultErrorHandler, backoff_strategies: [{type: WaitTimeFromHeader, header: X-Wait}],"
            ' response_filters: [{action: RETRY, predicate: "{{ response | length > 5 }}"}]}',
            retriever=pages("type: CustomPaginationStrategy, class_name: x"),
            stream="transformations: [{type: AddFields, fields: []}, {type: KeysToLower}]\n    incremental_sync: {type: DatetimeBasedCursor, cursor_field: updated_at, start_datetime: '2024-01-01'}",
            rest="dynamic_streams: [{}]",
        )
    )
    document["streams"] += [
        {"type": "DeclarativeStream", "name": "jobs", "retriever": {"type": "AsyncRetriever"}},
        {"type": "DeclarativeStream", "name": "own", "retriever": {"requester": {"type": "CustomRequester"}}},
    ]
    imported = read_airbyte(yaml.safe_dump(document))
    check_formula(imported)
    notes = "\n".join(imported.notes)
    for part in (
        "CustomAuthenticator",
        "now_utc",
        "X-Wait",
        "response | length",
        "CustomPaginationStrategy",
        "AddFields",
        "KeysToLower",
    ):
        assert part in notes
    for part in (
        "new by updated_at",
        "dynamic_streams",
        "jobs was left out: it is fetched by AsyncRetriever",
        "own was left out",
    ):
        assert part in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an object with keys"),
        ("type: DeclarativeSource", "lists its streams"),
        ("streams: []", "no stream that can be carried"),
        ("streams: [", "line"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_explained(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_airbyte(text)
    assert message in str(refused.value)
