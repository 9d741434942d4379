"""The models of the servers that we are compared with, loaded as TensorFlow's guides do it."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf


def load_models() -> dict[str, Any]:
    """Load the latest version of each model in the folder that ``MODELS`` names.

    The loaded object is returned and not its signature alone: the signature does not keep the
    variables alive.
    """
    return {
        folder.name: tf.saved_model.load(str(max(folder.iterdir(), key=_version)))
        for folder in sorted(Path(os.environ["MODELS"]).iterdir())
    }


def _version(folder: Path) -> int:
    return int(folder.name) if folder.name.isdecimal() else -1
