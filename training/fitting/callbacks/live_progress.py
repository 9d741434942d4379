"""Shows a training's progress: a live line on a terminal, plain lines elsewhere."""

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from training.console.progress import say

# Seconds between plain lines: often enough to see life, rare enough for a log file.
_PLAIN_INTERVAL_S = 30.0


class TrainingProgress(keras.callbacks.Callback):
    """Shows epoch, steps, loss, metric and time left of a Keras training.

    Args:
        metric: the name of the metric that people look at, as Keras logs it.
        steps: the number of steps in an epoch.
        first_epoch: the number of epochs that an earlier process has done.
    """

    def __init__(self, metric: str, steps: int, first_epoch: int) -> None:
        super().__init__()
        self._metric = metric
        self._steps = steps
        self._first_epoch = first_epoch
        self._epoch = first_epoch
        self._began = self._epoch_began = self._last_line = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._began = self._last_line = time.monotonic()
        console = Console()
        if console.is_terminal:
            text = TextColumn("{task.description}")
            figures = TextColumn("{task.fields[figures]}")
            self._bar = Progress(text, BarColumn(), figures, console=console, transient=True)
            self._task = self._bar.add_task("", total=self._steps, figures="")
            self._bar.start()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the terminal; also after an interrupted training."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._epoch_began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        step = batch + 1
        if self._bar is not None:
            figures = f"{step}/{self._steps}  {self._figures(logs or {})}  {self._left(step)}"
            name = f"epoch {self._epoch + 1}/{self._epochs}"
            self._bar.update(self._task, completed=step, description=name, figures=figures)
            return
        now = time.monotonic()
        if now - self._last_line >= _PLAIN_INTERVAL_S and step < self._steps:
            self._last_line = now
            say(
                f"epoch {self._epoch + 1}/{self._epochs}  step {step}/{self._steps}  "
                f"{self._figures(logs or {})}  {self._left(step)}"
            )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = logs or {}
        names = ("loss", self._metric, "val_loss", f"val_{self._metric}")
        figures = "  ".join(f"{name} {logs[name]:.4f}" for name in names if name in logs)
        seconds = time.monotonic() - self._epoch_began
        line = f"epoch {epoch + 1}/{self._epochs}  {figures}  {seconds:.1f} s"
        self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            say(f"{line}  {self._left(0, 1)}")

    @property
    def _epochs(self) -> int:
        return int(self.params["epochs"])

    def _figures(self, logs: Mapping[str, Any]) -> str:
        return "  ".join(
            f"{name} {logs[name]:.4f}" for name in ("loss", self._metric) if name in logs
        )

    def _left(self, step: int, finished: int = 0) -> str:
        """Return how long the rest takes at the pace so far, this process' validations included."""
        done = self._epoch + finished - self._first_epoch + step / self._steps
        elapsed = time.monotonic() - self._began
        seconds = math.ceil(elapsed / done * (self._epochs - self._first_epoch - done))
        minutes, seconds = divmod(seconds, 60)
        return f"{minutes}:{seconds:02d} left"
