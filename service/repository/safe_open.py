"""Open files that others placed, without waiting for what may never come."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from service.repository.errors import RepositoryError

# More than a file of ours needs; Python takes a second at most to parse as much JSON, in which
# it does nothing else.
MOST_BYTES = 16 * 2**20


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
            raise RepositoryError(f"{path.name} is not a file but a pipe or a device.")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return all bytes of a regular file.

    Args:
        path: the file.
        most_bytes: the most bytes that it may have.

    Raises:
        OSError: as ``open_file``.
        RepositoryError: as ``open_file``; or it is larger, which is known before it is read.
    """
    with open_file(path) as file:
        data = b""
        if os.fstat(file.fileno()).st_size <= most_bytes:
            # It may grow meanwhile.
            data = file.read(most_bytes + 1)
            if len(data) <= most_bytes:
                return data
    raise RepositoryError(f"{path.name} is larger than {most_bytes} bytes.")
