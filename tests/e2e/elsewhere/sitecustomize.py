"""Another system than Linux, as far as a Python process can tell; Python imports this first.

What only Linux has is taken from the modules that have it, and there is neither ``/proc``, nor
``/sys``, nor ``/dev/shm``.
"""

import builtins
import errno
import fcntl
import io
import mmap
import os
import resource
import select
import signal
import socket
import time
from typing import Any

from tests.portability import LINUX_ONLY, LINUX_PATHS

_MODULES = (fcntl, mmap, os, resource, select, signal, socket, time)
_real_open, _real_os_open, _real_stat = io.open, os.open, os.stat


def _check(path: Any) -> None:
    if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(LINUX_PATHS):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))


def _open(file: Any, *arguments: Any, **options: Any) -> Any:
    _check(file)
    return _real_open(file, *arguments, **options)


def _os_open(path: Any, *arguments: Any, **options: Any) -> Any:
    _check(path)
    return _real_os_open(path, *arguments, **options)


def _stat(path: Any, *arguments: Any, **options: Any) -> Any:
    _check(path)
    return _real_stat(path, *arguments, **options)


for _module in _MODULES:
    for _name in LINUX_ONLY.get(_module.__name__, ()):
        if hasattr(_module, _name):
            delattr(_module, _name)
io.open = builtins.open = _open
os.open = _os_open
os.stat = _stat
