"""Models that take their time."""

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


class Endless(tf.Module):
    """Never answers, whatever it is asked; warming it up never ends."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        turn = tf.constant(0.0)
        while turn >= 0.0:
            turn = (turn + tf.cast(tf.size(x) >= 0, tf.float32)) % 100.0
        return {"y": x + turn}


def publish_slow(root: Path) -> int:
    """Publish a version of ``Slow`` as the model ``slow``, without a card."""
    return Store(root).publish("slow", _save_slow)


@written_once
def _save_slow(directory: Path) -> None:
    model = Slow()
    save(directory, model, serving_default=model.serve)


def publish_endless(root: Path, *, model: str = "endless") -> int:
    """Publish a version of ``Endless``, without a card."""
    return Store(root).publish(model, _save_endless)


@written_once
def _save_endless(directory: Path) -> None:
    module = Endless()
    save(directory, module, serving_default=module.serve)
