"""A model that takes its time."""

from pathlib import Path

import tensorflow as tf

from service.repository.model_store import Store
from tests.savedmodels.saving import save, written_once


class Slow(tf.Module):
    """Works for as many rounds as the largest of its inputs says; a round is about 1 ms."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="rounds")])
    def serve(self, rounds):
        matrix = tf.eye(200)
        for _ in tf.range(tf.cast(tf.reduce_max(rounds), tf.int32)):
            matrix = matrix @ tf.eye(200)
        return {"done": rounds * matrix[0, 0]}


def publish_slow(root: Path) -> int:
    """Publish a version of ``Slow`` as the model ``slow``, without a card."""
    return Store(root).publish("slow", _save_slow)


@written_once
def _save_slow(directory: Path) -> None:
    model = Slow()
    save(directory, model, serving_default=model.serve)
