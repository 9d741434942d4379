"""The service, from which signals take ``Server-Timing`` and give it back.

Two processes that do the same differ by some hundredths, which is more than the header costs; so
one process is measured with it and without it.
"""

import os
import signal
from pathlib import Path

from service.asgi import Application, create_application
from service.monitoring.prediction_phases import PredictionPhases

TIMED, UNTIMED = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
# The environment variable that names the file into which the worker writes its process id.
PID_FILE = "BENCHMARK_PID_FILE"


def create_switchable() -> Application:
    """Return the service; the worker leaves out and writes ``Server-Timing`` as signals say."""
    written = PredictionPhases.server_timing

    def write(*_: object) -> None:
        PredictionPhases.server_timing = written  # type: ignore[method-assign]

    def leave_out(*_: object) -> None:
        PredictionPhases.server_timing = lambda self: ""  # type: ignore[method-assign]

    signal.signal(TIMED, write)
    signal.signal(UNTIMED, leave_out)
    Path(os.environ[PID_FILE]).write_text(str(os.getpid()))
    return create_application()
