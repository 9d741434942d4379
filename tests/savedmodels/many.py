"""A foreign model of many small signatures."""

from pathlib import Path

import tensorflow as tf

from tests.savedmodels.saving import save


class Many(tf.Module):
    """Its signatures ``s000``, ``s001``, ... add their number to ``x``."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.zero = tf.Variable(0.0)
        self.functions = {f"s{i:03}": self._adding(float(i)) for i in range(count)}

    def _adding(self, number):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def add(x):
            return {"y": x + number + self.zero}

        return add


def save_many(directory: Path, count: int) -> None:
    """Write the SavedModel; it brings no card."""
    model = Many(count)
    save(directory, model, **model.functions)
