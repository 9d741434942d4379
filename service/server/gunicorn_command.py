"""How a command becomes the service: gunicorn takes the place of its process."""

import os
import signal
import sysconfig
from collections.abc import Mapping
from pathlib import Path

_CONFIGURATION = Path(__file__).with_name("gunicorn.conf.py")
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def become_gunicorn(environment: Mapping[str, str]) -> None:
    """Let gunicorn take this process's place; does not return.

    Args:
        environment: all variables that it gets; its settings are among them.

    Raises:
        OSError: it cannot be started.
    """
    gunicorn = str(Path(sysconfig.get_path("scripts")) / "gunicorn")
    # Held until its configuration can answer them: a Ctrl-C in between would be a stack trace.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        # In place of this process, so that signals reach gunicorn itself.
        os.execve(gunicorn, [gunicorn, "-c", str(_CONFIGURATION)], dict(environment))
    finally:  # It could not be started.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
