"""Requests from templates: what values may do, and above all what they may not."""

import json
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from swath.errors import InvalidInput, ItemFailed
from swath.flow.definition import Body, Endpoint, GraphQL, Variable
from swath.flow.request import UNSET, Request, RequestTemplate

HOST = "https://api.example.com"
NASTY = [
    "..",
    ".",
    "%2e%2e",
    "a/b",
    "a\\b",
    "?x=1",
    "#f",
    "//evil.example",
    "@evil",
    "\r\nX: y",
    "\0",
    "é ü",
    "\ud800",
]
anything = st.one_of(
    st.text(), st.sampled_from(NASTY), st.integers(), st.floats(), st.booleans(), st.text("./\\%2eE?#@:&= ")
)


def render(values: dict[str, Any] | None = None, **endpoint: Any) -> Request:
    endpoint.setdefault("url", f"{HOST}/items")
    return RequestTemplate(Endpoint(name="e", **endpoint)).render(values or {})


def query_of(request: Request) -> list[tuple[str, str]]:
    return Url(request.url).query_pairs


def refused(**endpoint: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        render(**endpoint)
    return caught.value.fields[0]


def failure(values: dict[str, Any], **endpoint: Any) -> ItemFailed:
    with pytest.raises(ItemFailed) as caught:
        render(values, **endpoint)
    return caught.value


def test_the_documented_endpoint_becomes_the_request_one_expects() -> None:
    """Path, query and header variables each come out in their place; the names used are known."""
    template = RequestTemplate(
        Endpoint(
            name="posts",
            url=f"{HOST}/users/{{{{user_id}}}}/posts",
            query={"cursor": "{{cursor}}", "limit": 100},
            headers={"Authorization": "Bearer {{api_token}}"},
            variables={"cursor": Variable(default=""), "api_token": Variable(secret=True)},
        )
    )
    assert template.names == {"user_id", "cursor", "api_token"}
    assert template.render({"user_id": "43", "api_token": "t", "cursor": "a="}) == Request(
        "GET",
        f"{HOST}/users/43/posts?cursor=a%3D&limit=100",
        (("Authorization", "Bearer t"),),
        None,
    )
    assert template.render({"user_id": "43", "api_token": "t"}).url == f"{HOST}/users/43/posts?limit=100"


class TestPath:
    @given(value=anything, other=anything)
    @pytest.mark.parametrize(
        "path",
        ["/users/{{a}}/posts/{{b}}", "/x{{a}}y/{{b}}.json", "/{{a}}", "/{{ a | urlencode }}/{{ b ~ '' }}"],
    )
    def test_no_value_moves_the_url(self, path: str, value: Any, other: Any) -> None:
        """Whatever the values: scheme, host, port and the number of path segments stay, or the item fails."""
        template = RequestTemplate(Endpoint(name="e", url="https://u:p@api.example.com:8443" + path))
        try:
            url = Url(template.render({"a": value, "b": other}).url)
        except ItemFailed:
            return
        assert (url.scheme, url.host_str, url.port, url.username) == ("https", "api.example.com", 8443, "u")
        assert len(url.path_segments or []) == path.count("/")
        assert url.query_string is None
        assert url.fragment is None

    @given(value=st.text(min_size=1).filter(lambda text: text not in (".", "..")))
    def test_a_value_arrives_as_it_was(self, value: str) -> None:
        """Percent-decoding the segment gives the value back, also for values that look encoded already."""
        well_formed = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        path = Url(render({"a": value}, url=f"{HOST}/u/{{{{a}}}}").url).path
        assert Url(f"http://h/?{path[3:]}").query_pairs == [(well_formed, "")]

    @pytest.mark.parametrize("value", [".", ".."])
    def test_a_dot_segment_fails_the_item(self, value: str) -> None:
        """`.` and `..` would climb: the item fails, and is not worth trying again."""
        fault = failure({"a": value}, url=f"{HOST}/u/{{{{a}}}}/secret")
        assert (fault.code, fault.retryable) == ("unsafe_path", False)

    @pytest.mark.parametrize(
        ("path", "value"), [("/u/.{{a}}", "."), ("/u/%2{{a}}", "e"), ("/u/{{a}}%2E/x", ".")]
    )
    def test_a_dot_segment_made_with_the_template_fails_too(self, path: str, value: str) -> None:
        """The rendered segment counts, not the value alone."""
        assert failure({"a": value}, url=HOST + path).code == "unsafe_path"

    def test_an_encoded_dot_segment_is_data(self) -> None:
        """`%2e%2e` as a value is encoded once more, so it climbs nowhere."""
        assert render({"a": "%2e%2e"}, url=f"{HOST}/u/{{{{a}}}}/s").url == f"{HOST}/u/%252e%252e/s"

    @pytest.mark.parametrize("value", ["", UNSET])
    def test_an_empty_value_may_not_empty_a_segment(self, value: str) -> None:
        """`/users/` is another resource than `/users/{id}`: an empty id is a missing one, and named."""
        fault = failure({"id": value}, url=f"{HOST}/users/{{{{id}}}}")
        assert fault.code == "input_missing"
        assert "id" in fault.message

    def test_a_trailing_slash_of_the_template_stays(self) -> None:
        """Only segments that a value left empty are missing."""
        assert render({"a": 1}, url=f"{HOST}/u/{{{{a}}}}/").url == f"{HOST}/u/1/"

    def test_urlencode_does_not_encode_twice(self) -> None:
        """Templates from elsewhere say `| urlencode`; the place would do it anyway."""
        assert render({"a": "x y"}, url=f"{HOST}/{{{{ a | urlencode }}}}").url == f"{HOST}/x%20y"


class TestHost:
    @pytest.mark.parametrize(
        "url",
        [
            "https://{{host}}/x",
            "https://api.{{tenant}}.example.com/x",
            "{{base}}/users",
            "{{scheme}}://h/x",
            "https://h:{{port}}/x",
            "https://{{user}}@h/x",
            "https://h{{path}}",
            "https://{% if a %}x{% endif %}.example.com/",
        ],
    )
    def test_a_host_from_a_variable_is_refused_with_advice(self, url: str) -> None:
        """It is refused before anything runs, and the message says what to do instead."""
        field, message = refused(url=url)
        assert field == "url"
        assert "{{url}}" in message

    @pytest.mark.parametrize(
        "url", ["ftp://h/x", "/relative", "", "https://", "mailto:a@b", "file:///etc/passwd"]
    )
    def test_what_is_no_web_address_is_refused(self, url: str) -> None:
        """Only http and https with a host."""
        assert refused(url=url)[0] == "url"

    def test_dot_segments_in_the_template_are_refused(self) -> None:
        """They would be collapsed, and the number of segments would not be what it looks like."""
        assert refused(url=f"{HOST}/a/../{{{{x}}}}")[0] == "url"

    def test_a_backslash_counts_as_the_parser_reads_it(self) -> None:
        """`http://a\\@127.0.0.1` is host a, with a path: no variable can sit where the host seems to be."""
        assert render({"x": "1"}, url="http://a\\@127.0.0.1/{{x}}").url == "http://a/@127.0.0.1/1"

    def test_blocks_in_the_path_are_refused(self) -> None:
        """With them the number of segments would depend on values."""
        assert refused(url=f"{HOST}/a{{% if x %}}/b{{% endif %}}")[0] == "url"

    def test_a_url_that_is_one_variable_is_allowed(self) -> None:
        """People have lists of URLs; where they lead is the address guard's to judge."""
        request = render({"url": "https://any.example/p?a=1#frag"}, url="{{ url }}", query={"b": "2"})
        assert request.url == "https://any.example/p?a=1&b=2"

    @pytest.mark.parametrize("value", ["ftp://h/", "/x", "javascript:alert(1)", "h.example/x", 5, "http://"])
    def test_a_whole_url_must_be_a_web_address(self, value: Any) -> None:
        """Anything else fails the item."""
        assert failure({"url": value}, url="{{url}}").code == "bad_url"


class TestQuery:
    @given(value=st.text(min_size=1), other=st.text(min_size=1))
    def test_values_cannot_add_parameters(self, value: str, other: str) -> None:
        """The query parses back to exactly the pairs that were meant."""
        request = render(
            {"a": value, "b": other},
            url=f"{HOST}/x?own={{{{a}}}}&mixed=1-{{{{b}}}}",
            query={"q": "{{a}}", "two": "{{a}}&{{b}}", "loop": "{% for c in a %}{{ c }}{% endfor %}"},
        )
        a, b = (v.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for v in (value, other))
        pairs = query_of(request)
        assert pairs[:4] == [("own", a), ("mixed", f"1-{b}"), ("q", a), ("two", f"{a}&{b}")]
        assert len(pairs) == 5

    def test_an_empty_variable_is_left_out_unless_kept(self) -> None:
        """Only where the whole value is that variable; `keep_empty` sends `name=`."""
        query = {"a": "{{x}}", "b": "p{{x}}", "c": ""}
        url = f"{HOST}/i?own={{{{x}}}}"
        assert render({"x": ""}, url=url, query=query).url == f"{HOST}/i?b=p&c="
        assert render({"x": ""}, url=url, query=query, keep_empty=True).url == f"{HOST}/i?own=&a=&b=p&c="

    def test_zero_and_false_are_not_empty(self) -> None:
        """They are values like others."""
        assert query_of(render({"x": 0, "y": False}, query={"x": "{{x}}", "y": "{{y}}"})) == [
            ("x", "0"),
            ("y", "false"),
        ]

    def test_a_list_repeats_the_parameter(self) -> None:
        """Both a list of the endpoint and a list as value; an empty list sends nothing."""
        request = render(
            {"ids": [1, "b&c"], "no": []}, query={"id": "{{ids}}", "f": ["x", "{{ids}}"], "n": "{{no}}"}
        )
        assert query_of(request) == [("id", "1"), ("id", "b&c"), ("f", "x"), ("f", "1"), ("f", "b&c")]

    def test_what_the_author_wrote_stays_readable(self) -> None:
        """Brackets, commas and dollars of the endpoint are sent as written; what has meaning is escaped."""
        url = render(query={"filter[name]": "id,a&b=c", "$top": "1+1 #"}).url
        assert url == f"{HOST}/items?filter[name]=id,a%26b%3Dc&$top=1%2B1%20%23"

    def test_urlencode_does_not_encode_twice(self) -> None:
        """The same as in paths."""
        assert query_of(render({"a": "x y&"}, query={"q": "-{{ a | urlencode }}"})) == [("q", "-x y&")]

    def test_a_block_in_the_urls_own_query_works(self) -> None:
        """There it cannot change where the request goes."""
        url = f"{HOST}/i?a=1{{% if c %}}&c={{{{c}}}}{{% endif %}}"
        assert render({"c": "x&y"}, url=url).url == f"{HOST}/i?a=1&c=x%26y"
        assert render({"c": ""}, url=url).url == f"{HOST}/i?a=1"

    def test_marks_inside_an_expression_do_not_split(self) -> None:
        """`?`, `&`, `=`, `#` and `/` within `{{...}}` belong to the expression."""
        url = f"{HOST}/{{{{ a | replace('/', '?') }}}}/x?q={{{{ a | replace('&', '=#') }}}}"
        assert render({"a": "1/2&3"}, url=url).url == f"{HOST}/1%3F2%263/x?q=1%2F2%3D%233"


class TestHeaders:
    @given(value=anything)
    def test_no_value_breaks_out_of_its_header(self, value: Any) -> None:
        """Line breaks and NUL fail the item; nothing that is sent holds one."""
        try:
            headers = render({"a": value}, headers={"X-A": "{{a}}", "X-B": "b {{ a | upper }}"}).headers
        except ItemFailed:
            return
        assert not any(
            (ord(c) < 32 and c != "\t") or ord(c) == 127 for pair in headers for text in pair for c in text
        )

    @pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0", "a\x7f"])
    def test_a_line_break_fails_the_item(self, value: str) -> None:
        """It is refused, not repaired."""
        assert failure({"a": value}, headers={"X-A": "{{a}}"}).code == "unsafe_header"

    def test_other_scripts_go_as_utf8_and_lone_surrogates_are_replaced(self) -> None:
        """What cannot be encoded must not come as far as the client."""
        assert render({"a": "日\ud800"}, headers={"X": "{{a}}"}).headers == (("X", "日\ufffd"),)

    def test_a_line_break_in_the_endpoint_is_refused(self) -> None:
        """Already when the endpoint is compiled."""
        assert refused(headers={"X-A": "a\r\nb"})[0] == "headers.X-A"

    @pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION"])
    def test_headers_of_the_connection_never_come_from_variables(self, name: str) -> None:
        """They decide where a request goes and where it ends."""
        assert refused(headers={name: "{{x}}"}) == (f"headers.{name}", "may not come from a variable")

    def test_what_the_client_writes_itself_is_left_to_it(self) -> None:
        """Imported requests carry lengths and connection headers; only a fixed Host is sent."""
        headers = {"Host": "v.example", "Content-Length": "5", "Connection": "close", "Accept": "*/*"}
        assert render(headers=headers).headers == (("Host", "v.example"), ("Accept", "*/*"))

    @pytest.mark.parametrize("name", ["X A", "X:", "", "X\n", "{{x}}"])
    def test_a_name_that_is_no_header_is_refused(self, name: str) -> None:
        """Names are fixed and checked."""
        assert refused(headers={name: "1"})[0] == f"headers.{name}"

    def test_an_empty_optional_header_is_left_out(self) -> None:
        """Where it is one variable; a fixed empty header is sent."""
        variables = {"a": Variable(required=False)}
        assert render(headers={"X-A": "{{a}}", "X-B": ""}, variables=variables).headers == (("X-B", ""),)


class TestVariables:
    def test_a_missing_value_names_the_variable(self) -> None:
        """The failure ledger says which input is missing."""
        fault = failure({}, query={"q": "{{user_id}}"})
        assert (fault.code, fault.retryable) == ("input_missing", False)
        assert "user_id" in fault.message

    def test_null_is_missing(self) -> None:
        """A JSON item without the mapped key gives null; no request goes out with a hole in it."""
        assert failure({"id": None}, query={"q": "{{id}}"}).code == "input_missing"

    def test_a_missing_value_in_an_expression_names_it_too(self) -> None:
        """minijinja is strict."""
        fault = failure({}, query={"q": "{{ name | upper }}"})
        assert fault.code == "input_missing"
        assert "name" in fault.message

    @pytest.mark.parametrize("filter", ["base64", "urlencode", "json", "date"])
    def test_a_missing_value_does_not_pass_a_filter_of_ours(self, filter: str) -> None:
        """An empty login would be sent in silence."""
        fault = failure({}, headers={"A": f"Basic {{{{ name | {filter} }}}}"})
        assert fault.code == "input_missing"
        assert "name" in fault.message

    def test_a_missing_value_may_have_another_before_a_filter(self) -> None:
        made = render({}, headers={"A": '{{ name | default("z") | base64 }}'})
        assert made.headers == (("A", "eg=="),)

    def test_a_missing_secret_is_called_one(self) -> None:
        """It is given in another way than a variable that is mapped."""
        fault = failure({}, query={"q": "{{key}}"}, variables={"key": Variable(secret=True)})
        assert "--secret key=VALUE" in fault.message

    def test_defaults_and_optional_variables(self) -> None:
        """A default stands in for no value; an optional variable may have none."""
        variables = {"a": Variable(default="d"), "b": Variable(required=False), "c": Variable(default=7)}
        request = render({"c": None}, query={"a": "{{a}}", "b": "{{b}}", "c": "{{c}}"}, variables=variables)
        assert query_of(request) == [("a", "d"), ("c", "7")]

    def test_a_template_may_bring_its_own_default(self) -> None:
        """`default` in an expression is enough, without a declaration."""
        assert query_of(render({}, query={"q": "{{ lang | default('en') }}"})) == [("q", "en")]

    def test_a_cursor_not_known_yet_takes_the_declared_default(self) -> None:
        """Solr wants `cursorMark=*` on the first page; most want no cursor at all."""
        query = {"c": "{{c}}"}
        assert query_of(render({"c": UNSET}, query=query, variables={"c": Variable(default="*")})) == [
            ("c", "*")
        ]
        assert query_of(render({"c": UNSET}, query=query, variables={"c": Variable()})) == []

    @pytest.mark.parametrize(
        ("kind", "given_value", "sent"),
        [
            ("integer", "12", 12),
            ("integer", 12, 12),
            ("number", "1.5", 1.5),
            ("number", "3", 3),
            ("boolean", "False", False),
            ("boolean", True, True),
            ("json", '{"a": [1]}', {"a": [1]}),
            ("string", "007", "007"),
            ("string", 7, 7),
        ],
    )
    def test_a_declared_type_is_what_json_bodies_get(self, kind: Any, given_value: Any, sent: Any) -> None:
        """Text collections hold strings; a declared type makes the value it means."""
        request = render(
            {"v": given_value}, body=Body(json={"v": "{{v}}"}), variables={"v": Variable(type=kind)}
        )
        assert json.loads(request.body or b"") == {"v": sent}
        assert type(json.loads(request.body or b"")["v"]) is type(sent)

    def test_a_value_of_another_type_fails_the_item(self) -> None:
        """Without the value in the message: it may be a secret."""
        fault = failure({"v": "s3cret"}, query={"q": "{{v}}"}, variables={"v": Variable(type="integer")})
        assert fault.code == "input_invalid"
        assert "s3cret" not in fault.message

    def test_a_declared_name_need_not_be_an_identifier(self) -> None:
        """Imported collections call their variables `user-id`."""
        variables = {"user-id": Variable()}
        assert query_of(render({"user-id": "5"}, query={"q": "{{user-id}}"}, variables=variables)) == [
            ("q", "5")
        ]


class TestTemplates:
    @pytest.mark.parametrize(
        "text", ["{{ a", "{% if %}", "{{ a | x( }}", "{% include 'x", "{{ a | nofilter }}", "{{ a | safe }}"]
    )
    def test_a_broken_template_is_refused_by_field(self, text: str) -> None:
        """InvalidInput names the field, at once and not per item."""
        assert refused(query={"q": text})[0] == "query.q"

    def test_fuel_ends_a_template_that_never_would(self) -> None:
        """The item fails; the process does not hang or fill up."""
        loop = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
        assert failure({}, body=Body(text=loop)).code == "template_error"
        assert failure({}, body=Body(text="{{ 'x' * 1000000000 }}")).code == "template_error"

    def test_no_value_stands_in_a_template_error(self) -> None:
        """An error's text goes to the ledger; minijinja's debug texts print variables."""
        fault = failure({"token": "s3cret"}, headers={"A": "{{ token.x.y }}"})
        assert "s3cret" not in str(fault)

    def test_the_context_cannot_be_dumped(self) -> None:
        """`debug()` would write every variable into a request."""
        assert failure({"token": "s"}, query={"q": "{{ debug() }}"}).code in (
            "template_error",
            "input_missing",
        )

    @pytest.mark.parametrize(
        ("expression", "value", "out"),
        [
            ("x | date", "2026-01-31T23:30:00-02:00", "2026-02-01"),
            ("x | date('%d.%m.%Y')", 1767225600, "01.01.2026"),
            ("x | date", "1767225600000", "2026-01-01"),
            ("x | timestamp", "2026-01-01", "1767225600"),
            ("x | base64", "user:pass", "dXNlcjpwYXNz"),
            ("x | json", {"a": [True, None]}, '{"a":[true,null]}'),
            ("x | join(',')", ["a", "b"], "a,b"),
            ("x", 2**80, str(2**80)),
            ("x", True, "true"),
            ("x.a[0]", {"a": ["é"]}, "é"),
            ("x", {"b": 1.50}, '{"b":1.5}'),
        ],
    )
    def test_filters(self, expression: str, value: Any, out: str) -> None:
        """Dates, encodings and JSON, in an expression as in a plain hole."""
        assert render({"x": value}, body=Body(text=f"{{{{ {expression} }}}}")).body == out.encode()

    def test_a_filter_that_cannot_use_its_value_fails_the_item(self) -> None:
        """An error inside a filter is the item's."""
        fault = failure({"x": "s3cret"}, query={"q": "{{ x | date }}"})
        assert fault.code == "template_error"
        assert "s3cret" not in str(fault)

    def test_expressions_and_plain_holes_write_alike(self) -> None:
        """The quick way for plain holes is no other way."""
        for value in (True, None, 1, 1.5, "a b/ü", [1, {"a": None}], "", 10**25):
            values = {"x": value}
            variables = {"x": Variable(required=False)}
            plain = render(values, body=Body(text="<{{x}}>"), variables=variables).body
            assert render(values, body=Body(text="<{{ x if true }}>"), variables=variables).body == plain


class TestBodies:
    def test_json_keeps_types_where_a_string_is_one_variable(self) -> None:
        """Elsewhere it is text; keys are templates too; expressions keep the type of their value."""
        body = {
            "n": "{{n}}",
            "t": "n={{n}}",
            "l": [{"x": "{{l}}"}],
            "{{k}}": 1,
            "i": "{{ t | int }}",
            "c": None,
        }
        values = {"n": 5, "l": [1, {"a": None}], "k": "key", "t": "12"}
        assert json.loads(render(values, body=Body(json=body)).body or b"") == {
            "n": 5, "t": "n=5", "l": [{"x": [1, {"a": None}]}], "key": 1, "i": 12, "c": None,
        }  # fmt: skip

    @given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
    def test_json_values_arrive_as_they_were(self, value: Any) -> None:
        """Any JSON value, integers of any size too, comes out of the parsed body as it went in."""
        variables = {"v": Variable(required=False)}
        body = render({"v": value}, body=Body(json={"a": "{{v}}"}), variables=variables).body
        assert json.loads(body or b"") == {"a": value}

    def test_a_cursor_not_known_yet_is_left_out_of_json(self) -> None:
        """APIs refuse `"start_cursor": null` and `""` on the first page; `keep_empty` sends it."""
        body = Body(json={"q": 1, "after": "{{c}}"})
        assert render({"c": UNSET}, body=body).body == b'{"q":1}'
        assert render({"c": UNSET}, body=body, keep_empty=True).body == b'{"q":1,"after":""}'
        assert render({"c": ""}, body=body).body == b'{"q":1,"after":""}'

    @given(a=st.text(), b=st.text())
    def test_forms_parse_back(self, a: str, b: str) -> None:
        """A form holds exactly its fields, whatever the values."""
        request = render(
            {"a": a, "b": [b, "2"]},
            method="post",
            body=Body(form={"a": "{{a}}", "m": "<{{a}}>", "b": "{{b}}"}),
        )
        a, b = (v.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for v in (a, b))
        pairs = Url("http://h/?" + (request.body or b"").decode()).query_pairs
        assert pairs == [("a", a), ("m", f"<{a}>"), ("b", b), ("b", "2")]
        assert request.method == "POST"

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (Body(json={}), "application/json"),
            (Body(form={}), "application/x-www-form-urlencoded"),
            (Body(text=""), "text/plain; charset=utf-8"),
            (Body(graphql=GraphQL(query="{a}")), "application/json"),
        ],
    )
    def test_the_content_type_is_set_unless_the_endpoint_does(self, body: Body, kind: str) -> None:
        """Names of headers know no case."""
        assert render(body=body).headers == (("Content-Type", kind),)
        assert render(body=body, headers={"content-TYPE": "a/b"}).headers == (("content-TYPE", "a/b"),)

    def test_a_body_is_exactly_one_kind(self) -> None:
        """None or two are refused."""
        assert refused(body=Body())[0] == "body"
        assert refused(body=Body(text="a", json={}))[0] == "body"

    def test_graphql(self) -> None:
        """Query and variables; variables keep their types, and no cursor yet means no variable."""
        query = "query($n: Int) {# c\n a(n: $n) { b } }"
        graphql = GraphQL(query=query, variables={"n": "{{n}}", "after": "{{c}}"})
        body = json.loads(render({"n": 5, "c": UNSET}, body=Body(graphql=graphql)).body or b"")
        assert body == {"query": query, "variables": {"n": 5}}

    def test_a_value_inside_a_graphql_query_cannot_leave_its_place(self) -> None:
        """Within quotes it is escaped; outside only names and numbers go."""
        inside = Body(graphql=GraphQL(query='{ a(n: "{{n}}") { b } }'))
        body = json.loads(render({"n": 'x") { secret } #\\'}, body=inside).body or b"")
        assert body["query"] == '{ a(n: "x\\") { secret } #\\\\") { b } }'
        outside = Body(graphql=GraphQL(query="{ a(n: {{n}}) { b } }"))
        assert failure({"n": "1) { secret }"}, body=outside).code == "unsafe_graphql"
        assert json.loads(render({"n": 5}, body=outside).body or b"")["query"] == "{ a(n: 5) { b } }"

    def test_multipart_parses_back(self) -> None:
        """Fields, lists and files; the same values make the same bytes."""
        fields = {
            "title": "a {{t}}",
            "tags": ["x", "{{t}}"],
            "file": {"filename": "{{t}}.bin", "base64": "AAEC", "content_type": "a/b"},
            "note": {"filename": "n.txt", "content": "{{t}}"},
            "typed": {"content": "{}", "content_type": "application/json"},
        }
        headers = {"Content-Type": "multipart/form-data; boundary=old"}
        request = render({"t": 'q"\r\n'}, body=Body(multipart=fields), headers=headers)
        [(name, kind)] = request.headers
        assert name == "Content-Type"
        parsed = BytesParser().parsebytes(f"{name}: {kind}\r\n\r\n".encode() + (request.body or b""))
        parts = [(p["Content-Disposition"], p.get_payload(decode=True)) for p in parsed.get_payload()]  # type: ignore[union-attr]
        assert parts == [
            ('form-data; name="title"', b'a q"\r\n'),
            ('form-data; name="tags"', b"x"),
            ('form-data; name="tags"', b'q"\r\n'),
            ('form-data; name="file"; filename="q%22%0D%0A.bin"', b"\0\1\2"),
            ('form-data; name="note"; filename="n.txt"', b'q"\r\n'),
            ('form-data; name="typed"', b"{}"),
        ]
        assert render({"t": 'q"\r\n'}, body=Body(multipart=fields)).body == request.body

    def test_a_file_that_is_not_base64_fails_the_item(self) -> None:
        """The item fails, not the worker."""
        assert (
            failure({"f": "?"}, body=Body(multipart={"f": {"filename": "a", "base64": "{{f}}"}})).code
            == "input_invalid"
        )


def test_a_next_url_takes_the_place_of_the_address() -> None:
    """Headers and body are rendered as ever."""
    template = RequestTemplate(Endpoint(name="e", url=f"{HOST}/a", headers={"X": "{{x}}"}))
    assert template.render({"x": "1"}, url=f"{HOST}/b?p=2") == Request("GET", f"{HOST}/b?p=2", (("X", "1"),))


def test_the_target_is_the_host_that_is_asked() -> None:
    """With its port, where that is not the scheme's own."""
    assert render(url="https://user:p@H.example:443/x").target == "h.example"
    assert render(url="http://127.0.0.1:8080/x").target == "127.0.0.1:8080"
