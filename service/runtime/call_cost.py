"""Measures how long a signature's calls take, which decides where they run."""

from time import monotonic

# A call that takes longer runs on a thread: the loop must not stand still for long, and next to
# so long a call the hand-over (some 50 us, docs/performance.md) costs little.
_QUICK_S = 0.001
# The weight of the newest call in the mean. One hiccup of the machine should decide nothing, and
# what a first call costs while buffers are laid out should be forgotten soon.
_SLOWER_WEIGHT, _FASTER_WEIGHT = 0.1, 0.5
# A call that was to be quick and takes so long is a surprise: what it takes may depend on its data.
# From then on so many calls must be quick before one runs on the loop again, and with each surprise
# twice as many; after sixteen times as many without one, half. Pauses of a machine come once in
# thousands of calls and cost a few hand-overs; where one call in 250 is slow, soon none is on the
# loop.
_SURPRISE_S = 0.010
_CALM_CALLS = 16
_FORGIVEN_AFTER = 16
_MOST_SURPRISES = 12


class CallCost:
    """The mean duration of a signature's calls, by number of rows (in powers of two).

    All but ``running_s`` belongs to the loop's thread.
    """

    def __init__(self, *, may_loop: bool = False) -> None:
        """Costs that nobody has measured yet.

        Args:
            may_loop: whether the graph has loops, so that a call may take any time, whatever
                earlier ones took.
        """
        self._may_loop = may_loop
        self._seconds: dict[int, float] = {}
        self._since: float | None = None
        self._surprises = 0
        self._calls_since = 0

    @property
    def running_s(self) -> float:
        """For how long the call that runs on a thread has been running, in seconds, or 0."""
        since = self._since
        return 0.0 if since is None else monotonic() - since

    def begin(self) -> None:
        """Note that a call begins to run on a thread."""
        self._since = monotonic()

    def end(self) -> None:
        """Note that it has ended."""
        self._since = None

    def note(self, rows: int, seconds: float) -> None:
        """Note a call that has ended."""
        size = rows.bit_length()
        mean = self._seconds.get(size, seconds)
        if seconds >= _SURPRISE_S and mean < _QUICK_S:
            self._surprises = min(self._surprises + 1, _MOST_SURPRISES)
            self._calls_since = 0
        elif self._surprises:
            self._calls_since += 1
            if self._calls_since >= _FORGIVEN_AFTER * self._calm_calls:
                self._surprises -= 1
                self._calls_since = self._calm_calls
        weight = _FASTER_WEIGHT if seconds < mean else _SLOWER_WEIGHT
        self._seconds[size] = mean + weight * (seconds - mean)

    def is_quick(self, rows: int) -> bool:
        """Whether a call of ``rows`` rows is known to take less than about a millisecond."""
        if self._may_loop or self._calls_since < self._calm_calls:
            return False
        return self._seconds.get(rows.bit_length(), 1.0) < _QUICK_S

    @property
    def _calm_calls(self) -> int:
        return _CALM_CALLS << (self._surprises - 1) if self._surprises else 0
