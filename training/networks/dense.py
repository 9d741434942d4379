"""Dense layers between input and logits, and the dense network for pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from training.networks import classification_loss
from training.networks.frozen_weights import frozen


def hidden_layers(x: Any, units: int, layers: int, l2: float, dropout: float) -> Any:
    """Put dense layers upon the tensor ``x``, [N, inputs] to [N, units].

    Args:
        x: what they see.
        units: of each layer.
        layers: how many there are.
        l2: the weight of the penalty on large kernels.
        dropout: the share of a layer's units that is left out at random in training.
    """
    penalty = keras.regularizers.L2(l2) if l2 else None
    for _ in range(layers):
        x = keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty)(x)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return x


@dataclass(frozen=True, slots=True)
class DensePictures:
    """Dense layers on pixels; as it is, the network of TensorFlow's "Basic classification".

    Attributes:
        units: of each hidden layer.
        layers: how many hidden layers there are.
        l2: the weight of the penalty on large kernels.
        dropout: the share of a hidden layer's units that is left out at random in training.
    """

    units: int = 128
    layers: int = 1
    l2: float = 0.0
    dropout: float = 0.0

    def build(self, size: int, classes: int) -> keras.Model:
        """Return it for grey pictures, float32 [N, size, size], 0..255, to logits [N, classes]."""
        image = keras.Input((size, size), name="image")
        x = keras.layers.Rescaling(1 / 255)(image)
        x = keras.layers.Flatten()(x)
        x = hidden_layers(x, self.units, self.layers, self.l2, self.dropout)
        return keras.Model(image, keras.layers.Dense(classes)(x), name="tutorial")

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(learning_rate)

    def loss(self, classes: int) -> keras.losses.Loss:
        return classification_loss.loss(classes)

    def serving(self, trained: keras.Model) -> Callable[[Any], Any]:
        return frozen(trained)
