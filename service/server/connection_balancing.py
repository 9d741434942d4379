"""Balances connections over the workers, by counts that all workers of a service see."""

import mmap
import time

# Two 64-bit integers a worker: when it was last seen, in milliseconds of the system-wide
# monotonic clock, 0 for never; and its connections.
_FIELDS = 2
_SEEN, _CONNECTIONS = range(_FIELDS)
_BYTES = 8
# A worker that was not seen for as long is stuck, or gone.
_LOST_MS = 3000
# How long a new connection is left to another worker.
_LEFT_TO_OTHERS_S = 0.2


class ConnectionCount:
    """How many connections one worker holds, as it shows the others."""

    def __init__(self, table: memoryview, number: int) -> None:
        """The count with that number in the ``table``."""
        self._table = table
        self._at = number * _FIELDS
        self.number = number

    @property
    def connections(self) -> int:
        """How many connections the worker holds."""
        return int(self._table[self._at + _CONNECTIONS])

    @connections.setter
    def connections(self, count: int) -> None:
        self._table[self._at + _CONNECTIONS] = count

    def show(self) -> None:
        """Say that the worker takes connections; to be said again every second."""
        self._table[self._at + _SEEN] = _now_ms()

    def leave(self) -> None:
        """Say that the worker takes no more connections."""
        self._table[self._at + _SEEN] = 0

    def fewest_of_others(self) -> int | None:
        """Return the connections of the worker that has fewest; ``None`` without others."""
        fields = self._table.tolist()
        oldest = _now_ms() - _LOST_MS
        return min(
            (
                fields[at + _CONNECTIONS]
                for at in range(0, len(fields), _FIELDS)
                if fields[at + _SEEN] > oldest and at != self._at
            ),
            default=None,
        )


class ConnectionBalancer:
    """Decides when a worker leaves a new connection to another that has fewer."""

    def __init__(self, count: ConnectionCount) -> None:
        """A balancer for the worker whose count this is."""
        self._count = count
        self._since: float | None = None

    @property
    def has_left_one(self) -> bool:
        """Whether there is a connection that was left to others, and may still be there."""
        return self._since is not None

    def forget(self) -> None:
        """Note that the connection is there no more."""
        self._since = None

    def leaves_it(self, *, stopping: bool) -> bool:
        """Whether to leave the connection that waits now, or still, to another worker.

        Args:
            stopping: whether this worker takes connections only if no other will.
        """
        fewest = self._count.fewest_of_others()
        if fewest is None:
            return False
        # With many connections a small difference is no harm, and saves waiting for each other: a
        # busy worker looks once in a turn of its loop.
        if not stopping and self._count.connections <= fewest + fewest // 8:
            return False
        now = time.monotonic()
        if self._since is None:
            self._since = now
        # The other may be busy or stuck; then any worker is better than none.
        return now - self._since < _LEFT_TO_OTHERS_S


class ConnectionCounts:
    """The counts of all workers, in shared memory that the master makes before it forks."""

    def __init__(self, number: int = 128) -> None:
        """A table of ``number`` free counts; further workers take connections without balancing."""
        self._table = _table(mmap.mmap(-1, number * _FIELDS * _BYTES))
        self._free = list(range(number))

    def take(self) -> ConnectionCount:
        """Return a free count, for a worker that is about to be forked; in the master alone."""
        if not self._free:
            return ConnectionCount(_table(bytearray(_FIELDS * _BYTES)), 0)
        return ConnectionCount(self._table, self._free.pop(0))

    def release(self, count: ConnectionCount) -> None:
        """Free the count of a worker that has ended."""
        count.leave()
        count.connections = 0
        if count._table is self._table:
            self._free.append(count.number)


def _table(memory: mmap.mmap | bytearray) -> memoryview:
    return memoryview(memory).cast("q")


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


# The module is imported in gunicorn's master, before it forks.
CONNECTION_COUNTS = ConnectionCounts()
