"""The folder that the processes of one running service share: their metrics and their board."""

import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_BOARD = "UNDERSTUDY_BOARD"
# Says which process has prepared the folders, over the reloads of its configuration.
_OWNER = "UNDERSTUDY_RUN_FOLDER_OWNER"
_PREFIX = "understudy-"


def prepare(environ: MutableMapping[str, str]) -> None:
    """Give this service empty folders for metrics and board, unless it has them already.

    A folder that the user chose is emptied of what an earlier service has left; the others are
    made in a new folder among the temporary files, where those of services that died without
    cleaning up are removed.
    """
    if environ.get(_OWNER) == str(os.getpid()):
        return
    _sweep()
    own = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    for variable, name, leftovers in ((_METRICS, "metrics", "*.db"), (_BOARD, "board", "*.json")):
        folder = Path(environ.get(variable) or own / name)
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob(leftovers):
            file.unlink(missing_ok=True)
        environ[variable] = str(folder)
    environ[_OWNER] = str(os.getpid())


def forget_worker(pid: int) -> None:
    """Drop the live gauges of a worker that has ended; its counters stay, so none goes back."""
    from prometheus_client import multiprocess  # Not before ``prepare``: it reads the folder.

    multiprocess.mark_process_dead(pid)


def remove(environ: MutableMapping[str, str]) -> None:
    """Remove what this process made."""
    if environ.get(_OWNER) == str(os.getpid()):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{os.getpid()}-*"):
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
