"""Small functions of rows: what they are made of.

The cases themselves are in ``keeping_cases`` and ``mixing_cases``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

VECTOR = tf.TensorSpec([None], tf.float32, name="x")
MATRIX = tf.TensorSpec([None, 4], tf.float32, name="x")
FREE = tf.TensorSpec([None, None], tf.float32, name="x")
CUBE = tf.TensorSpec([None, 4, 3], tf.float32, name="x")
PICTURE = tf.TensorSpec([None, 6, 6, 2], tf.float32, name="x")
NUMBERS = tf.TensorSpec([None], tf.int32, name="x")
NUMBER_ROWS = tf.TensorSpec([None, 4], tf.int32, name="x")
TEXTS = tf.TensorSpec([None], tf.string, name="x")
OTHER = tf.TensorSpec([None], tf.float32, name="y")


@dataclass(frozen=True)
class GraphCase:
    """One function: what it takes and does."""

    specs: tuple[tf.TensorSpec, ...]
    function: Callable[..., Any]


W = tf.constant(np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32))
FILTER = tf.constant(np.random.default_rng(1).normal(size=(3, 3, 2, 5)).astype(np.float32))
TABLE = tf.lookup.StaticHashTable(
    tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], tf.constant([1, 2, 3], tf.int64)), 0
)
VARIABLE = tf.Variable(np.arange(20, dtype=np.float32).reshape(5, 4))
COUNTER = tf.Variable(0.0)


def of(*specs: tf.TensorSpec) -> Callable[[Callable[..., Any]], GraphCase]:
    return lambda function: GraphCase(specs, function)


def attention(x: tf.Tensor) -> tf.Tensor:
    scores = tf.nn.softmax(tf.matmul(x, x, transpose_b=True))
    return tf.matmul(scores, x)


def after(*checks: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Give the rows back once all checks of them have run."""

    def checked(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([check(x) for check in checks]):
            return tf.identity(x)

    return checked


def unawaited(check: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Give the rows back with a check beside that no result waits for."""

    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        check(x)
        return x * 2

    return inner


def by_autograph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have AutoGraph make a graph of a function's loops; functions without are traced as they are."""
    return lambda *tensors: tf.autograph.to_graph(function)(*tensors)
