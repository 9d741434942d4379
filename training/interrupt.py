"""Ctrl-C between two batches, and not in the midst of one."""

import contextlib
import signal
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import keras


class InterruptBetweenBatches(keras.callbacks.Callback):
    """Raises KeyboardInterrupt where Python is in charge.

    TensorFlow calls back into Python for its data; an exception that is raised there by a signal
    can end the whole process instead of the training. A second Ctrl-C does not wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take Ctrl-C over for as long as the block runs."""
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._stop_if_asked()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise KeyboardInterrupt
