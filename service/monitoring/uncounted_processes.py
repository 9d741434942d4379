"""How a process shows that it has metrics for which there is no room.

A gauge would need room itself. So such a process holds the lock of an empty file in the folder of
metrics, which takes no block, and those who answer a scrape count the files that are held.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from service.monitoring.metrics_folder import NEW, Part, is_ownerless
from service.monitoring.prometheus_internals import key_of

MISSING_GAUGE = "understudy_metrics_missing"
MISSING_HELP = "Processes that keep metrics in memory, because there is no room for their files."

_PREFIX = "missing_"
_KEY = key_of(MISSING_GAUGE, MISSING_GAUGE, [], [], MISSING_HELP)


class MissingMark:
    """The mark of this process in one folder."""

    def __init__(self, folder: Path) -> None:
        """A mark that is not shown."""
        self._folder = folder
        self._path: Path | None = None
        self._handle = -1

    def show(self, *, is_missing: bool) -> None:
        """Show whether metrics are missing; where not even an empty file can be made, nothing."""
        if is_missing and self._path is None:
            with contextlib.suppress(OSError):
                self._make()
        elif not is_missing and self._path is not None:
            self._path.unlink(missing_ok=True)
            self.forget()

    def forget(self) -> None:
        """Hold the mark no longer, as in a process that was forked; its owner's stays."""
        if self._path is not None:
            os.close(self._handle)
        self._path = None

    def _make(self) -> None:
        owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        new = self._folder / f"{NEW}{owner}"
        handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Locked before it has a name by which others would take it for that of a dead process.
            fcntl.flock(handle, fcntl.LOCK_EX)
            new.rename(path := self._folder / f"{_PREFIX}{owner}")
        except OSError:
            new.unlink(missing_ok=True)
            os.close(handle)
            raise
        self._path, self._handle = path, handle


def missing_parts(folder: Path) -> list[Part]:
    """Return how many processes show that metrics are missing as a gauge; nothing if none does.

    The marks of processes that have ended are removed.
    """
    count = 0
    for mark in folder.glob(f"{_PREFIX}*"):
        if is_ownerless(mark):
            mark.unlink(missing_ok=True)
        else:
            count += 1
    return [("gauge_livesum", [(_KEY, float(count), 0.0)])] if count else []
