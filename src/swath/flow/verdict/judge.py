"""What an answer means: each one is judged once, by the workflow's rules first, by good defaults else."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from swath.errors import InvalidInput
from swath.flow.definition import Action, Json, ResponseRule
from swath.flow.filters import matches
from swath.flow.paths import MISSING, compile_path
from swath.flow.verdict.complaints import explain, is_error_only, is_html, reads_as
from swath.flow.verdict.waits import RATE_STATUSES, backoff, wait_hint

__all__ = ["ERROR_CODES", "UNPARSED", "Judge", "Verdict", "backoff", "wait_hint"]

Header = tuple[str, str]


class Unparsed:
    """See `UNPARSED`."""

    def __repr__(self) -> str:
        return "UNPARSED"


#: Stands for the value of a body that is not JSON.
UNPARSED: Final = Unparsed()

#: Every `error_code` that the defaults give, and whether the same request may succeed at another time.
ERROR_CODES: Final[Mapping[str, bool]] = {
    "bad_request": False,
    "unauthorized": True,
    "payment_required": False,
    "forbidden": False,
    "not_found": False,
    "method_not_allowed": False,
    "proxy_auth_required": True,
    "request_timeout": True,
    "conflict": False,
    "gone": False,
    "too_large": False,
    "unprocessable": False,
    "too_early": True,
    "rate_limited": True,
    "unavailable_for_legal_reasons": False,
    "client_error": False,
    "server_error": True,
    "bad_gateway": True,
    "service_unavailable": True,
    "gateway_timeout": True,
    "unexpected_redirect": False,
    "unexpected_status": False,
    #: 2xx, but the body only tells of an error.
    "error_body": False,
    #: The same, and the error says that it will pass.
    "temporary_error_body": True,
    #: A page for people (a captcha, an access denial) where data was expected.
    "blocked": True,
    "html_instead_of_json": True,
    "truncated_json": True,
    "invalid_json": False,
    "not_json": False,
    #: A response rule without a code of its own.
    "rejected_by_rule": False,
    "retried_by_rule": True,
}

_BY_STATUS: Final[Mapping[int, tuple[Action, str]]] = {
    400: ("fail_item", "bad_request"),
    401: ("fail_item", "unauthorized"),
    402: ("fail_item", "payment_required"),
    403: ("fail_item", "forbidden"),
    404: ("fail_item", "not_found"),
    405: ("fail_item", "method_not_allowed"),
    407: ("retry", "proxy_auth_required"),
    408: ("retry", "request_timeout"),
    409: ("fail_item", "conflict"),
    410: ("fail_item", "gone"),
    413: ("fail_item", "too_large"),
    422: ("fail_item", "unprocessable"),
    425: ("retry", "too_early"),
    451: ("fail_item", "unavailable_for_legal_reasons"),
    502: ("retry", "bad_gateway"),
    503: ("retry", "service_unavailable"),
    504: ("retry", "gateway_timeout"),
}
_BY_CLASS: Final[Mapping[int, tuple[Action, str]]] = {
    3: ("fail_item", "unexpected_redirect"),
    4: ("fail_item", "client_error"),
    5: ("retry", "server_error"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an answer. `success` takes its rows; `ignore` takes it as a page without rows."""

    action: Action
    error_code: str | None = None
    message: str | None = None
    #: Whether trying again at another time may help.
    retryable: bool = False


_SUCCESS: Final = Verdict("success")
_NO_ROWS: Final = Verdict("ignore")


class Evidence(msgspec.Struct, frozen=True):
    """One answer, as the rules and the defaults look at it; header names are lower case."""

    status: int
    headers: Sequence[Header]
    body: bytes
    value: Json

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name == "content-type"), "")


Test = Callable[[Evidence], bool]


class Judge:
    """Judges the answers of one workflow. Raises InvalidInput for a rule that cannot be used."""

    def __init__(self, rules: Sequence[ResponseRule] = ()) -> None:
        self._rules = [(_compile(n, rule), rule) for n, rule in enumerate(rules)]
        #: Whether a rule may need to know what an answer says that came as a success.
        self.looks_inside = any(map(_may_fit_success, rules))

    def judge(self, status: int, headers: Sequence[Header], body: bytes, value: Json) -> Verdict:
        """Judge an answer whose body read as `value`, or is UNPARSED. Header names are lower case."""
        seen = Evidence(status, headers, body, value)
        for tests, rule in self._rules:
            if all(test(seen) for test in tests):
                return _by_rule(rule, seen)
        return _judge_success(seen) if 200 <= status < 300 else _judge_refusal(seen)


def _may_fit_success(rule: ResponseRule) -> bool:
    wanted = [rule.status] if isinstance(rule.status, int | str) else rule.status
    return wanted is None or any(str(each).strip()[:1] == "2" for each in wanted)


def _compile(number: int, rule: ResponseRule) -> list[Test]:
    """Return the conditions of a rule, all of which must hold."""
    field = f"response_rules[{number}]"
    tests: list[Test] = []
    if rule.status is not None:
        tests.append(_status_test(rule.status, f"{field}.status"))
    for name, pattern in (rule.header or {}).items():
        tests.append(_header_test(name.lower(), pattern, f"{field}.header.{name}"))
    if rule.path is not None:
        tests.append(_path_test(rule.path, rule))
    if rule.body_contains is not None:
        part = rule.body_contains.encode()
        tests.append(lambda seen: part in seen.body)
    return tests


def _status_test(wanted: int | str | Sequence[int | str], field: str) -> Test:
    """Read 404, "404", "5xx", or a list of these."""
    every = [wanted] if isinstance(wanted, int | str) else wanted
    texts = [str(each).strip().lower() for each in every]
    if not all(re.fullmatch(r"[1-9](?:\d\d|xx)", text) for text in texts):
        raise InvalidInput(field, 'needs codes such as 404 or classes such as "5xx"')
    accepted = frozenset(code for text in texts for code in _codes(text))
    return lambda seen: seen.status in accepted


def _codes(text: str) -> range:
    if text.endswith("xx"):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    return range(int(text), int(text) + 1)


def _header_test(name: str, pattern: str, field: str) -> Test:
    try:
        search = re.compile(pattern, re.IGNORECASE).search
    except re.error as error:
        raise InvalidInput(field, f"is not a regular expression: {error}") from None
    return lambda seen: any(key == name and search(value) is not None for key, value in seen.headers)


def _path_test(path: str, rule: ResponseRule) -> Test:
    find = compile_path(path).first
    matches(rule.op, "", rule.value)  # an operator that cannot be used is told of now

    def test(seen: Evidence) -> bool:
        found = MISSING if seen.value is UNPARSED else find(seen.value, MISSING)
        return matches(rule.op, None if found is MISSING else found, rule.value)

    return test


def _by_rule(rule: ResponseRule, seen: Evidence) -> Verdict:
    if rule.action in ("success", "ignore"):
        return Verdict(rule.action)
    again = rule.action in ("retry", "rate_limited", "refresh_auth")
    code = rule.error_code or _rule_code(rule.action, seen.status)
    retryable = again or ERROR_CODES.get(code, False)
    return Verdict(rule.action, code, rule.message or _message(seen), retryable)


def _rule_code(action: Action, status: int) -> str:
    """Return the code of a rule that names none: that of the status, if the status is an error."""
    if action == "rate_limited":
        return "rate_limited"
    if action == "refresh_auth":
        return "unauthorized"
    if status >= 300:
        return _by_status(status)[1]
    return "retried_by_rule" if action == "retry" else "rejected_by_rule"


def _by_status(status: int) -> tuple[Action, str]:
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, ("fail_item", "unexpected_status"))


def _verdict(action: Action, code: str, seen: Evidence, message: str | None = None) -> Verdict:
    return Verdict(action, code, message or _message(seen), ERROR_CODES[code])


def _message(seen: Evidence) -> str:
    told = "" if seen.value is UNPARSED else explain(seen.value)
    return f"The upstream answered {seen.status}" + (f": {told}" if told else ".")


def _judge_success(seen: Evidence) -> Verdict:
    """Judge a 2xx: data, nothing, or something else in disguise."""
    if seen.status == 204 or not seen.body:
        return _NO_ROWS
    if seen.value is UNPARSED:
        return _judge_foreign(seen) if seen.body.strip() else _NO_ROWS
    if not is_error_only(seen.value):
        return _SUCCESS
    told = explain(seen.value)
    if reads_as("rate_limit", told):
        return _verdict("rate_limited", "rate_limited", seen)
    if reads_as("temporary", told):
        return _verdict("retry", "temporary_error_body", seen)
    return _verdict("fail_item", "error_body", seen)


def _judge_foreign(seen: Evidence) -> Verdict:
    """Judge a 2xx whose body is not JSON."""
    if is_html(seen.content_type, seen.body):
        if _is_block_page(seen):
            return _verdict("retry", "blocked", seen, "The upstream answered with a page that blocks robots.")
        return _verdict("fail_item", "html_instead_of_json", seen, "The upstream answered with an HTML page.")
    text = seen.body.strip()
    if text[:1] in (b"{", b"["):
        if text[-1:] not in (b"}", b"]"):
            return _verdict("retry", "truncated_json", seen, "The JSON of the answer breaks off.")
        return _verdict("fail_item", "invalid_json", seen, "The answer is not valid JSON.")
    kind = seen.content_type or "no content type"
    return _verdict("fail_item", "not_json", seen, f"The answer is not JSON ({kind}).")


def _judge_refusal(seen: Evidence) -> Verdict:
    """Judge an answer outside of 2xx."""
    names = {name for name, _ in seen.headers}
    if seen.status in RATE_STATUSES or (seen.status == 503 and "retry-after" in names):
        return _verdict("rate_limited", "rate_limited", seen)
    if seen.status == 403:
        return _judge_forbidden(seen, names)
    action, code = _by_status(seen.status)
    return _verdict(action, code, seen)


def _judge_forbidden(seen: Evidence, names: set[str]) -> Verdict:
    """Tell a used-up allowance and a block page from a plain no."""
    told = "" if seen.value is UNPARSED else explain(seen.value)
    limited = "retry-after" in names or wait_hint(403, seen.headers, 0.0) is not None
    if limited or reads_as("rate_limit", told):
        return _verdict("rate_limited", "rate_limited", seen)
    if is_html(seen.content_type, seen.body) and _is_block_page(seen):
        return _verdict("retry", "blocked", seen, "The upstream answered with a page that blocks robots.")
    return _verdict("fail_item", "forbidden", seen)


def _is_block_page(seen: Evidence) -> bool:
    mitigated = any(name == "cf-mitigated" for name, _ in seen.headers)
    return mitigated or reads_as("block_page", seen.body[:20_000].decode("utf-8", "replace"))
