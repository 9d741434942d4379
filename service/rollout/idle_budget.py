"""Bounds what a worker does beside its requests to a share of the time that they leave over."""

import threading
import time

# Between looks at the clock. What is missing shrinks by the idle part of each pause alone, so the
# pauses would become ever shorter beside a busy loop.
_LEAST_PAUSE_S = 0.01


def idle_s(cores: int) -> float:
    """Return a clock, in seconds, that stands still while this process computes on all its cores.

    It goes by processor time, because a worker that is asked without pause still has moments at
    which no request is under way: the next one is being read then, or the last answer sent. Of all
    cores together, or it would run backwards while two of them compute.

    Args:
        cores: how many this process may use.
    """
    return time.monotonic() - time.process_time() / cores


class IdleBudget:
    """What background work takes of one worker's idle time, all together. Used from any thread.

    A server whose load is ``r`` answers in a time in proportion to 1 / (1 - r) (M/M/1; Kleinrock
    1975). Work that takes the share ``s`` of what is idle, 1 - r, makes that 1 / ((1 - r)(1 - s)):
    whatever the load, answers take at most 1 / (1 - s) times as long on average. A share of all
    time has no such bound. One answer may wait for as long as a piece of that work takes.
    """

    def __init__(self, cores: int) -> None:
        """A budget of which nothing was spent.

        Args:
            cores: how many this worker may use.
        """
        self._cores = cores
        self._lock = threading.Lock()
        # On the clock of ``idle_s``.
        self._rests_until = 0.0
        # No idle time passes faster than time, so nothing is to be seen before.
        self._look_at = 0.0

    def spend(self, seconds: float, share: float) -> None:
        """Note work that was done; everybody rests in proportion.

        Args:
            seconds: how long it took.
            share: what it may take of the idle time, above 0, to 1.
        """
        with self._lock:
            rest = seconds * (1 / share - 1)
            self._rests_until = max(self._rests_until, idle_s(self._cores)) + rest
            self._look_at = time.monotonic() + rest

    def rest_s(self) -> float:
        """Return for how many seconds at least nothing may be done; 0 when something may."""
        now = time.monotonic()
        if now >= self._look_at:
            with self._lock:
                missing = self._rests_until - idle_s(self._cores)
                if missing > 0:
                    self._look_at = now + max(missing, _LEAST_PAUSE_S)
        return max(0.0, self._look_at - now)
