"""A dense network for clothing, as in TensorFlow's "Basic classification": 784, 128, 10.

The service's own model is convolutional; with this one next to no time goes into arithmetic, so
what is measured is the serving. Its weights are random, and so are its pictures, of which about
half the pixels are black as in Fashion-MNIST: speed does not depend on more than that.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_HIDDEN = 128
_CLASSES = 10
_PIXELS = 28 * 28
_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The network's weights: ``hidden`` [784, 128] and ``out`` [128, 10]."""

    hidden: Floats
    out: Floats


def random_weights(seed: int = 0) -> Weights:
    """Return weights of the size that training starts from (He et al. 2015)."""
    random = np.random.default_rng(seed)

    def layer(inputs: int, outputs: int) -> Floats:
        scale = float(np.sqrt(2 / inputs))
        weights: Floats = random.normal(0, scale, (inputs, outputs)).astype(np.float32)
        return weights

    return Weights(layer(_PIXELS, _HIDDEN), layer(_HIDDEN, _CLASSES))


def random_pictures(count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return pictures [count, 28, 28] of greys from 0 to 255."""
    random = np.random.default_rng(seed)
    greys = random.integers(1, 256, size=(count, 28, 28))
    return np.where(random.random(greys.shape) < 0.5, 0, greys)


def probabilities(weights: Weights, images: Any) -> Floats:
    """Compute with numpy what the exported network must answer, [N, 10].

    Args:
        weights: the network's.
        images: greys from 0 to 255, [N, 28, 28].
    """
    pixels = np.asarray(images, dtype=np.float32).reshape(-1, _PIXELS) / _WHITE
    logits = np.maximum(pixels @ weights.hidden, 0) @ weights.out
    exponents: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    answers: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return answers


def export(directory: Path, weights: Weights) -> None:
    """Write the network as a SavedModel: ``image`` [N, 28, 28] to ``probabilities`` [N, 10]."""
    # Here, and run in a process of its own: the benchmark itself has no use for TensorFlow.
    import tensorflow as tf

    class Network(tf.Module):
        """Holds the variables, and the function that the signature is made of."""

        def __init__(self) -> None:
            super().__init__()
            self.hidden = tf.Variable(weights.hidden)
            self.out = tf.Variable(weights.out)

        def serve(self, image: Any) -> dict[str, Any]:
            pixels = tf.reshape(image, [-1, _PIXELS]) / _WHITE
            logits = tf.nn.relu(pixels @ self.hidden) @ self.out
            return {"probabilities": tf.nn.softmax(logits)}

    network = Network()
    image = tf.TensorSpec([None, 28, 28], tf.float32, name="image")
    serve = tf.function(network.serve).get_concrete_function(image)
    tf.saved_model.save(network, str(directory), signatures={"serving_default": serve})


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    export(Path(sys.argv[1]), random_weights())
