"""Open files that others placed, without waiting for what may never come."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from service.repository.errors import RepositoryError


def open_file(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes.

    Raises:
        OSError: it cannot be opened, or it is a folder.
        RepositoryError: it is a pipe, a socket or a device.
    """
    # Opening a pipe to which nobody writes would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise RepositoryError(f"{path.name} is no file but a pipe or a device.")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: Path) -> bytes:
    """Return all bytes of a regular file. It raises what ``open_file`` raises."""
    with open_file(path) as file:
        return file.read()
