"""The settings of this process, whose secrets leave the environment once they are read.

What runs in the process, a model among it, could read its environment: ``/proc/self/environ`` is a
file. Processes that are forked later inherit the secrets in memory.
"""

import contextlib
import ctypes
import os
from pathlib import Path

from service.settings.settings import Settings

# The URL of a database has its password.
_SECRETS = ("UNDERSTUDY_ADMIN_TOKEN", "UNDERSTUDY_EVENTS")

_taken: dict[str, str] = {}


def process_settings() -> Settings:
    """Return the settings in this process's environment, and take the secrets out of it.

    Raises:
        SettingError: variables do not hold what their settings take.
    """
    for name in _SECRETS:
        if name in os.environ:
            _taken[name] = os.environ.pop(name)
            _erase(name)
    return Settings.from_environ({**os.environ, **_taken})


def secrets() -> dict[str, str]:
    """Return the secrets, for a process that is to take this one's place."""
    return dict(_taken)


def _erase(name: str) -> None:
    """Overwrite a variable in the environment that this process was started with.

    Removing it changes what the process passes on, not what Linux shows in ``/proc``.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Fields 50 and 51 of proc(5), of which the first two end with the closing parenthesis.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[47]), int(fields[48])
        if not start < end:
            return
        block = b"\0" + ctypes.string_at(start, end - start)
        found = block.find(b"\0%b=" % name.encode())
        if found >= 0:
            size = block.index(b"\0", found + 1) - found - 1
            ctypes.memset(start + found, 0, size)
