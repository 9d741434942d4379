"""How often somebody may do something: a token bucket."""

import math
import threading
from time import monotonic


class TokenBucket:
    """Lets so many through in a second, and at first, or after a rest, some more at once."""

    __slots__ = ("_burst", "_lock", "_per_s", "_since", "_tokens")

    def __init__(self, per_s: float, burst: float) -> None:
        """A bucket that is full.

        Args:
            per_s: how many it lets through in a second, in the long run; above 0.
            burst: how many at once; at least 1, or nobody would ever get through.
        """
        self._per_s = per_s
        self._burst = self._tokens = max(1.0, burst)
        self._since = monotonic()
        self._lock = threading.Lock()

    def take(self) -> float:
        """Let one through: return 0; or return after how many seconds there is room for one."""
        with self._lock:
            now = monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._since) * self._per_s)
            self._since = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._per_s


def whole_seconds(seconds: float) -> int:
    """Return ``seconds`` as ``Retry-After`` has them: whole, and at least 1."""
    return max(1, math.ceil(seconds))
