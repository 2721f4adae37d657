"""Secrets are masked by value."""

from urllib.parse import quote

from swath.flow.masking import Masker


def test_a_secret_is_masked_plain_and_encoded() -> None:
    """In a URL, in JSON and in base64 it is the same secret."""
    masker = Masker(['s3cr3t/"+ö'])
    for text in ('s3cr3t/"+ö', quote('s3cr3t/"+ö', safe=""), 's3cr3t/\\"+\\u00f6', "czNjcjN0LyIrw7Y="):
        assert masker.mask(f"x={text}&y") == "x=********&y"


def test_nothing_else_is_touched_and_the_masker_does_not_show_its_secrets() -> None:
    """Without secrets the text stays as it is; `repr` gives nothing away."""
    assert Masker([]).mask("plain") == "plain"
    assert "topsecret" not in repr(Masker(["topsecret"]))
