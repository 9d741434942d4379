"""The models of the servers that we are compared with, loaded as TensorFlow's guides do it."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf


def load_models() -> dict[str, Any]:
    """Load the latest version of each model in the folder that ``MODELS`` names."""
    folders = sorted(Path(os.environ["MODELS"]).glob("[!.]*"))
    return {folder.name: load_model(folder.name) for folder in folders}


def load_model(name: str) -> Any:
    """Load the latest version of one model.

    The loaded object is returned and not its signature alone: the signature does not keep the
    variables alive.
    """
    folder = Path(os.environ["MODELS"], name)
    return tf.saved_model.load(str(max(folder.iterdir(), key=_version)))


def _version(folder: Path) -> int:
    return int(folder.name) if folder.name.isdecimal() else -1
