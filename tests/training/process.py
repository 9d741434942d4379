"""Trainings and tunings as processes of their own."""

import os
from pathlib import Path

from tests.forked import TRAINING, ForkedCommand


class TrainingProcess(ForkedCommand):
    """A process that has what a training imports."""

    def __init__(self, *command: str, cwd: Path, logs: Path, first: str | None = None) -> None:
        """Start it.

        Args:
            command: as ``ForkedCommand`` takes it.
            cwd: the folder to run in.
            logs: the folder for its output and its errors.
            first: a module that it imports before all else.
        """
        self.output = logs / "out"
        self.errors = logs / "err"
        super().__init__(
            TRAINING,
            command,
            cwd=cwd,
            env=os.environ,
            stdout=self.output,
            stderr=self.errors,
            first=first,
        )
