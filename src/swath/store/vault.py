"""Secrets at rest: sealed with the newest key, opened with whichever key sealed them."""

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from swath.errors import Damaged, SetupError
from swath.flow.definition import Json
from swath.flow.masking import MASK
from swath.settings import Settings

#: The only key of the object that stands where a sealed value was.
SEAL = "$sealed"
#: The file of the data folder in which a key is kept that nobody gave.
KEPT_KEY = "secret.key"
#: A memory of 16 MB and some 50 ms for each guess at a weak key.
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class Vault:
    """Seals texts and JSON values. `keys` are newest first, any strings."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._box = MultiFernet([Fernet(_derive(key)) for key in keys])

    def seal(self, text: str) -> str:
        return self._box.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the text. Raises Damaged where no key of ours fits."""
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Damaged(
                "A secret cannot be opened: SWATH_SECRET_KEY lacks the key that sealed it."
            ) from None

    def fits(self, sealed: str) -> bool:
        """Tell whether a key of ours opens a text, without giving it."""
        try:
            self._box.decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def rotate(self, sealed: str) -> str:
        """Return the same text sealed with the newest key."""
        try:
            return self._box.rotate(sealed.encode()).decode()
        except InvalidToken:
            raise Damaged(
                "A secret cannot be opened: SWATH_SECRET_KEY lacks the key that sealed it."
            ) from None

    def seal_value(self, value: Json) -> dict[str, str]:
        """Return the object that stands for a secret JSON value; one that is sealed stays as it is."""
        if is_sealed(value):
            return dict(value)
        return {SEAL: self.seal(msgspec.json.encode(value).decode())}

    def __repr__(self) -> str:
        return "Vault()"


def open_vault(settings: Settings) -> Vault:
    """Open the vault with the keys of the settings, then the key kept in the data folder.

    Without any key one is made and kept. The kept key stays readable after an operator sets keys of his own.
    Where several machines share a database the key is to be given: raises SetupError where it is not.
    """
    if vault := read_vault(settings):
        return vault
    if settings.database_url:
        raise SetupError(
            "SWATH_SECRET_KEY is not set. With SWATH_DATABASE_URL every process needs the same key, for what "
            "one seals another opens: make one with `openssl rand -base64 32` and set it wherever Swath runs."
        )
    made = token_urlsafe(32)
    write_private(settings.data_dir / KEPT_KEY, made)
    return Vault([made])


def read_vault(settings: Settings) -> Vault | None:
    """Open the vault with the keys that there are, and make none."""
    keys = [key.strip() for key in settings.secret_key.split(",") if key.strip()]
    place = settings.data_dir / KEPT_KEY
    if place.exists() and (keys or not settings.database_url):
        keys.append(place.read_text().strip())
    return Vault(keys) if keys else None


def write_private(place: Path, text: str) -> None:
    """Write a file that only its owner can read, never open to others in between."""
    fresh = place.with_name(f"{place.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(place)


def is_sealed(value: Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(SEAL), str)


def unseal(value: Json, vault: Vault) -> Json:
    """Return a JSON value with all sealed values in it in the clear."""
    return _replace(value, lambda sealed: msgspec.json.decode(vault.open(sealed)))


def find_sealed(value: Json) -> list[str]:
    """Return the sealed texts in a JSON value."""
    found: list[str] = []
    _replace(value, found.append)
    return found


def mask_sealed(value: Json) -> Json:
    """Return a JSON value with a mask for each sealed value in it: what a person is shown."""
    return _replace(value, lambda sealed: MASK)


def rotate_sealed(value: Json, vault: Vault) -> Json:
    """Return a JSON value with all sealed values in it sealed with the newest key."""
    return _replace(value, lambda sealed: {SEAL: vault.rotate(sealed)})


def _replace(value: Json, change: Callable[[str], Json]) -> Json:
    if is_sealed(value):
        return change(value[SEAL])
    if isinstance(value, dict):
        return {name: _replace(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replace(part, change) for part in value]
    return value


def _derive(key: str) -> bytes:
    settings: dict[str, Any] = _SCRYPT
    return base64.urlsafe_b64encode(hashlib.scrypt(key.encode(), salt=b"swath vault", **settings))
