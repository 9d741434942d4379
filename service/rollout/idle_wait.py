"""Waits for a moment at which a worker has nothing else to do."""

import time
from collections.abc import Callable

# Between looks: the first, which is doubled each time, and the longest. A look takes Python's lock
# from a busy event loop, so many of them would be noticed by clients.
_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.032


def wait_for_idle(
    is_idle: Callable[[], bool], has_stopped: Callable[[], bool], patience_s: float
) -> bool:
    """Wait until the worker is idle; whether it is.

    Args:
        is_idle: whether it has nothing to do.
        has_stopped: whether nobody waits any more.
        patience_s: how long to wait at most, in seconds.
    """
    until, pause_s = time.monotonic() + patience_s, _PAUSE_S
    while not is_idle():
        left_s = until - time.monotonic()
        if left_s <= 0 or has_stopped():
            return False
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return True
