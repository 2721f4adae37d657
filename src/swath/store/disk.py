"""What a disk does to whoever writes: it may be full, or ill, and be well again later."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from swath.errors import Unavailable

#: What the disk, and not the program, is at fault for.
AILMENTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@contextmanager
def naming_ailments() -> Iterator[None]:
    """Raise Unavailable for what will work again when the disk does."""
    try:
        yield
    except OSError as error:
        if error.errno in AILMENTS:
            raise Unavailable("disk", f"It cannot be written: {error.strerror}.") from error
        raise
