"""Silence for TensorFlow while it is imported.

The service has a copy of its own (``service/monitoring/native_stderr.py``): training imports only
the service's files on disk.
"""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Drop what native code writes to standard error; Python's exceptions still come through.

    TensorFlow announces its optimisations while it is imported, before any of its settings for
    logs are in force; a command's standard error is for what went wrong.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
