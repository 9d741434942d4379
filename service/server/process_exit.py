"""How processes end in order, whatever they are doing: loading, predicting, importing.

Python's own end waits for threads, and a thread within TensorFlow cannot be interrupted. So the
processes of the service end by ``os._exit``, after they have done what must be done.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


# What a process that starts has made so far, and removes before it ends.
_clean_ups: list[Callable[[], None]] = []


class _DeferredStop:
    """Whether stop signals are deferred while a process starts, and whether one has come."""

    is_on = False
    is_requested = False


def exit_on_stop_signals() -> None:
    """Let a process that is still starting end silently, with status 0, on SIGTERM or Ctrl-C.

    Signals that already have a handler keep it; gunicorn installs its own once it has started.
    """
    for signum in _STOPPING:
        if signal.getsignal(signum) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(signum, _end_at_once)


def _end_at_once(signum: int = 0, frame: Any = None) -> None:
    if _DeferredStop.is_on or _DeferredStop.is_requested:
        # Not now; or asked again while it cleans up.
        _DeferredStop.is_requested = True
        return
    _DeferredStop.is_requested = True
    for clean_up in _clean_ups:
        clean_up()
    os._exit(0)


def before_stopping_at_once(clean_up: Callable[[], None]) -> None:
    """Let a process that is asked to end while it starts remove what it has made so far."""
    _clean_ups.append(clean_up)


def hold_signals() -> None:
    """Let signals to stop wait, so that none is lost between a fork and the child's handlers.

    The mask holds for the calling thread and those that it starts meanwhile. A thread of a library
    may take a signal all the same, and Python then handles it here: so a flag
    also defers the end of a process that starts.
    """
    _DeferredStop.is_on = True
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)


def take_signals() -> None:
    """Let signals to stop come, those that have waited first."""
    _DeferredStop.is_on = False
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    if _DeferredStop.is_requested:
        _DeferredStop.is_requested = False
        _end_at_once()


def end_process(default: int = 0) -> None:
    """End this process now, with the status of the ``SystemExit`` that is on its way, if one is.

    Args:
        default: the status otherwise.
    """
    problem = sys.exception()
    status = default
    if isinstance(problem, SystemExit):
        status = problem.code if isinstance(problem.code, int) else int(problem.code is not None)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status & 0xFF)
