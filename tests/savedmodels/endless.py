"""A model that does not answer to some values."""

from pathlib import Path

import tensorflow as tf

from service.repository.model_store import Store
from tests.savedmodels.saving import save


class Endless(tf.Module):
    """Gives back what it gets, but never returns from a batch with a value above a bound.

    ``quick`` has no loop.
    """

    def __init__(self, above: float) -> None:
        super().__init__()
        self.above = above

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        rounds = tf.while_loop(
            lambda _: tf.reduce_max(x) > self.above,
            lambda rounds: [tf.tanh(rounds + 1.0)],
            [tf.constant(0.0)],
        )
        return {"y": x + 0.0 * rounds[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def quick(self, x):
        return {"y": -x}


def publish_endless(root: Path, above: float = 0.0) -> int:
    """Publish a version of ``Endless`` as the model ``endless``, without a card.

    A bound below 0 keeps it from being loaded: it does not return from its first run, with zeros.
    """
    model = Endless(above)
    return Store(root).publish(
        "endless",
        lambda directory: save(directory, model, serving_default=model.serve, quick=model.quick),
    )
