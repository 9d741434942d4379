"""Trained networks as they serve: their weights constants of the graph."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def frozen(model: keras.Model) -> Callable[[Any], Any]:
    """Return a trained network as a function of its input, its weights constants of the graph.

    TensorFlow brings constant weights into the form that its kernels want once, variables for
    each call: a single picture takes two thirds of the time.
    """
    trainable = [variable.numpy() for variable in model.trainable_variables]
    fixed = [variable.numpy() for variable in model.non_trainable_variables]

    def network(x: Any) -> Any:
        outputs, _ = model.stateless_call(
            [tf.constant(value) for value in trainable],
            [tf.constant(value) for value in fixed],
            x,
            training=False,
        )
        return outputs

    return network
