"""A model that does not answer to some values."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from service.repository.model_store import Store
from tests.savedmodels.saving import save

_PAUSE_US = 10_000


class Endless(tf.Module):
    """Gives back what it gets, but never returns from a batch with a value above a bound.

    ``quick`` has no loop.
    """

    def __init__(self, above: float, *, busy: bool) -> None:
        super().__init__()
        self.above = above
        self.busy = busy

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        def turn(rounds: Any) -> Any:
            late = 0.0 if self.busy else tf.cast(_pause(_PAUSE_US), tf.float32)
            return [tf.tanh(rounds + 1.0 + late)]

        rounds = tf.while_loop(lambda _: tf.reduce_max(x) > self.above, turn, [tf.constant(0.0)])
        return {"y": x + 0.0 * rounds[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def quick(self, x):
        return {"y": -x}


def publish_endless(
    root: Path, above: float = 0.0, *, model: str = "endless", busy: bool = False
) -> int:
    """Publish a version of ``Endless``, without a card.

    Args:
        root: the models.
        above: the bound. One below 0 keeps a busy one from being loaded: it does not return from its
            first run, with zeros.
        model: the model's name.
        busy: whether the loop takes all of a core, as those of real models do. Else it pauses, with
            operations that may change state, so that it is not warmed up.
    """
    module = Endless(above, busy=busy)
    return Store(root).publish(
        model,
        lambda directory: save(directory, module, serving_default=module.serve, quick=module.quick),
    )


def _pause(microseconds: int) -> Any:
    """Return 0, int64 [], after a while that takes no processor."""
    one: dict[str, Any] = {"output_types": [tf.int64], "output_shapes": [[]]}
    late = tf.raw_ops.SleepDataset(
        input_dataset=tf.raw_ops.RangeDataset(start=0, stop=1, step=1, **one),
        sleep_microseconds=tf.constant(microseconds, tf.int64),
        **one,
    )
    return tf.raw_ops.DatasetToSingleElement(dataset=late, **one)[0]
