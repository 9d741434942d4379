"""Predictions that do not return: they are reported, and in the end their worker is replaced.

No call into TensorFlow can be broken off from outside, but for those of a session that is closed.
So a stuck call goes on, on a thread of its own, and takes a core, until its version is retired (its
clients have been answered, so nothing holds it) or its worker is replaced.
"""

import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics

_LOOK_S = 0.25


class Watched(Protocol):
    """A version whose predictions may get stuck.

    Attributes:
        model: the model's name.
        version: the version's number.
    """

    model: str
    version: int

    @property
    def stuck(self) -> dict[str, float]:
        """For how long calls have been stuck, in seconds, by signature."""


def stop_worker() -> None:
    """Ask the process that hosts the service to end in order, so that another takes its place."""
    os.kill(os.getpid(), signal.SIGTERM)


class StuckWatch:
    """Looks after the versions of one worker."""

    def __init__(
        self,
        metrics: Metrics,
        folder: Path | None,
        *,
        replace_after_s: float,
        pause_s: float,
        replace: Callable[[], None] = stop_worker,
    ) -> None:
        """A watch over no versions; nothing runs before the first one is added.

        Args:
            metrics: where stuck predictions are counted.
            folder: one that all workers of the service share; ``None`` for a worker on its own.
            replace_after_s: for how long a call may be stuck before its worker is replaced;
                0 for ever.
            pause_s: seconds that must lie between the ends of two workers.
            replace: replaces this worker.
        """
        self._metrics = metrics
        self._folder = folder
        self._replace_after_s = replace_after_s
        self._pause_s = pause_s
        self._replace = replace
        self._versions: WeakSet[Watched] = WeakSet()
        self._reported: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._runs = False
        self._is_replaced = False

    def add(self, version: Watched) -> None:
        """Look after a version from now on, for as long as anyone holds it."""
        with self._lock:
            self._versions.add(version)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._watch, name="stuck", daemon=True).start()

    def check(self) -> None:
        """Look at all versions once."""
        with self._lock:
            versions = list(self._versions)
        counts = dict.fromkeys(self._reported, 0)
        longest = 0.0
        for version in versions:
            stuck = version.stuck
            if stuck:
                counts[version.model, str(version.version)] = len(stuck)
                longest = max(longest, *stuck.values())
        self._report(counts)
        if (
            self._replace_after_s
            and longest >= self._replace_after_s
            and not self._is_replaced
            and self._may_replace()
        ):
            self._is_replaced = True
            log(
                logging.ERROR,
                "The worker is replaced, because a prediction does not return.",
                stuck_seconds=round(longest, 1),
            )
            self._replace()

    def _report(self, counts: dict[tuple[str, str], int]) -> None:
        for names, count in counts.items():
            if count == self._reported.get(names, 0):
                continue
            self._reported[names] = count
            self._metrics.stuck_predictions.labels(*names).set(count)
            model, version = names
            log(
                logging.ERROR if count else logging.WARNING,
                "Predictions do not return." if count else "All predictions have returned.",
                model=model,
                version=version,
                stuck=count,
            )

    def _may_replace(self) -> bool:
        """Whether no other worker has been replaced a moment ago; says that this one is now."""
        if self._folder is None:
            return True
        with contextlib.suppress(OSError):
            handle = os.open(self._folder / "replaced", os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                last = os.read(handle, 32)
                now = time.monotonic()
                if last and 0 <= now - float(last) < self._pause_s:
                    return False
                os.pwrite(handle, f"{now:032.6f}".encode(), 0)
                return True
            finally:
                os.close(handle)
        return False

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            try:
                self.check()
            except Exception as error:
                log(logging.ERROR, "Checking for stuck predictions failed.", error=error)
            with self._lock:
                if not self._versions:
                    self._runs = False
                    return
