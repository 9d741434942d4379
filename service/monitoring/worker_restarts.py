"""How often a worker ended and was replaced, counted by the master.

The master keeps no metrics of its own, because its files would be open in every worker. It adds to
what those have counted who ended (``metrics_folder``).
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from service.monitoring.metrics_folder import fold_ended_processes
from service.monitoring.prometheus_internals import key_of

_NAME = "understudy_worker_restarts"
_TEXT = "Workers that ended without being asked to by the master, and were replaced."
_KEY = key_of(_NAME, f"{_NAME}_total", (), (), _TEXT)


def restarts_from_zero(registry: CollectorRegistry) -> Counter:
    """Return the counter as workers have it: at 0, so that the first restart is an increase."""
    return Counter(_NAME, _TEXT, registry=registry)


class WorkerRestarts:
    """The restarts that the master has seen."""

    def __init__(self) -> None:
        """A count of no restarts."""
        self._left = 0

    def note(self) -> None:
        """Count a restart; ``fold`` makes it seen."""
        self._left += 1

    def fold(self, folder: Path) -> None:
        """Fold what workers that have ended counted, so that their files do not add up.

        Args:
            folder: where they counted. What cannot be written there now is written the next time.
        """
        if fold_ended_processes(folder, counted={_KEY: self._left} if self._left else {}):
            self._left = 0
