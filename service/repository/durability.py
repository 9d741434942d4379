"""Writing to the disk what must be there after a power failure."""

import os
from pathlib import Path

from service.repository.folder_walk import walk


def sync_tree(directory: Path) -> None:
    """Write all files and folders in a folder to the disk, and the folder itself.

    Raises:
        OSError: one cannot be written.
    """
    for parent, _, names in walk(directory):
        for name in names:
            sync(parent / name)
        sync(parent)


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk.

    Raises:
        OSError: it cannot be written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
