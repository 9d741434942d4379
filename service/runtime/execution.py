"""Where a call of a model runs: on the thread that asks, or on one of its own.

To hand a call over costs some 50 us, more than a small model takes. So what is known to end, and
is quick, runs where it is asked for. All else runs on a thread of its own, so that who asks can
stop waiting for it.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

# A call that takes longer is worth a hand-over.
_SLOW_S = 0.001
# How much a mean moves towards a call that took longer than it. One that took less counts in full:
# what keeps a call from being quick is mostly that others had the processor.
_WEIGHT = 0.05
# Threads that are kept for later.
_MOST_IDLE = 8


class Execution:
    """How calls of one signature should run."""

    def __init__(self, *, is_bounded: bool = True) -> None:
        """Know nothing yet of how long calls take.

        Args:
            is_bounded: whether each call is known to end.
        """
        self._is_bounded = is_bounded
        # Seconds of a call, by its rows' number of binary digits.
        self._seconds: dict[int, float] = {}

    def is_quick(self, rows: int) -> bool:
        """Whether a call with so many rows should run on the thread that asks for it."""
        if not self._is_bounded:
            return False
        size = rows.bit_length()
        known = self._seconds.get(size)
        if known is None:
            # Fewer rows do not take longer.
            known = max((s for larger, s in self._seconds.items() if larger < size), default=0.0)
        return known < _SLOW_S

    def note(self, rows: int, seconds: float) -> None:
        """Take note of how long a call has taken."""
        size = rows.bit_length()
        mean = self._seconds.get(size, seconds)
        if seconds > mean:
            seconds = mean + _WEIGHT * (seconds - mean)
        self._seconds[size] = seconds


class ThreadCache:
    """Threads that run one task after the other, and are started as they are needed.

    They are daemons: a task that never ends keeps no process from ending.
    """

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None]]] = []
        self._lock = threading.Lock()

    def run(self, task: Callable[[], None]) -> None:
        """Run ``task``, which raises nothing, on a thread of its own.

        Raises:
            RuntimeError: no more threads can be started.
        """
        with self._lock:
            tasks = self._idle.pop() if self._idle else None
        if tasks is None:
            tasks = SimpleQueue()
            threading.Thread(
                target=self._work, args=(tasks,), name="prediction", daemon=True
            ).start()
        tasks.put(task)

    def _work(self, tasks: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            tasks.get()()
            with self._lock:
                if len(self._idle) >= _MOST_IDLE:
                    return
                self._idle.append(tasks)


# For all models of a process; empty until after the fork.
THREADS = ThreadCache()
