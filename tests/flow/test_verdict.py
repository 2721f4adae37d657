"""Verdicts and waits: what an answer means, and when the next request may go."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import InvalidInput
from swath.flow.definition import ResponseRule, RetryPolicy
from swath.flow.verdict import ERROR_CODES, UNPARSED, Judge, Verdict, backoff, wait_hint

NOW = 1_790_000_000.0
HTML = [("content-type", "text/html; charset=utf-8")]
CAPTCHA = b"<!DOCTYPE html><title>Attention Required! | Cloudflare</title><p>solve the captcha"


def judge(
    status: int = 200, body: Any = b"", headers: list[tuple[str, str]] | None = None, *rules: ResponseRule
) -> Verdict:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    try:
        value = json.loads(body)
    except ValueError:
        value = UNPARSED
    return Judge(rules).judge(status, headers or [], body, value)


def summary(verdict: Verdict) -> tuple[str, str | None, bool]:
    return verdict.action, verdict.error_code, verdict.retryable


class TestDefaults:
    @pytest.mark.parametrize(
        ("status", "action", "code", "retryable"),
        [
            (400, "fail_item", "bad_request", False),
            (401, "fail_item", "unauthorized", True),
            (402, "fail_item", "payment_required", False),
            (403, "fail_item", "forbidden", False),
            (404, "fail_item", "not_found", False),
            (408, "retry", "request_timeout", True),
            (409, "fail_item", "conflict", False),
            (410, "fail_item", "gone", False),
            (418, "fail_item", "client_error", False),
            (422, "fail_item", "unprocessable", False),
            (425, "retry", "too_early", True),
            (429, "rate_limited", "rate_limited", True),
            (500, "retry", "server_error", True),
            (502, "retry", "bad_gateway", True),
            (503, "retry", "service_unavailable", True),
            (504, "retry", "gateway_timeout", True),
            (599, "retry", "server_error", True),
            (302, "fail_item", "unexpected_redirect", False),
            (101, "fail_item", "unexpected_status", False),
            (999, "fail_item", "unexpected_status", False),
        ],
    )
    def test_each_status_has_a_verdict(self, status: int, action: str, code: str, retryable: bool) -> None:
        """Retryable or fatal is decided once, here."""
        assert summary(judge(status, b"{}")) == (action, code, retryable)
        assert ERROR_CODES[code] is retryable

    @pytest.mark.parametrize(
        "body", [[], {}, {"a": 1}, [1], 5, None, "text", {"error": None, "data": [1]}], ids=str
    )
    def test_json_is_a_success(self, body: Any) -> None:
        """Any JSON, `null` too."""
        assert judge(200, body) == Verdict("success")

    def test_a_503_that_names_a_time_is_a_rate_limit(self) -> None:
        """It pauses the scope instead of the one request."""
        assert summary(judge(503, b"", [("retry-after", "4")])) == ("rate_limited", "rate_limited", True)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ([("retry-after", "60")], {}),
            ([("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")], {}),
            ([], {"message": "API rate limit exceeded for 1.2.3.4"}),
        ],
    )
    def test_a_403_may_be_a_rate_limit(self, headers: list[tuple[str, str]], body: Any) -> None:
        """GitHub answers so."""
        assert judge(403, body, headers).action == "rate_limited"
        assert (
            judge(403, {}, [("x-ratelimit-remaining", "55"), ("x-ratelimit-reset", "60")]).action
            == "fail_item"
        )

    @given(
        st.integers(100, 999), st.binary(max_size=200), st.sampled_from(["", "application/json", "text/html"])
    )
    def test_every_answer_has_a_verdict_with_a_known_code(self, status: int, body: bytes, kind: str) -> None:
        """Nothing an upstream sends breaks the judge; only 2xx is ever taken."""
        verdict = judge(status, body, [("content-type", kind)])
        if verdict.action in ("success", "ignore"):
            assert 200 <= status < 300
            assert verdict.error_code is None
        else:
            assert verdict.retryable is ERROR_CODES[verdict.error_code or ""]
            assert verdict.message


class TestDisguises:
    @pytest.mark.parametrize(
        "body",
        [
            {"error": "no such user"},
            {"error": {"code": 5, "message": "no such user"}},
            {"errors": [{"message": "no such user"}]},
            {"errors": [{"message": "no such user", "path": ["a"]}], "data": None},
            {"errors": [{"message": "no such user"}], "data": {"user": None}},
            {"error": True, "message": "no such user", "results": [], "count": 0},
            {"success": False, "message": "no such user"},
            {"ok": False, "error": "no such user"},
            {"status": "error", "message": "no such user"},
            {"Error": {"Message": "no such user"}, "requestId": "77"},
        ],
        ids=str,
    )
    def test_R3_an_error_body_is_no_success(self, body: Any) -> None:
        """200 with nothing but an error: the item fails with the upstream's own words."""
        verdict = judge(200, body)
        assert summary(verdict) == ("fail_item", "error_body", False)
        assert verdict.message == "The upstream answered 200: no such user"

    @pytest.mark.parametrize(
        "body",
        [
            {"error": None, "results": []},
            {"error": "", "results": [1]},
            {"errors": [], "data": {}},
            {"errors": [{"message": "half"}], "data": {"users": [1]}},
            {"id": 5, "status": "failed", "error": "out of memory"},
            {"error": "deprecated", "results": [{"id": 1}]},
            {"error_rate": 0.1},
            {"status": "failed"},
            {"success": True},
            [{"error": "a row's own"}],
        ],
        ids=str,
    )
    def test_data_beside_an_error_is_data(self, body: Any) -> None:
        """A field called error in a record, or half an answer of GraphQL, is taken."""
        assert judge(200, body).action == "success"

    def test_an_error_body_may_be_a_rate_limit_or_pass(self) -> None:
        """Slack says `ratelimited` with 200; others ask to try again."""
        assert summary(judge(200, {"ok": False, "error": "ratelimited"})) == (
            "rate_limited",
            "rate_limited",
            True,
        )
        verdict = judge(200, {"error": "Temporarily unavailable, try again"})
        assert summary(verdict) == ("retry", "temporary_error_body", True)

    def test_R3_a_block_page_is_tried_again(self) -> None:
        """A captcha page is no data, whatever its status says; through another exit it may work."""
        for status in (200, 403):
            assert summary(judge(status, CAPTCHA, HTML)) == ("retry", "blocked", True)
        headers = [*HTML, ("cf-mitigated", "challenge")]
        assert judge(403, b"<html>", headers).error_code == "blocked"

    def test_R3_html_where_json_is_expected_fails_the_item(self) -> None:
        """A login or maintenance page; told by its type or by its beginning."""
        for headers in (HTML, []):
            verdict = judge(200, b"\xef\xbb\xbf  <!doctype HTML><p>Welcome", headers)
            assert summary(verdict) == ("fail_item", "html_instead_of_json", True)

    @pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b""), (202, b" \r\n"), (204, b"{}")])
    def test_R3_nothing_is_no_row_and_no_failure(self, status: int, body: bytes) -> None:
        """204 and empty bodies are pages without rows."""
        assert judge(status, body) == Verdict("ignore")

    @pytest.mark.parametrize(
        ("body", "action", "code"),
        [
            (b'{"a": [1, 2', "retry", "truncated_json"),
            (b"[{'a': 1}]", "fail_item", "invalid_json"),
            (b"a,b\n1,2\n", "fail_item", "not_json"),
            (b"<xml/>", "fail_item", "not_json"),
            (b"\x1f\x8b\x08rest", "fail_item", "not_json"),
        ],
    )
    def test_what_is_not_json_fails(self, body: bytes, action: str, code: str) -> None:
        """A body that breaks off is asked for again."""
        verdict = judge(200, body)
        assert (verdict.action, verdict.error_code) == (action, code)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"detail": "Not found."}, ": Not found."),
            ({"message": "Bad\n  credentials", "status": 5}, ": Bad credentials"),
            ({"errors": [{"title": "Gone"}]}, ": Gone"),
            ({"error": "invalid_grant", "error_description": "expired"}, ": invalid_grant"),
            ([{"message": "Salesforce says no"}], ": Salesforce says no"),
            ({}, "."),
            ({"error": {"a": {"b": {"c": {"d": {"e": "deep"}}}}}}, "."),
            ("x" * 5000, ": " + "x" * 300),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_the_message_has_the_upstreams_own_words(self, body: Any, words: str) -> None:
        """Shortened, on one line."""
        assert judge(404, body).message == f"The upstream answered 404{words}"


class TestRules:
    def test_the_first_rule_that_fits_decides(self) -> None:
        """Before every default."""
        rules = (
            ResponseRule(action="ignore", status=404),
            ResponseRule(action="fail_execution", status=404, error_code="dead"),
        )
        assert judge(404, {}, None, *rules) == Verdict("ignore")

    @pytest.mark.parametrize(
        ("wanted", "status", "fits"),
        [
            (404, 404, True),
            (404, 400, False),
            ("404", 404, True),
            ("5xx", 503, True),
            ("5XX", 499, False),
            ((404, "5xx"), 599, True),
            ([404, 410], 410, True),
            ("2xx", 200, True),
        ],
    )
    def test_a_status_is_a_code_a_class_or_a_list(self, wanted: Any, status: int, fits: bool) -> None:
        """As the definition says."""
        rule = ResponseRule(action="fail_execution", status=wanted)
        assert (judge(status, {}, None, rule).action == "fail_execution") is fits

    def test_all_conditions_must_hold(self) -> None:
        """Status, header, path and text together."""
        rule = ResponseRule(
            action="rate_limited",
            status=200,
            header={"X-Kind": "^slow"},
            path="meta.ok",
            op="=",
            value=False,
            body_contains="wait",
        )
        good: dict[str, Any] = {"meta": {"ok": False}, "text": "please wait"}
        headers = [("x-kind", "Slowly")]
        assert judge(200, good, headers, rule).action == "rate_limited"
        assert judge(201, good, headers, rule).action == "success"
        assert judge(200, good, [("x-kind", "not slow")], rule).action == "success"
        assert judge(200, good | {"meta": {"ok": True}}, headers, rule).action == "success"
        assert judge(200, good | {"text": ""}, headers, rule).action == "success"

    def test_a_path_in_a_body_that_is_not_json_is_absent(self) -> None:
        """`exists` does not hold, `exists: false` does."""
        there = ResponseRule(action="ignore", path="a")
        absent = ResponseRule(action="ignore", path="a", value=False)
        assert judge(200, b"a", None, there).action == "fail_item"
        assert judge(200, b"a", None, absent).action == "ignore"

    def test_a_rule_may_take_what_the_defaults_refuse(self) -> None:
        """A page of HTML as success, an error as ignored."""
        assert judge(200, CAPTCHA, HTML, ResponseRule(action="success", status=200)) == Verdict("success")
        assert judge(200, {"error": "x"}, None, ResponseRule(action="ignore", path="error")) == Verdict(
            "ignore"
        )

    @pytest.mark.parametrize(
        ("rule", "status", "expected"),
        [
            (ResponseRule(action="fail_item", status=404), 404, ("fail_item", "not_found", False)),
            (ResponseRule(action="fail_item"), 200, ("fail_item", "rejected_by_rule", False)),
            (ResponseRule(action="retry"), 200, ("retry", "retried_by_rule", True)),
            (ResponseRule(action="retry", status=404), 404, ("retry", "not_found", True)),
            (ResponseRule(action="refresh_auth", status=401), 401, ("refresh_auth", "unauthorized", True)),
            (ResponseRule(action="rate_limited", status=403), 403, ("rate_limited", "rate_limited", True)),
            (ResponseRule(action="fail_item", error_code="own"), 500, ("fail_item", "own", False)),
            (ResponseRule(action="fail_execution"), 401, ("fail_execution", "unauthorized", True)),
        ],
    )
    def test_a_rule_without_a_code_takes_that_of_the_status(
        self, rule: ResponseRule, status: int, expected: tuple[str, str, bool]
    ) -> None:
        """Codes stay stable words."""
        assert summary(judge(status, {"a": 1}, None, rule)) == expected

    def test_a_rules_own_message_stands(self) -> None:
        """Else the upstream's words."""
        assert (
            judge(500, {}, None, ResponseRule(action="fail_item", message="Ask Bob.")).message == "Ask Bob."
        )

    @pytest.mark.parametrize(
        "rule",
        [
            ResponseRule(action="retry", status="often"),
            ResponseRule(action="retry", status="1234"),
            ResponseRule(action="retry", header={"a": "("}),
            ResponseRule(action="retry", path="a", op="~"),  # type: ignore[arg-type]
            ResponseRule(action="retry", path="$["),
        ],
    )
    def test_a_rule_that_cannot_be_used_is_refused(self, rule: ResponseRule) -> None:
        """When it is compiled, not at the first answer."""
        with pytest.raises(InvalidInput):
            Judge([rule])


def http_date(offset: float) -> str:
    return formatdate(NOW + offset, usegmt=True)


class TestWaits:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("4", 4),
            (" 4 ", 4),
            ("1.5", 1.5),
            ("0", 0),
            ("-5", 0),
            ("3600", 3600),
            (http_date(30), 30),
            (http_date(-30), 0),
            (format_datetime(datetime.fromtimestamp(NOW + 30, UTC)), 30),
            ("2026-09-21T14:13:50Z", datetime(2026, 9, 21, 14, 13, 50, tzinfo=UTC).timestamp() - NOW),
            ("soon", None),
            ("", None),
            ("4 seconds", None),
            ("٤", None),
            ("1e9", None),
            ("inf", None),
            ("nan", None),
            ("9" * 400, None),
            ("Mon, 99 Nov 2026 21:20:50 GMT", None),
        ],
    )
    def test_R1_retry_after(self, value: str, seconds: float | None) -> None:
        """Seconds, dates, the past and nonsense; a wait is never negative, and nonsense asks for none."""
        wait = wait_hint(429, [("Retry-After", value)], NOW)
        assert wait == (None if seconds is None else pytest.approx(max(seconds, 0)))

    def test_R1_absent(self) -> None:
        """Then backoff decides."""
        assert wait_hint(429, [], NOW) is None

    @given(st.text(max_size=40), st.sampled_from(["retry-after", "x-ratelimit-reset", "ratelimit", "date"]))
    def test_no_header_breaks_it(self, value: str, name: str) -> None:
        """Whatever stands there, a wait is None or not negative."""
        wait = wait_hint(429, [(name, value), ("retry-after", http_date(5))], NOW)
        assert wait is not None
        assert wait >= 0

    @given(st.integers(0, 10**6))
    def test_seconds_and_dates_say_the_same(self, seconds: int) -> None:
        """Whichever way an upstream writes it, the wait is never shorter than asked."""
        for value in (str(seconds), http_date(seconds)):
            assert wait_hint(503, [("retry-after", value)], NOW) == pytest.approx(seconds)

    def test_a_date_is_taken_by_the_upstreams_own_clock(self) -> None:
        """A clock ten minutes behind ours would else make the wait vanish."""
        headers = [("Date", http_date(-600)), ("Retry-After", http_date(-570))]
        assert wait_hint(429, headers, NOW) == 30

    def test_of_several_the_longest_counts(self) -> None:
        """Never earlier than any of them asks."""
        assert wait_hint(429, [("retry-after", "5"), ("retry-after", "9")], NOW) == 9

    def test_retry_after_counts_for_every_status(self) -> None:
        """Also on a success or a redirect."""
        assert wait_hint(200, [("retry-after", "5")], NOW) == 5

    @pytest.mark.parametrize("name", ["X-RateLimit-Reset", "x-rate-limit-reset", "RateLimit-Reset"])
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("30", 30),
            ("0", 0),
            (str(int(NOW) + 30), 30),
            (str(int(NOW) - 30), 0),
            (str(int(NOW + 30) * 1000), 30),
            (str(NOW + 30), 30),
            ("later", None),
        ],
    )
    def test_R2_reset(self, name: str, value: str, seconds: float | None) -> None:
        """A delay, epoch seconds or milliseconds."""
        expected = None if seconds is None else pytest.approx(seconds)
        assert wait_hint(429, [(name, value)], NOW) == expected
        assert wait_hint(200, [(name, value), ("X-RateLimit-Remaining", "0")], NOW) == expected

    def test_R2_reset_says_nothing_while_something_remains(self) -> None:
        """It stands in every answer of many APIs."""
        headers = [("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "30")]
        assert wait_hint(200, headers, NOW) is None
        assert wait_hint(500, headers, NOW) is None

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("limit=100, remaining=0, reset=30", 30),
            ("limit=100, remaining=1, reset=30", None),
            ('"default";r=0;t=30', 30),
            ('"burst";r=5;t=2000, "daily";r=0;t=900', 900),
            ('"default";r=5;t=30', None),
            ("nonsense", None),
        ],
    )
    def test_R2_ratelimit_drafts(self, value: str, seconds: float | None) -> None:
        """Both drafts; of several policies the one that is used up counts."""
        assert wait_hint(200, [("RateLimit", value)], NOW) == seconds

    def test_R2_a_rate_limit_answer_without_retry_after_waits_for_the_reset(self) -> None:
        """Even where the header claims that something remains."""
        assert wait_hint(429, [("ratelimit", '"a";r=5;t=30')], NOW) == 30
        assert wait_hint(429, [("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "30")], NOW) == 30
        assert wait_hint(429, [("retry-after", "soon"), ("x-ratelimit-reset", "30")], NOW) == 30

    def test_R2_retry_after_and_a_used_up_allowance(self) -> None:
        """The longer of both; while something remains, Retry-After alone."""
        reset = ("x-ratelimit-reset", "30")
        assert wait_hint(429, [("retry-after", "4"), reset, ("x-ratelimit-remaining", "0")], NOW) == 30
        assert wait_hint(429, [("retry-after", "4"), reset, ("x-ratelimit-remaining", "9")], NOW) == 4


class TestBackoff:
    def test_it_doubles_up_to_the_longest(self) -> None:
        """From the base delay, at most `max_delay`."""
        policy = RetryPolicy(base_delay=0.5, max_delay=60)
        assert [backoff(policy, n, 1.0) for n in (1, 2, 3, 7, 8, 9)] == [0.5, 1, 2, 32, 60, 60]

    @given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
    def test_the_jitter_is_full(self, attempt: int, chance: float) -> None:
        """Anything between nothing and the whole delay, by chance; it never overflows."""
        policy = RetryPolicy()
        whole = backoff(policy, attempt, 1.0)
        assert 0 <= backoff(policy, attempt, chance) == pytest.approx(chance * whole)
        assert whole <= policy.max_delay
