"""Whether the certificates of an endpoint can be used."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from swath.flow.definition import Tls
from swath.flow.masking import MASK
from swath.store.vault import is_sealed


def check_tls(tls: Tls) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with them, field by field; nothing of a key is repeated."""
    if tls.ca is not None and not _read_all(tls.ca):
        yield "tls.ca", "Must be certificates in PEM: -----BEGIN CERTIFICATE-----"
    if tls.client is None or tls.client == MASK or is_sealed(tls.client):
        return
    if not isinstance(tls.client, str) or not (certificates := _read_all(tls.client)):
        yield "tls.client", "Must be a certificate and its private key in PEM, one behind the other."
        return
    try:
        key = load_pem_private_key(tls.client.encode(), None)
    except (ValueError, TypeError):
        yield (
            "tls.client",
            "Holds no private key in PEM, or one with a password; give it without.",
        )
        return
    if _write(key.public_key()) != _write(certificates[0].public_key()):
        yield "tls.client", "The private key is not that of the first certificate."


def _read_all(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return []


def _write(key: object) -> bytes:
    public: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return public
