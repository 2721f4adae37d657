"""Keeps a process's memory small: what is freed goes back to the system, where the C library is GNU's.

By itself it gives each thread a heap of its own, and keeps freed blocks of up to 32 MB: a server that seals
segments and reads bodies in many threads would then hold some 60 MB more, for ever.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_small() -> None:
    """Settle how memory is taken and returned; nothing, where the C library is another."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, 128 * 1024)
        mallopt(_TRIM_THRESHOLD, 1024 * 1024)
