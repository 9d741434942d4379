"""Faults of the machine, for a service whose PYTHONPATH begins here; Python imports it first.

While the file that FAULTS names is there, it says which fault there is.
"""

import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

_file = Path(os.environ["FAULTS"])
_real_digest, _real_scandir = hashlib.file_digest, os.scandir


def _fault() -> str:
    try:
        return _file.read_text().strip()
    except FileNotFoundError:
        return ""


def _file_digest(file: Any, name: Any) -> Any:
    fault = _fault()
    if fault.startswith("E"):
        number = getattr(errno, fault)
        raise OSError(number, os.strerror(number), file.name)
    return _real_digest(file, name)


def _scandir(path: Any = ".") -> Any:
    if threading.current_thread().name == "lifecycle" and _fault() == f"end {os.getpid()}":
        raise GeneratorExit  # One of those that "except Exception" lets through.
    return _real_scandir(path)


hashlib.file_digest = _file_digest  # type: ignore[assignment]
os.scandir = _scandir  # type: ignore[assignment]
