"""Cut a page's rows where a limit leaves room for some of them only; what remains stays as it was written."""

from collections.abc import Sequence

import msgspec

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


def clip(body: bytes, keys: Sequence[str], keep: int) -> bytes | None:
    """Return a JSON body with the first `keep` elements only of the array at `keys`; None without one."""
    try:
        return _clip(body, keys, keep)
    except (msgspec.DecodeError, KeyError):
        return None


def _clip(body: bytes, keys: Sequence[str], keep: int) -> bytes:
    if not keys:
        return msgspec.json.encode(_array.decode(body)[:keep])
    outer = _object.decode(body)
    inner = _clip(bytes(outer[keys[0]]), keys[1:], keep)
    return msgspec.json.encode({**outer, keys[0]: msgspec.Raw(inner)})
