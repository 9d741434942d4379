"""Processes whose parents end before them, such as the children of a fork server.

Their processor time is added to that of whoever waits for them, which is process 1 unless another
ancestor adopts them.
"""

import ctypes
import os
import time

from benchmarks.errors import BenchmarkError

# From <linux/prctl.h>; see prctl(2).
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.05


def adopt_orphans() -> None:
    """Let this process adopt descendants whose parents end.

    Raises:
        BenchmarkError: this system does not allow it; Linux does.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise BenchmarkError("Orphans cannot be adopted here, so their time would be missing.")


def wait_for_orphans(most_s: float) -> None:
    """Wait for all children, or those of them that end within ``most_s`` seconds."""
    deadline = time.monotonic() + most_s
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(_LOOK_S)
