"""A tuning's workers as forks, which need not import what they run; they are processes all the same."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO

from tests.forked import ForkedCommand
from training.tuning import local_workers

# What a tuning in a process of its own imports first, to have its two workers be forks of it.
FORKING = "tests.training.tuning.forking"

Start = Callable[[Sequence[str], Path], ForkedCommand]


def started_by(start: Start) -> tuple[ModuleType, str, SimpleNamespace]:
    """Return what to set of which module, for workers to be what ``start`` returns.

    It takes what a worker is to run, as ``ForkedCommand`` does, and the file for what it prints;
    the worker leads a session of its own.
    """

    def popen(
        command: Sequence[str], *, stdout: IO[bytes], stderr: int, start_new_session: bool
    ) -> ForkedCommand:
        assert stderr == subprocess.STDOUT
        assert start_new_session
        return start(command[1:], Path(stdout.name))

    # Other modules start other programs by theirs.
    return local_workers, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": popen})
