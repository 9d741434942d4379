"""Faults of the machine, for a service that imports this first, as a fork or by its PYTHONPATH.

While the file that FAULTS names is there, it says which fault there is: the name of an error, such
as ``EIO``, that reading a version's files meets; ``end <pid>`` for the lifecycle of a worker;
``hang <place>``; or ``signal <name> <to whom> <place>``. That a place was reached is told by the
file ``<FAULTS>.reached``.
"""

import errno
import hashlib
import importlib.abc
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_file = Path(os.environ["FAULTS"])
_reached = _file.with_name(f"{_file.name}.reached")
_real_digest, _real_scandir = hashlib.file_digest, os.scandir
_real_signal, _real_mkdtemp = signal.signal, tempfile.mkdtemp

# In a worker, and what it is about to do there. Named by module and class, as loaded when it forks.
_PLACES = {
    "signals": ("gunicorn.workers.gasgi", "ASGIWorker", "init_signals"),
    "application": ("gunicorn.workers.gasgi", "ASGIWorker", "load_wsgi"),
    "serving": ("gunicorn.workers.gasgi", "ASGIWorker", "run"),
    "cleanup": ("gunicorn.workers.gasgi", "ASGIWorker", "_cleanup"),
    "leaving": ("service.runtime.lifecycle", "Lifecycle", "stop"),
}


def _fault() -> str:
    try:
        return _file.read_text().strip()
    except FileNotFoundError:
        return ""


def _hang(place: str) -> None:
    if _fault() == f"hang {place}":
        _reached.touch()
        while _fault() == f"hang {place}":
            time.sleep(0.02)


def _strike(place: str) -> None:
    """Send the signal that the fault names for this place: once, though several get here."""
    match _fault().split():
        case ["signal", name, whom, where] if where == place:
            try:
                _file.rename(_reached)
            except FileNotFoundError:
                return
            signum = getattr(signal, f"SIG{name}")
            if whom == "all":
                os.killpg(0, signum)
            else:
                os.kill(os.getppid() if whom == "master" else os.getpid(), signum)


def _file_digest(file: Any, name: Any) -> Any:
    fault = _fault()
    if fault.startswith("E"):
        number = getattr(errno, fault)
        raise OSError(number, os.strerror(number), file.name)
    _hang(f"verifying {_model()}")
    return _real_digest(file, name)


def _model() -> str:
    """Return the model that this thread loads."""
    what, _, rest = threading.current_thread().name.partition(" ")
    return rest.partition(" ")[0] if what == "load" else ""


def _scandir(path: Any = ".") -> Any:
    if threading.current_thread().name == "lifecycle" and _fault() == f"end {os.getpid()}":
        raise GeneratorExit  # One of those that "except Exception" lets through.
    return _real_scandir(path)


def _signal(signum: int, handler: Any) -> Any:
    before = _real_signal(signum, handler)
    if handler is signal.SIG_DFL:
        # Between a worker's inherited handlers and its own, or after its own.
        _strike(f"default-{signal.Signals(signum).name.removeprefix('SIG')}")
    return before


def _mkdtemp(*arguments: Any, **options: Any) -> Any:
    made = _real_mkdtemp(*arguments, **options)
    _strike("mkdtemp")
    return made


class _Imports(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        _hang(f"importing {name}")


def _in_worker() -> None:
    _strike("fork")
    for place, (module, owner, name) in _PLACES.items():
        cls = getattr(sys.modules[module], owner)
        setattr(cls, name, _after(_strike, place, getattr(cls, name)))
    logging.shutdown = _after(_strike, "shutdown", logging.shutdown)
    loader = sys.modules["tensorflow.python.saved_model.loader_impl"].SavedModelLoader
    real_load = loader.load

    def load(*arguments: Any, **options: Any) -> Any:
        _hang(f"loading {_model()}")
        return real_load(*arguments, **options)

    loader.load = load
    servable = sys.modules["service.runtime.servable"].Servable
    servable.prove = _after(lambda _: _hang(f"proving {_model()}"), "", servable.prove)


def _after(do: Callable[[str], None], place: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def both(*arguments: Any, **options: Any) -> Any:
        do(place)
        return real(*arguments, **options)

    return both


hashlib.file_digest = _file_digest  # type: ignore[assignment]
os.scandir = _scandir  # type: ignore[assignment]
signal.signal = _signal  # type: ignore[assignment]
tempfile.mkdtemp = _mkdtemp
sys.meta_path.insert(0, _Imports())
os.register_at_fork(after_in_child=_in_worker)
