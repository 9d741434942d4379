"""What the workers of one service have seen in the folder of models, remembered together.

So a worker that replaces another knows what is known already: since when a version's files have
not changed, and which entries were logged. It ends with the service.
"""

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from service.monitoring.logs import log
from service.repository.atomic_files import write_atomically
from service.repository.model_source import ModelSource
from service.repository.unserved_entries import UnservedEntry
from service.runtime.directory_snapshot import DirectorySnapshot, take_snapshot

_FILE = "sightings.json"
# Entries that are logged one by one; a folder of models may be anything, even a home folder.
_MOST_LOGGED = 20


class FolderObservations:
    """Since when versions have been unchanged, and what was logged; one object a worker.

    Times are those of the monotonic clock, which all processes of a machine share; a version's
    own times may come from another machine, or from a clock that was set since.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        """The observations in a folder; nothing is read or written yet.

        Args:
            folder: returns the folder that the workers share.
        """
        self._folder = folder
        self._known: dict[str, tuple[str, float]] = {}
        # The unserved entries that this worker sees, and since when.
        self._unserved: dict[UnservedEntry, float] = {}
        self._logged: set[UnservedEntry] = set()

    def unchanged_for(self, model: str, version: int, snapshot: DirectorySnapshot) -> float:
        """Return the seconds in which no worker has seen a version change."""
        key, digest = f"{model}/{version}", snapshot.digest
        known = self._known.get(key)
        if known is None or known[0] != digest:
            known = self._known[key] = (digest, self._first_seen(key, digest))
        return time.monotonic() - known[1]

    def log_unserved(self, ignored: Iterable[UnservedEntry], *, after_s: float) -> None:
        """Log what is ignored: each once a service, when it has been so for a while.

        Args:
            ignored: all that is ignored now.
            after_s: the seconds for which it must have been unserved; a copy under way is soon
                complete.
        """
        now = time.monotonic()
        self._unserved = {item: self._unserved.get(item, now) for item in ignored}
        self._logged &= self._unserved.keys()
        due = [
            item
            for item, since in self._unserved.items()
            if item not in self._logged and now - since >= after_s
        ]
        if not due:
            return
        self._logged.update(due)
        new = due
        # Twice in the log is better than never.
        with contextlib.suppress(OSError), self._changed() as record:
            logged = record.setdefault("told", [])
            new = [item for item in due if [item.path, item.reason] not in logged]
            # What was logged and is gone may come again, and is logged again then.
            now_unserved = [[item.path, item.reason] for item in self._unserved]
            record["told"] = [each for each in logged if each in now_unserved]
            record["told"] += [[item.path, item.reason] for item in new]
        for item in new[:_MOST_LOGGED]:
            message = "An entry of the folder of models is not served."
            log(logging.WARNING, message, path=item.path, reason=item.reason)
        if len(new) > _MOST_LOGGED:
            message = "More entries are not served; GET /v1/models names them."
            log(logging.WARNING, message, entries=len(new) - _MOST_LOGGED)

    def _first_seen(self, key: str, digest: str) -> float:
        now = time.monotonic()
        # Where nothing can be written, this worker remembers alone.
        with contextlib.suppress(OSError), self._changed() as record:
            seen = record.setdefault("seen", {})
            # A time ahead is one before the machine was started anew.
            if key in seen and seen[key][0] == digest and seen[key][1] <= now:
                return float(seen[key][1])
            seen[key] = [digest, now]
        return now

    @contextlib.contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """Change the record as one step that no other worker can come between."""
        path = self._folder() / _FILE
        lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                record = json.loads(path.read_bytes())
            except (FileNotFoundError, ValueError):
                record = {}
            yield record
            data = json.dumps(record).encode()
            write_atomically(path, data, durable=False, exclusive=True)
        finally:
            os.close(lock)


def observe_before_the_workers(store: ModelSource, folder: Path) -> None:
    """Observe all versions without a manifest, before there are workers.

    Such a version is loaded when it has been seen unchanged for some seconds; while the workers
    are still starting these go by.

    Args:
        store: where the models are.
        folder: the folder that the workers will share.
    """
    observations = FolderObservations(lambda: folder)
    for model in store.models():
        with contextlib.suppress(OSError):
            for version, path in store.versions(model).items():
                snapshot = take_snapshot(path)
                if snapshot.needs_quiet:
                    observations.unchanged_for(model, version, snapshot)
