"""Secrets are masked by value."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from swath.flow.masking import Masker
from swath.flow.request.encoding import dump, encode_part
from swath.flow.request.pairs import encode_form, encode_query


def test_a_secret_is_masked_plain_and_encoded() -> None:
    """In a URL, in JSON and in base64 it is the same secret."""
    masker = Masker(['s3cr3t/"+ö'])
    for text in ('s3cr3t/"+ö', quote('s3cr3t/"+ö', safe=""), 's3cr3t/\\"+\\u00f6', "czNjcjN0LyIrw7Y="):
        assert masker.mask(f"x={text}&y") == "x=********&y"


@pytest.mark.parametrize(
    "secret",
    ['S3cr+t/va lue"99é', "a\\\\b'c&d<e>\\n\\t%20", "key:with=and;more", "😀 smile", "plain-token_1.2~3"],
)
def test_whoever_encodes_a_secret_does_not_show_it(secret: str) -> None:
    """As our own queries, forms and bodies write it, as libraries of others do, and once inside the other."""
    query, form, body = encode_query(secret), encode_form(secret), dump({"a": secret}).decode()
    forms = [
        secret, encode_part(secret), query, form, quote(secret), quote_plus(secret),
        quote(secret, safe="/:@=+"), str(Url(f"http://a/?{query}").query_string),
        body[6:-2], json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], html.escape(secret),
        re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        json.dumps(secret).replace("/", "\\\\/")[1:-1],
    ]  # fmt: skip
    masker = Masker([secret])
    for text in forms:
        assert masker.mask(f"<{text}>") == "<********>", text


@given(st.text(max_size=9), st.text(min_size=9, max_size=40), st.text(max_size=9))
def test_a_password_behind_a_user_in_base64_is_masked(user: str, secret: str, after: str) -> None:
    """Wherever it begins in the bytes, at most a character at each end of it is left."""
    whole = base64.b64encode(f"{user}:{secret}{after}".encode()).decode()
    shown = Masker([secret]).mask(whole)
    assert "********" in shown
    start = len(f"{user}:".encode())
    core = whole[-(-start * 8 // 6) : (start + len(secret.encode())) * 8 // 6]
    assert core not in shown


@given(st.text(min_size=4, max_size=30))
def test_any_secret_is_masked_as_we_write_it(secret: str) -> None:
    masker = Masker([secret])
    encoded = base64.b64encode(secret.encode()).decode()
    written = [encode_query(secret), encode_form(secret), encode_part(secret), dump(secret).decode()[1:-1]]
    written += [secret, encoded, encode_query(encoded), encode_part(encoded)]
    assert [masker.mask(text) for text in written] == ["********"] * len(written)


def test_nothing_else_is_touched_and_the_masker_does_not_show_its_secrets() -> None:
    """Without secrets the text stays as it is; `repr` gives nothing away."""
    assert Masker([]).mask("plain") == "plain"
    assert "topsecret" not in repr(Masker(["topsecret"]))
