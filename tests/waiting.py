"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until ``condition`` returns something true; the bound lets a failing test end."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come true."
        time.sleep(0.05)
