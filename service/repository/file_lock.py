"""A lock beside files that several processes change, on one machine or over a shared store."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from service.repository.errors import RepositoryError

# The holder of the lock reads and writes a small file, which takes milliseconds unless its process
# is stopped meanwhile.
_PATIENCE_S = 10.0
_PAUSE_S = 0.005


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock in ``path`` while the block runs; the kernel frees it when its holder dies.

    It excludes other processes, and other threads of this one. The file is not removed, because
    processes that wait for a removed file exclude nobody.

    Args:
        path: the file; its folder must be there.
        what: what is about to be changed, for the message.

    Raises:
        RepositoryError: another process holds it for too long.
        OSError: the file cannot be made or opened, as in a store that is read-only here.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise RepositoryError(
                        f"{what} is being changed by another process, which has held "
                        f"{path.name} for more than {_PATIENCE_S:g} s. Nothing was changed."
                    ) from None
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(handle)
