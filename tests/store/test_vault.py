"""Secrets at rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swath.errors import Damaged
from swath.flow.masking import MASK
from swath.settings import Settings
from swath.store.vault import (
    SEAL,
    Vault,
    is_sealed,
    mask_sealed,
    open_vault,
    rotate_sealed,
    unseal,
    write_private,
)

VAULT = Vault(["a key"])

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(values)
def test_what_was_sealed_is_opened_with_its_type(value: object) -> None:
    """Any JSON value comes back, wherever it stands, and is not to be read before."""
    sealed = {"before": 1, "list": [VAULT.seal_value(value)]}
    assert unseal(sealed, VAULT) == {"before": 1, "list": [value]}
    assert mask_sealed(sealed) == {"before": 1, "list": [MASK]}


def test_a_sealed_value_does_not_show_what_it_was() -> None:
    sealed = VAULT.seal_value("hunter2-hunter2")
    assert is_sealed(sealed)
    assert "hunter2" not in str(sealed)
    assert "hunter2" not in repr(VAULT)
    assert VAULT.seal_value(sealed) == sealed, "sealing twice is sealing once"


def test_a_new_key_opens_what_an_old_one_sealed() -> None:
    """Operators put a new key in front; rotating makes the old one needless."""
    sealed = Vault(["old"]).seal_value("secret")
    both = Vault(["new", "old"])
    assert unseal(sealed, both) == "secret"
    rotated = rotate_sealed({"x": sealed}, both)
    assert unseal(rotated, Vault(["new"])) == {"x": "secret"}


def test_a_key_that_does_not_fit_is_told_of() -> None:
    """Never a wrong value, never a crash without a word."""
    sealed = Vault(["old"]).seal("secret")
    with pytest.raises(Damaged, match="SWATH_SECRET_KEY"):
        Vault(["other"]).open(sealed)
    with pytest.raises(Damaged, match="SWATH_SECRET_KEY"):
        unseal({SEAL: "nonsense"}, VAULT)


def test_a_key_is_made_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    """Without a key of the operator's one is made at the first start and found at the next."""
    settings = Settings(data_dir=tmp_path)
    sealed = open_vault(settings).seal("secret")
    kept = tmp_path / "secret.key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert open_vault(settings).open(sealed) == "secret"


def test_the_kept_key_still_opens_after_an_operator_sets_his_own(tmp_path: Path) -> None:
    """Setting SWATH_SECRET_KEY later does not lock anybody out, and new secrets no longer need the file."""
    sealed = open_vault(Settings(data_dir=tmp_path)).seal("secret")
    later = Settings(data_dir=tmp_path, secret_key="mine, older-one")
    assert open_vault(later).open(sealed) == "secret"
    fresh = open_vault(later).seal("new")
    assert Vault(["mine"]).open(fresh) == "new"


def test_a_private_file_takes_the_place_of_an_open_one(tmp_path: Path) -> None:
    """A file that others could read does not stay readable."""
    place = tmp_path / "token"
    place.write_text("old")
    place.chmod(0o644)
    write_private(place, "new")
    assert place.read_text() == "new\n"
    assert place.stat().st_mode & 0o777 == 0o600
