"""A model that does not answer to some values."""

from pathlib import Path

import tensorflow as tf

from service.repository.store import Store
from tests.savedmodels.saving import save


class Endless(tf.Module):
    """Gives back what it gets, but never returns from a batch with a value above 0.

    ``quick`` has no loop.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        rounds = tf.while_loop(
            lambda _: tf.reduce_max(x) > 0.0,
            lambda rounds: [tf.tanh(rounds + 1.0)],
            [tf.constant(0.0)],
        )
        return {"y": x + 0.0 * rounds[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def quick(self, x):
        return {"y": -x}


def publish_endless(root: Path) -> int:
    """Publish a version of ``Endless`` as the model ``endless``, without a card."""
    model = Endless()
    return Store(root).publish(
        "endless",
        lambda directory: save(directory, model, serving_default=model.serve, quick=model.quick),
    )
