"""Measures how long a signature's calls take, which decides where they run."""

from time import monotonic

# A call that takes longer runs on a thread: the loop must not stand still for long, and next to
# so long a call the hand-over (some 50 us, docs/performance.md) costs little.
_QUICK_S = 0.001
# The weight of the newest call in the mean. One hiccup of the machine should decide nothing, and
# what a first call costs while buffers are laid out should be forgotten soon.
_SLOWER_WEIGHT, _FASTER_WEIGHT = 0.1, 0.5


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
        weight = _FASTER_WEIGHT if seconds < mean else _SLOWER_WEIGHT
        self._seconds[size] = mean + weight * (seconds - mean)

    def is_quick(self, rows: int) -> bool:
        """Whether a call of ``rows`` rows is known to take less than about a millisecond."""
        return not self._may_loop and self._seconds.get(rows.bit_length(), 1.0) < _QUICK_S
