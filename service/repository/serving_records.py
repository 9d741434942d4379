"""What really serves from a store, which is not what its policies wish.

A policy says which versions should serve. Which do, and which were refused, only the services
know; so each worker of each service writes it into ``<store>/.serving/<worker>.json``:

    {"format": 1, "host": "web-1", "process": 4711, "written_at": "2026-11-28T01:02:03+00:00",
     "models": {"cats": {"versions": {"2": "<digest>"}, "labels": {"stable": 2},
                         "refused": {"3": {"digest": "<digest>", "reason": "...", "at": "..."}}}}}

The file's time is the worker's heartbeat: who has not shown it for ``EXPIRY_S`` is gone, and who
stops says so with ``ended_at``. So a worker that was killed is believed for that long, and no
longer. What a service that is gone has refused still counts, while the version's files are as
they were then.
"""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.folder_walk import FolderTooLargeError, walk
from service.repository.json_files import read_object, write_object
from service.repository.manifest import MANIFEST
from service.repository.safe_open import read_file

FOLDER = ".serving"
# Between two heartbeats of a worker, and from its last one until it is believed to be gone.
HEARTBEAT_S = 10.0
EXPIRY_S = 60.0
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a version was refused, when (ISO 8601), and how its files looked then."""

    digest: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What one worker knows of one model.

    Attributes:
        versions: the versions that answer requests, with the digests of their files.
        labels: names for some of them.
        refused: the versions that cannot serve.
    """

    versions: Mapping[int, str] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[int, Refused] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one worker of one service has written.

    Attributes:
        path: its file.
        models: what it knows, by model.
        alive: whether that worker is still there.
    """

    path: Path
    models: Mapping[str, ModelRecord]
    alive: bool


def version_digest(folder: Path) -> str:
    """Return a digest of a version's files: names, sizes, times of change, and the manifest.

    It is hexadecimal SHA-256, and changes when one of these does.
    """
    digest = hashlib.sha256()
    # What is too deep or too full is refused for that, and is the same as far as one looks.
    with contextlib.suppress(FolderTooLargeError):
        for parent, _, names in walk(folder):
            for name in names:
                digest.update(_file_state(parent / name, folder))
    return digest.hexdigest()


def _file_state(path: Path, folder: Path) -> bytes:
    relative = os.fsencode(path.relative_to(folder).as_posix())
    try:
        status = path.lstat()
        state = b"%b\0%d\0%d\0" % (relative, status.st_size, status.st_mtime_ns)
        return state + (read_file(path) if relative == MANIFEST.encode() else b"")
    except (OSError, RepositoryError):
        return relative + b"\0unreadable\0"


def read_records(root: Path) -> list[Record]:
    """Return what workers have written, those that are gone included; other files are left out.

    A file can be half there, on a file system that does not rename as one step.
    """
    now = _now(root / FOLDER)
    return [record for path in _files(root) if (record := _read(path, now)) is not None]


def ever_served(root: Path, model: str) -> set[int]:
    """Return the versions that any worker serves or served, by the records that are there."""
    return {
        version
        for record in read_records(root)
        if model in record.models
        for version in record.models[model].versions
    }


def write_record(path: Path, models: Mapping[str, ModelRecord], about: Mapping[str, Any]) -> None:
    """Write what a worker knows, so that readers see it whole or not at all.

    Args:
        path: ``<store>/.serving/<worker>.json``; the folder is made.
        models: what it knows, by model.
        about: the worker: JSON; with ``ended_at`` it will not be believed any more.

    Raises:
        OSError: the store cannot be written.
    """
    path.parent.mkdir(exist_ok=True)
    write_object(
        path,
        {
            "format": _FORMAT,
            **about,
            "models": {name: _to_json(model) for name, model in sorted(models.items())},
        },
    )


def _files(root: Path) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(root / FOLDER))
    except OSError:
        return
    for name in names:
        if name.endswith(".json") and not name.startswith("."):
            yield root / FOLDER / name


def _now(folder: Path) -> float:
    """Return the time by the clock of the file system, which the heartbeats go by."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock-") as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def _read(path: Path, now: float) -> Record | None:
    try:
        beat = path.stat().st_mtime
        value = read_object(path)
        if value.get("format") != _FORMAT:
            return None
        models = {name: _from_json(model) for name, model in value["models"].items()}
    except (OSError, RepositoryError, AttributeError, KeyError, TypeError, ValueError):
        return None
    # A beat from the time to come is of a clock that was ahead: who lives soon beats again.
    alive = "ended_at" not in value and abs(now - beat) < EXPIRY_S
    return Record(path=path, models=models, alive=alive)


def _to_json(model: ModelRecord) -> dict[str, Any]:
    return {
        "versions": {str(version): digest for version, digest in sorted(model.versions.items())},
        "labels": dict(sorted(model.labels.items())),
        "refused": {
            str(version): {"digest": it.digest, "reason": it.reason, "at": it.at}
            for version, it in sorted(model.refused.items())
        },
    }


def _from_json(value: Mapping[str, Any]) -> ModelRecord:
    return ModelRecord(
        versions={int(version): str(digest) for version, digest in value["versions"].items()},
        labels={str(label): int(version) for label, version in value["labels"].items()},
        refused={
            int(version): Refused(str(it["digest"]), str(it["reason"]), str(it["at"]))
            for version, it in value["refused"].items()
        },
    )
