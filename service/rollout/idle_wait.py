"""Waits for a moment at which a worker has nothing else to do."""

import time
from collections.abc import Callable

_LOOK_S = 0.002


def wait_for_idle(
    is_idle: Callable[[], bool], has_stopped: Callable[[], bool], patience_s: float
) -> bool:
    """Wait until the worker is idle; whether it is.

    Args:
        is_idle: whether it has nothing to do.
        has_stopped: whether nobody waits any more.
        patience_s: how long to wait at most, in seconds.
    """
    until = time.monotonic() + patience_s
    while not is_idle():
        if time.monotonic() >= until or has_stopped():
            return False
        time.sleep(_LOOK_S)
    return True
