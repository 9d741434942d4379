"""Logs for TensorBoard, if it is installed; the project does not require it."""

import importlib.util
from pathlib import Path

import keras


def tensorboard_logs(folder: Path) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write learning curves into ``folder``; none without the package.

    A run that is resumed goes on in the same folder: its scalars keep their epochs.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(folder), write_graph=False)]
