"""Many small networks in one Keras model, each of which learns from rows of its own.

So the networks of a whole cross-validation, and those that serve, train at once. Which network
may learn from which row follows from the targets: NaN where it may not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from training.networks.frozen_weights import frozen


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Small networks that learn side by side, with their settings.

    Attributes:
        units: of each hidden layer.
        layers: how many hidden layers there are.
        activation: between them.
        logarithmic: whether it takes and returns logarithms of what is never below zero.
        noise: standard deviation of what is added to the standardised inputs in training; it
            keeps the function smooth (Bishop 1995).
        weight_decay: of AdamW.
        cosine: whether the learning rate falls to 0 along a cosine, or stays.
        passes: how often an epoch goes through the rows.
        members: how many of them are averaged into one answer.
        repeats: how often the rows are divided into folds anew, to measure it.
        l2: the weight of the penalty on large kernels.
        dropout: the share of a hidden layer's units that is left out at random in training.
    """

    units: int
    layers: int
    activation: str
    logarithmic: bool
    noise: float
    weight_decay: float
    cosine: bool
    passes: int
    members: int
    repeats: int = 10
    l2: float = 0.0
    dropout: float = 0.0

    def build(self, columns: int, inputs: int) -> keras.Model:
        """Return ``columns`` of it in one model."""
        hidden = [self.units] * self.layers
        return side_by_side(columns, inputs, hidden, self.activation, self.l2, self.dropout)

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return the one for a training of ``steps`` in all."""
        rate: Any = learning_rate
        if self.cosine:
            rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        return keras.optimizers.AdamW(rate, weight_decay=self.weight_decay)

    def loss(self) -> Callable[[Any, Any], Any]:
        return known_loss(tf.square if self.logarithmic else tf.abs)

    def serving(self, trained: keras.Model) -> Callable[[Any], Any]:
        """Return the last ``members`` of the trained: [N, members, inputs] to [N, members]."""
        last = self.build(self.members, trained.input_shape[2])
        last.set_weights([weight[-self.members :] for weight in trained.get_weights()])
        return frozen(last)


def side_by_side(
    columns: int,
    inputs: int,
    hidden: Sequence[int],
    activation: str,
    l2: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Return ``columns`` dense networks in one, each from its own view of a row to its own answer.

    Maps float32 [N, columns, inputs] to [N, columns]. ``hidden`` are the units of the layers
    between, ``activation`` is theirs; ``l2`` weighs the squares of each network's kernels, and
    ``dropout`` is the share of hidden units that is left out at random in training.
    """
    views = keras.Input((columns, inputs), name="views")
    # Networks first, then rows: so each network is one product of matrices, many times faster.
    x = keras.ops.transpose(views, (1, 0, 2))
    dense = [(units, activation) for units in hidden] + [(1, "linear")]
    for layer, (units, function) in enumerate(dense):
        if dropout and layer:  # of hidden units, never of a network's inputs
            x = keras.layers.Dropout(dropout)(x)
        # Glorot & Bengio 2010, for each network by itself; Keras would count all as one.
        limit = math.sqrt(6 / (x.shape[-1] + units))
        x = keras.layers.EinsumDense(
            "cni,cio->cno",
            output_shape=(None, units),
            bias_axes="co",
            activation=function,
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            # The loss is a mean over the networks, so each has its share of the penalty.
            kernel_regularizer=keras.regularizers.L2(l2 / columns) if l2 else None,
        )(x)
    return keras.Model(views, keras.ops.transpose(x[:, :, 0]))


def known_loss(error: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a Keras loss: ``error`` of the difference, averaged over targets that are not NaN."""

    def loss(y_true: Any, y_pred: Any) -> Any:
        known = tf.math.is_finite(y_true)
        difference = tf.where(known, y_pred - tf.where(known, y_true, 0.0), 0.0)
        return tf.math.divide_no_nan(
            tf.reduce_sum(error(difference), axis=-1),
            tf.reduce_sum(tf.cast(known, tf.float32), axis=-1),
        )

    return loss


class KnownError(keras.metrics.Metric):
    """Mean absolute error over the targets that are not NaN, in their own unit.

    Args:
        to_unit: turns the network's targets and answers into that unit.
    """

    def __init__(self, to_unit: Callable[[Any], Any], name: str = "mae") -> None:
        super().__init__(name=name)
        self._to_unit = to_unit
        self._total = self.add_weight(shape=(), initializer="zeros", name="total")
        self._count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        known = tf.math.is_finite(y_true)
        error = tf.abs(self._to_unit(y_pred) - self._to_unit(y_true))
        self._total.assign_add(tf.reduce_sum(tf.where(known, error, 0.0)))
        self._count.assign_add(tf.reduce_sum(tf.cast(known, tf.float32)))

    def result(self) -> Any:
        return tf.math.divide_no_nan(self._total.value, self._count.value)
