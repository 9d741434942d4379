"""The folder that the processes of one running service share: metrics, and the workers' files.

Every run has a folder of its own, among the temporary files or inside the folders that the user
chose, and holds a lock on a file in it for as long as any of its processes lives. So neither an
earlier run's leftovers, nor a second service that was given the same folders, nor a process id
that is used again, or means another process in another container, can mix up or remove what a
living service needs.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from service.monitoring.worker_restarts import WorkerRestarts

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_WORKERS = "UNDERSTUDY_WORKERS_FOLDER"
# Says which process has prepared the folders, over the reloads of its configuration, and what
# the user had chosen, for a process that this one starts in its place.
OWNER = "UNDERSTUDY_RUN_FOLDER_OWNER"
_PREFIX = "understudy-"
_NEW = ".new-understudy-"
_LOCK = "owner"

# Of this process: the folders that it made, and its locks on them.
_made: dict[Path, int] = {}
# Of this process, where it is a master.
_restarts = WorkerRestarts()


class RunFolderError(Exception):
    """A folder cannot be used; the message says which, and why, in a sentence."""


def is_prepared(environ: Mapping[str, str]) -> bool:
    """Whether this process has its folders already."""
    return _owner(environ).get("pid") == os.getpid()


def prepare_folders(environ: MutableMapping[str, str]) -> None:
    """Give this service empty folders for metrics and agreement, unless it has them already.

    They are made inside the folders that ``environ`` names, else among the temporary files; what
    services that have ended left there is removed.

    Raises:
        RunFolderError: a folder cannot be made.
    """
    if is_prepared(environ):
        return
    chosen = _owner(environ).get("chosen")
    if chosen is None:
        chosen = {name: environ.get(name) or None for name in (_METRICS, _WORKERS)}
    temporary: Path | None = None
    for variable, name in ((_METRICS, "metrics"), (_WORKERS, "workers")):
        try:
            if chosen[variable]:
                folder = _make(Path(chosen[variable]))
            else:
                temporary = temporary or _make(Path(tempfile.gettempdir()))
                folder = temporary / name
                folder.mkdir()
        except OSError as error:
            remove(environ)
            what = f"{variable}: " if chosen[variable] else "No folder for temporary files: "
            where = chosen[variable] or error.filename or "none can be written"
            raise RunFolderError(f"{what}{where}: {error.strerror or error}.") from error
        environ[variable] = str(folder)
    environ[OWNER] = json.dumps({"pid": os.getpid(), "chosen": chosen})


def fold_metrics(environ: Mapping[str, str], *, is_restart: bool = False) -> None:
    """Fold what workers that have ended counted, so that their files do not add up.

    Args:
        environ: names the folder.
        is_restart: whether a worker ended that is replaced.
    """
    if is_restart:
        _restarts.note()
    _restarts.fold(Path(environ[_METRICS]))


def remove(environ: Mapping[str, str]) -> None:
    """Remove what this process made."""
    if is_prepared(environ) or OWNER not in environ:
        for folder, lock in _made.items():
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
        _made.clear()


def _make(parent: Path) -> Path:
    """Make a folder in ``parent``, hold the lock that shows that it is used, and sweep others."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    # Under another name until it is locked: what is not locked is swept.
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
    lock = os.open(new / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = new.with_name(f"{_PREFIX}{os.getpid()}-{new.name.removeprefix(_NEW)}")
    new.rename(folder)
    _made[folder] = lock
    return folder


def _sweep(parent: Path) -> None:
    """Remove the folders of services that have ended without doing so."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _owner(environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        value = json.loads(environ.get(OWNER, "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
