"""Writes which versions really serve into a small file in the store, which trainers read."""

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from service.errors import NotFoundError
from service.monitoring.logs import log
from service.repository.model_source import ModelSource
from service.repository.serving_records import (
    FOLDER,
    HEARTBEAT_S,
    ModelRecord,
    Record,
    Refused,
    read_records,
    version_digest,
    write_record,
)
from service.runtime.version_state import State, VersionStatus

# Between looks at what serves: a trainer that comes right after a swap should find it.
_LOOK_S = 0.25
# A thread that reads a store which does not answer is left behind after this.
_STOP_S = 5.0


class Models(Protocol):
    """What is asked of a worker's lifecycle."""

    def models(self) -> list[str]: ...
    def serving_versions(self, name: str) -> list[int]: ...
    def labels(self, name: str) -> Mapping[str, int]: ...
    def status(self, name: str) -> list[VersionStatus]: ...


class ServingRecordWriter:
    """The record of one worker in its store (``service.repository.serving_records``).

    It has a thread of its own: a heartbeat must not wait for a model that takes long to load, nor
    a swap for a store that takes long to write. If the store is
    read-only or full, that is logged once, and trainers use the policies instead.
    """

    def __init__(self, store: ModelSource, models: Models) -> None:
        """The record of one worker; nothing is written before ``start``.

        Args:
            store: the folder of models.
            models: knows what serves in this worker.
        """
        self._store = store
        self._models = models
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._folder = self._path = Path()
        self._about: dict[str, str | int] = {}
        self._written: Mapping[str, ModelRecord] | None = None
        self._digests: dict[tuple[str, int], str] = {}
        self._next_beat = 0.0
        self._has_warned = False

    def start(self) -> None:
        """Begin to write, in a thread of this process; not where the store keeps no records."""
        folder = self._store.records
        if folder is None:
            return
        self._folder = folder
        host = socket.gethostname()
        worker = f"{re.sub(r'[^A-Za-z0-9-]', '_', host)}-{os.getpid()}-{uuid4().hex[:8]}"
        self._path = folder / FOLDER / f"{worker}.json"
        self._about = {"host": host, "process": os.getpid()}
        self._thread = threading.Thread(target=self._run, name="serving-record", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that this worker serves no more. What it has refused stays on record."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
            if self._thread.is_alive():
                return  # The store does not answer: its files cannot be written either.
        if self._written is not None:
            with suppress(OSError):
                self._write(self._written, ended=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._update()
            except OSError as error:
                self._warn(error)
            except Exception as error:
                # What serves must not end with this thread; the next look may succeed.
                log(logging.ERROR, "The record of what serves could not be written.", error=error)
                self._next_beat = time.monotonic() + HEARTBEAT_S
            self._stop.wait(_LOOK_S)

    def _update(self) -> None:
        if self._has_warned and time.monotonic() < self._next_beat:
            return
        known = self._known()
        if not known and self._written is None:
            return
        if known != self._written:
            self._write(known)
        elif time.monotonic() >= self._next_beat:
            try:
                os.utime(self._path)
            except FileNotFoundError:
                self._write(known)
            self._remove_superseded(known)
        else:
            return
        self._next_beat = time.monotonic() + HEARTBEAT_S
        self._has_warned = False

    def _known(self) -> dict[str, ModelRecord]:
        known = {}
        digests: dict[tuple[str, int], str] = {}
        for name in self._models.models():
            with suppress(NotFoundError):  # It has vanished in this moment.
                known[name] = self._model_record(name, digests)
        self._digests = digests
        return known

    def _model_record(self, name: str, digests: dict[tuple[str, int], str]) -> ModelRecord:
        versions = self._models.serving_versions(name)
        failed = [item for item in self._models.status(name) if item.state is State.FAILED]
        # The disk is looked at only where something is not known yet, since that costs most.
        is_known = not failed and all((name, version) in self._digests for version in versions)
        folders = {} if is_known else self._store.versions(name)
        serving = {}
        for version in versions:
            digest = self._digests.get((name, version))
            # As it was loaded: files that change afterwards are not what serves.
            if digest is None:
                digest = version_digest(folders[version]) if version in folders else ""
            serving[version] = digests[name, version] = digest
        refused = {
            item.version: self._refusal(name, item, version_digest(folders[item.version]))
            for item in failed
            if item.version in folders
        }
        return ModelRecord(serving, dict(self._models.labels(name)), refused)

    def _refusal(self, name: str, item: VersionStatus, digest: str) -> Refused:
        before = self._written.get(name, ModelRecord()) if self._written else ModelRecord()
        known = before.refused.get(item.version)
        if known and (known.digest, known.reason) == (digest, item.reason):
            return known
        return Refused(digest, item.reason, _now())

    def _write(self, known: Mapping[str, ModelRecord], *, ended: bool = False) -> None:
        about = {**self._about, "written_at": _now(), **({"ended_at": _now()} if ended else {})}
        write_record(self._path, known, about)
        self._written = known

    def _remove_superseded(self, known: Mapping[str, ModelRecord]) -> None:
        """Remove the records of workers that are gone, where this one's says all that they say."""
        for record in read_records(self._folder):
            if not record.alive and self._covers(known, record):
                with suppress(OSError):
                    record.path.unlink()

    def _covers(self, known: Mapping[str, ModelRecord], record: Record) -> bool:
        for name, model in record.models.items():
            folders = self._store.versions(name)
            own = known.get(name, ModelRecord())
            said = own.versions.keys() | own.refused.keys()
            if folders and not said:
                return False
            for version, refusal in model.refused.items():
                is_said = version in said or version not in folders
                if not is_said and version_digest(folders[version]) == refusal.digest:
                    return False
        return True

    def _warn(self, error: OSError) -> None:
        self._next_beat = time.monotonic() + HEARTBEAT_S
        if not self._has_warned:
            self._has_warned = True
            log(
                logging.WARNING,
                "The record of what serves cannot be written into the folder of models; trainers "
                "follow the policies instead.",
                folder=str(self._path.parent),
                reason=error.strerror or str(error),
            )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
