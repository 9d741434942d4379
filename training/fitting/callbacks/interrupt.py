"""Stops a training on Ctrl-C or SIGTERM between two batches, not within one."""

import contextlib
import signal
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import keras

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptBetweenBatches(keras.callbacks.Callback):
    """Raises KeyboardInterrupt where Python is in charge.

    TensorFlow calls back into Python for its data; an exception that is raised there by a signal
    can end the whole process instead of the training. A second signal does not wait.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_requested = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take both signals over for as long as the block runs, unless this process ignores one.

        A script's shell has what it starts in the background ignore Ctrl-C.

        Raises:
            KeyboardInterrupt: one came, and no batch after it.
        """
        before = {
            number: signal.signal(number, self._request_stop)
            for number in _SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        # It came after the last batch, while a checkpoint was written, say.
        self._stop_if_requested()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._stop_if_requested()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._stop_if_requested()

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_requested:
            raise KeyboardInterrupt
        self._is_requested = True

    def _stop_if_requested(self) -> None:
        if self._is_requested:
            raise KeyboardInterrupt
