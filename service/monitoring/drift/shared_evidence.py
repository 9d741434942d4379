"""What the workers of one service know of drift together: the evidence so far, by version.

It is a file in the folder that the workers share, which one worker at a time changes; without such
a folder it is kept in memory. It ends with the service, and the evidence begins anew.
"""

import contextlib
import fcntl
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from service.repository.atomic_files import write_atomically

_FILE = "drift.json"


@dataclass(slots=True)
class FieldEvidence:
    """What is known of one field.

    Attributes:
        totals: the rows by bin when the last block ended.
        history: the rows by bin of the last blocks, discounted.
        log_restart: the logarithm of the evidence plus 1.
        evidence: the evidence.
    """

    totals: list[float]
    history: list[float]
    log_restart: float = 0.0
    evidence: float = 0.0


@dataclass(slots=True)
class VersionEvidence:
    """What is known of one version.

    Attributes:
        reference: identifies the reference, so that evidence against another one is discarded.
        began: when the block under way began, in seconds of the machine's monotonic clock.
        blocks: how many blocks have ended.
        rows: how many rows these had.
        evidence: the mean over the fields.
        fields: what is known of each, by name.
    """

    reference: str
    began: float
    blocks: int = 0
    rows: int = 0
    evidence: float = 0.0
    fields: dict[str, FieldEvidence] = field(default_factory=dict)


Record = dict[str, VersionEvidence]


class SharedEvidence:
    """The record of a service's workers."""

    def __init__(self, folder: Path | None) -> None:
        """A record of which nothing is read yet.

        Args:
            folder: the folder that the workers share; ``None`` where there is only one process.
        """
        self._path = None if folder is None else folder / _FILE
        self._record: Record = {}

    def read(self) -> Record:
        """Return what is known, by ``"<model>/<version>"``."""
        if self._path is None:
            return self._record
        try:
            return _parsed(json.loads(self._path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return {}

    def age_s(self) -> float:
        """Return how many seconds ago a worker last looked; infinity where none has."""
        if self._path is None:
            return math.inf
        try:
            return time.time() - self._path.stat().st_mtime
        except OSError:
            return math.inf

    @contextlib.contextmanager
    def changing(self) -> Iterator[Record | None]:
        """Change the record; ``None`` while another worker does.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._path is None:
            yield self._record
            return
        lock = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            record = self.read()
            yield record
            value = {name: asdict(each) for name, each in record.items()}
            write_atomically(self._path, json.dumps(value).encode(), durable=False, exclusive=True)
        finally:
            os.close(lock)


def _parsed(value: Mapping[str, Any]) -> Record:
    record = {}
    for name, known in value.items():
        fields = {key: FieldEvidence(**each) for key, each in known.pop("fields").items()}
        record[name] = VersionEvidence(**known, fields=fields)
    return record
