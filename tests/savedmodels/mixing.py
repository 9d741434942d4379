"""A foreign model whose signatures keep rows apart, or do not."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Field, Signature
from service.repository.model_card import write_card
from tests.savedmodels.saving import card, save, written_once

_X = tf.TensorSpec([None], tf.float32, name="x")
_A, _B = (tf.TensorSpec([None], tf.float32, name=name) for name in "ab")


@tf.function
def _both(first, second):
    return first + 1, 2 * second


class Mixing(tf.Module):
    """Each function's first dimension is free, whatever it does with the rows."""

    @tf.function(input_signature=[_X])
    def share(self, x):
        return {"share": x / tf.reduce_sum(x)}

    @tf.function(input_signature=[_X])
    def running(self, x):
        return {"total": tf.cumsum(x)}

    @tf.function(input_signature=[_X])
    def twice(self, x):
        return {"twice": 2 * x}

    @tf.function(input_signature=[_A, _B])
    def apart(self, a, b):
        return {"a": tf.cumsum(a), "b": tf.cumsum(b)}

    @tf.function(input_signature=[_A, _B])
    def product(self, a, b):
        return {"product": a * b}

    @tf.function(input_signature=[_A, _B])
    def separate(self, a, b):
        return {"a": 2 * a, "b": 3 * b}

    @tf.function(input_signature=[_A, _B])
    def nested(self, a, b):
        a, b = _both(a, b)
        b, a = _both(b, a)
        return {"a": a, "b": b}

    @tf.function(input_signature=[_A, _B])
    def crossed(self, a, b):
        a, b = _both(a, b)
        return {"a": a, "b": b, "sum": a + b}

    @tf.function(input_signature=[_A, _B])
    def ordered(self, a, b):
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(a), tf.shape(b))]):
            return {"a": 2 * a, "b": 3 * b}

    @tf.function(input_signature=[_X])
    def picky(self, x):
        tf.debugging.assert_less(tf.reduce_sum(x), 10.0, "too much")
        return {"total": tf.cumsum(x)}


SIGNATURES = (
    "share",
    "running",
    "twice",
    "apart",
    "product",
    "separate",
    "nested",
    "crossed",
    "ordered",
    "picky",
)


@written_once
def save_mixing(directory: Path) -> None:
    """Write a SavedModel without card, with the signatures above; ``share`` is the default one."""
    model = Mixing()
    functions = {name: getattr(model, name) for name in SIGNATURES[1:]}
    save(directory, model, serving_default=model.share, **functions)


def declare_mixing(directory: Path, **signatures: bool) -> None:
    """Write a card that says whether the rows of some signatures are independent, true or not."""
    outputs = {"serving_default": "share", "running": "total", "twice": "twice"}
    given = Field(name="x", dtype="float32", shape=(None,))
    contract = {
        name: Signature(
            name, (given,), (Field(name=outputs[name], dtype="float32", shape=(None,)),), declared
        )
        for name, declared in signatures.items()
    }
    write_card(directory, card("mixing", contract))
