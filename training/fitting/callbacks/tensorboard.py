"""Logs for TensorBoard, where it is installed; it is not among what this project needs."""

import importlib.util
from pathlib import Path

import keras


def tensorboard_logs(folder: Path) -> list[keras.callbacks.Callback]:
    """Return what writes the learning curves into ``folder``: nothing without the package.

    A run that is resumed goes on in the same folder: its scalars stand under their epochs.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return []
    return [keras.callbacks.TensorBoard(str(folder), write_graph=False)]
