"""How much a client may ask that costs it less than it costs this side."""

from collections.abc import Callable


class FloodLimit:
    """An allowance that is used up by what a client sends, and grows again with time."""

    def __init__(self, clock: Callable[[], float], *, most: int, per_s: float) -> None:
        """A full allowance.

        Args:
            clock: returns seconds.
            most: what it has at most.
            per_s: what it gains in a second.
        """
        self._clock = clock
        self._most = most
        self._per_s = per_s
        self._left = float(most)
        self._at = clock()

    def take(self, count: float = 1) -> bool:
        """Use some of it up; whether there was enough."""
        self._left -= count
        if self._left >= 0:
            return True
        # Only now: most clients never get as far as asking for the time.
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        return self._left >= 0

    def give(self, count: float) -> None:
        """Let it gain something besides, for what was of use."""
        self._left = min(self._most, self._left + count)


class PingLimit:
    """Bounds the pings of a client, as gRPC's servers do.

    A client may ping whenever it was sent something since; otherwise seldom, and it may do so more
    often a few times.
    """

    def __init__(self, clock: Callable[[], float], *, least_s: float, most_strikes: int) -> None:
        """A limit for a client that has not pinged yet.

        Args:
            clock: returns seconds.
            least_s: seconds between two pings.
            most_strikes: pings that may come too early.
        """
        self._clock = clock
        self._least_s = least_s
        self._most_strikes = most_strikes
        self._strikes = 0
        self._last: float | None = None

    def take(self) -> bool:
        """Note a ping; whether it was allowed."""
        now = self._clock()
        if self._last is not None and now - self._last < self._least_s:
            self._strikes += 1
        self._last = now
        return self._strikes <= self._most_strikes

    def forgive(self) -> None:
        """Note that the client was sent something."""
        self._last = None
        self._strikes = 0
