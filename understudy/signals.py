"""A request to stop, such as `docker stop` sends, ends a command as Ctrl-C does."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def stops_as_by_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM for as long as the block runs.

    By default it ends the process where it stands: nothing is said, no draft is removed, and
    nobody is told how a retraining ended.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
