"""Paths as TensorFlow takes them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATTERN = frozenset("*?[]\\")


@contextmanager
def literal(directory: Path) -> Iterator[str]:
    """Yield a path to ``directory`` that TensorFlow does not take for a pattern of file names."""
    if _PATTERN.isdisjoint(str(directory)):
        yield str(directory)
        return
    with tempfile.TemporaryDirectory(prefix="understudy-path-") as folder:
        link = Path(folder, "version")
        link.symlink_to(directory.absolute(), target_is_directory=True)
        yield str(link)
