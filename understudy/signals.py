"""A request to stop, such as `docker stop` sends, ends a command as Ctrl-C does."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def stops_as_by_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM for as long as the block runs.

    By default SIGTERM ends the process at once: nothing is printed, drafts are not removed, and
    the outcome of a retraining is not recorded.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
