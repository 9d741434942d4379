"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until ``condition`` returns something true; the bound lets a failing test end."""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if condition():
            return
        ended = time.monotonic()
        assert ended < deadline, "It did not come true."
        # A look that takes long would keep what it waits for from the processor.
        time.sleep(max(0.05, ended - began))
