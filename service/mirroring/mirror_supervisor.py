"""Keeps the mirror of a service running: starts it, and starts it again when it dies.

The service's master may have no threads, and handles the end of its workers alone. So the mirror
has a parent of its own, which does nothing else. Both end when standard input does: its other end
is held by the service's processes, so that it ends with the last of them, however they end.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from service.mirroring.mirror_logs import log_as_the_service_does
from service.monitoring.logs import log
from service.repository.object_store.origin import METRICS, OWN

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LOOK_S = 0.05
_running: list[subprocess.Popen[bytes]] = []


def start_mirror(url: str, root: Path, interval_s: float) -> int:
    """Start the supervisor, and with it the mirror, from the service's master.

    Args:
        url: the store's.
        root: the folder.
        interval_s: seconds between two looks.

    Returns:
        what shows of the last look before; for ``wait_for_the_first_look``.

    Raises:
        OSError: it cannot be started.
    """
    before = _last_look(root)
    arguments = [url, str(root.absolute()), str(interval_s)]
    _running.append(
        subprocess.Popen(
            [sys.executable, "-m", "service.mirroring.mirror_supervisor", *arguments],
            stdin=subprocess.PIPE,
            # A Ctrl-C is the service's, with which it ends.
            start_new_session=True,
        )
    )
    return before


def wait_for_the_first_look(root: Path, before: int, timeout_s: float) -> None:
    """Wait until a look at the store has ended, well or not.

    Args:
        root: the mirror's folder.
        before: what showed of the last look before.
        timeout_s: how long to wait at most, in seconds.
    """
    deadline = time.monotonic() + timeout_s
    while _last_look(root) == before and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _last_look(root: Path) -> int:
    """Return what is another after each look: the time of its metrics, in ns."""
    try:
        return (root / OWN / METRICS).stat().st_mtime_ns
    except OSError:
        return 0


def _supervise(arguments: list[str]) -> None:
    service_is_gone = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        service_is_gone.set()

    threading.Thread(target=wait, daemon=True).start()
    log_as_the_service_does()
    pause_s = _FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        mirror = subprocess.Popen(
            [sys.executable, "-m", "service.mirroring.mirror_process", *arguments]
        )
        code = mirror.wait()
        # The mirror ends for the same reason, and perhaps a moment earlier.
        if service_is_gone.wait(_LOOK_S):
            return
        if time.monotonic() - began > _LONGEST_PAUSE_S:
            pause_s = _FIRST_PAUSE_S
        log(logging.WARNING, f"The mirror ended with {code}; it is started again.")
        if service_is_gone.wait(pause_s):
            return
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


if __name__ == "__main__":
    _supervise(sys.argv[1:])
    os._exit(0)
