"""A small residual network for grey pictures: how it learns, and its form for serving."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from training.networks import classification_loss
from training.networks.frozen_weights import frozen
from training.networks.learning_rate_per_step import LearningRatePerStep


@dataclass(frozen=True, slots=True)
class Residual:
    """The residual network, and how it learns.

    Attributes:
        weight_decay: of the gradient descent.
        label_smoothing: how much of the certainty of a label goes to all of them.
        warm_up: the share of the steps in which the learning rate rises.
    """

    weight_decay: float = 5e-4
    label_smoothing: float = 0.05
    warm_up: float = 0.15

    def build(self, size: int, classes: int) -> keras.Model:
        return residual_network(size, classes)

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return the gradient descent for a training of ``steps`` in all."""
        warm_up = round(steps * self.warm_up)
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=learning_rate / 25,
            decay_steps=steps - warm_up,
            warmup_target=learning_rate,
            warmup_steps=warm_up,
        )
        return keras.optimizers.SGD(
            LearningRatePerStep(schedule),
            momentum=0.9,
            nesterov=True,
            weight_decay=self.weight_decay,
        )

    def loss(self, classes: int) -> keras.losses.Loss:
        return classification_loss.loss(classes, self.label_smoothing)

    def serving(self, trained: keras.Model) -> Callable[[Any], Any]:
        """Return the logits of pictures, each seen as it is and mirrored.

        It learned from mirrored pictures too, and two views are more accurate than one.
        """
        network = frozen(fold_normalisations(trained))

        def logits(image: Any) -> Any:
            views = tf.concat([image, tf.reverse(image, axis=[2])], axis=0)
            seen, mirrored = tf.split(network(views), 2)
            return (seen + mirrored) / 2

        return logits


def residual_network(size: int, classes: int, folded: bool = False) -> keras.Model:
    """A residual network (He et al. 2016) from grey pictures to the logits of classes.

    It is small, and most of its work is done at a half and a quarter of the size.

    Args:
        size: height and width of the pictures, float32 [N, size, size], 0..255.
        classes: how many logits there are.
        folded: for serving, without the batch normalisations; ``fold_normalisations`` gives it
            its weights.
    """

    def convolution(
        x: Any, name: str, filters: int, strides: int = 1, activation: str = "relu"
    ) -> Any:
        x = layers.Conv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            use_bias=folded,
            kernel_initializer="he_normal",
            name=name,
        )(x)
        if not folded:
            # Few epochs: averages over 100 steps, as Keras' default of 0.99 makes them, come
            # too late.
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
        return layers.Activation(activation)(x)

    def residual(x: Any, name: str, filters: int) -> Any:
        y = convolution(x, f"{name}_1", filters)
        y = convolution(y, f"{name}_2", filters, activation="linear")
        return layers.Activation("relu")(layers.Add()([x, y]))

    image = keras.Input((size, size), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Reshape((size, size, 1))(x)
    x = convolution(x, "stem", 16)
    x = convolution(x, "half", 32, strides=2)
    x = residual(x, "block_1", 32)
    x = convolution(x, "quarter", 80, strides=2)
    x = residual(x, "block_2", 80)
    x = residual(x, "block_3", 80)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="residual")


def fold_normalisations(trained: keras.Model) -> keras.Model:
    """Return a trained residual network, each normalisation in its convolution: it is faster."""
    folded = residual_network(trained.input_shape[1], trained.output_shape[1], folded=True)
    for layer in folded.layers:
        if isinstance(layer, layers.Conv2D):
            norm = trained.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = norm.get_weights()
            (kernel,) = trained.get_layer(layer.name).get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            layer.set_weights([kernel * scale, beta - mean * scale])
    folded.get_layer("logits").set_weights(trained.get_layer("logits").get_weights())
    return folded
