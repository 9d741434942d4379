"""Checks the file of keys while no request arrives, so that metrics and log show its state."""

import threading
from collections.abc import Callable

# Metrics need no shorter interval.
_LEAST_S = 1.0


class IdleKeyCheck:
    """A thread that checks the file of keys at a fixed interval.

    Without it a worker without requests would report an invalid file after it was corrected, and
    the alert would not end.
    """

    def __init__(self, check: Callable[[], object], interval_s: float) -> None:
        """A thread that has not been started.

        Args:
            check: checks the file.
            interval_s: seconds between checks; at least 1.
        """
        self._check = check
        self._interval_s = max(_LEAST_S, interval_s)
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread, in the process whose keys are checked."""
        threading.Thread(target=self._run, name="keys", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._check()
