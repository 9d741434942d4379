"""Looks at the file of keys though no request comes, so that metrics and log say how it is."""

import threading
from collections.abc import Callable

# Nobody who looks at metrics needs it sooner.
_LEAST_S = 1.0


class IdleKeyCheck:
    """A thread that looks at the file of keys every now and then.

    Without it a worker that nobody asks goes on showing that a file cannot be used which was put
    right long ago, and the alert does not end.
    """

    def __init__(self, look: Callable[[], object], interval_s: float) -> None:
        """A thread that has not been started.

        Args:
            look: looks at the file.
            interval_s: seconds between looks.
        """
        self._look = look
        self._interval_s = max(_LEAST_S, interval_s)
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread, in the process that is to look."""
        threading.Thread(target=self._live, name="keys", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stop.set()

    def _live(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()
