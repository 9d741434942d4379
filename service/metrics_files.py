"""The folder in which the workers of one service keep their metrics."""

import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Says that the folder is ours to remove, over the reloads of the master's configuration.
_OWNED = "UNDERSTUDY_METRICS_OWNER"
_PREFIX = "understudy-metrics-"


def prepare(environ: MutableMapping[str, str]) -> None:
    """Give this service an empty folder for its metrics, unless it has it already.

    A folder that the user chose in ``PROMETHEUS_MULTIPROC_DIR`` is emptied of an earlier
    service's files; without one, a new folder is made among the temporary files, and those of
    services that died without cleaning up are removed.
    """
    if environ.get(_OWNED) == str(os.getpid()):
        return
    chosen = environ.get(_VARIABLE)
    if chosen:
        folder = Path(chosen)
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
    else:
        _sweep()
        environ[_VARIABLE] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    environ[_OWNED] = str(os.getpid())


def forget_worker(pid: int) -> None:
    """Drop the live gauges of a worker that has ended; its counters stay, so none goes back."""
    from prometheus_client import multiprocess  # Not before ``prepare``: it reads the folder.

    multiprocess.mark_process_dead(pid)


def remove(environ: MutableMapping[str, str]) -> None:
    """Remove the folder if this process made it."""
    folder = Path(environ.get(_VARIABLE, ""))
    if environ.get(_OWNED) == str(os.getpid()) and folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdecimal() and not _is_running(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
