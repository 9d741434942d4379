"""The two dense networks of TensorFlow's tutorials, made for a run, so that all can load them.

Next to no time goes into their arithmetic, so what is measured is the serving. Their weights are
random, and so are the rows that they are asked for: speed does not depend on more than that.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """A dense network with one input and one output.

    Attributes:
        name: the model's name.
        input: the input's name.
        shape: the shape of one row of the input.
        scale: what the input is divided by.
        widths: units of each layer; the last is the output's.
        output: the output's name.
        is_classifier: whether the output is probabilities.
    """

    name: str
    input: str
    shape: tuple[int, ...]
    scale: float
    widths: tuple[int, ...]
    output: str
    is_classifier: bool


# "Basic classification" and "Basic regression".
PICTURES = Network("clothing_dense", "image", (28, 28), 255.0, (128, 10), "probabilities", True)
ROWS = Network("row_dense", "row", (9,), 1.0, (64, 64, 1), "value", False)

NETWORKS: Mapping[str, Network] = {network.name: network for network in (PICTURES, ROWS)}


def random_weights(network: Network, seed: int = 0) -> list[Floats]:
    """Return a matrix for each layer, of the size that training starts from (He et al. 2015)."""
    random = np.random.default_rng(seed)
    widths = (prod(network.shape), *network.widths)
    return [
        random.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)
        for inputs, outputs in pairwise(widths)
    ]


def random_rows(network: Network, count: int, seed: int = 0) -> npt.NDArray[Any]:
    """Return ``count`` rows of input, [count, ...].

    For pictures these are greys from 0 to 255, of which about half are black as in Fashion-MNIST;
    for others, numbers of six digits, as standardised measurements are written.
    """
    random = np.random.default_rng(seed)
    if network is not PICTURES:
        return random.normal(size=(count, *network.shape)).round(5)
    greys = random.integers(1, 256, size=(count, *network.shape))
    return np.where(random.random(greys.shape) < 0.5, 0, greys)


def answers(network: Network, weights: list[Floats], rows: Any) -> Floats:
    """Compute with numpy what the exported network must answer, [N, outputs].

    Args:
        network: the network.
        weights: a matrix for each layer.
        rows: its input, [N, ...].
    """
    values: Floats = np.asarray(rows, dtype=np.float32).reshape(len(rows), -1)
    values = values / np.float32(network.scale)
    for layer in weights[:-1]:
        values = np.maximum(values @ layer, 0)
    values = values @ weights[-1]
    if not network.is_classifier:
        return values
    exponents: Floats = np.exp(values - values.max(axis=1, keepdims=True))
    shares: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return shares


def export(directory: Path, network: Network, weights: list[Floats]) -> None:
    """Write the network as a SavedModel, with the names of its input and output."""
    # Here, and run in a process of its own: the benchmark itself has no use for TensorFlow.
    import tensorflow as tf

    class Layers(tf.Module):
        """Holds the variables, and the function that the signature is made of."""

        def __init__(self) -> None:
            super().__init__()
            self.weights = [tf.Variable(layer) for layer in weights]

        def serve(self, rows: Any) -> dict[str, Any]:
            values = tf.reshape(rows, [-1, prod(network.shape)]) / network.scale
            for layer in self.weights[:-1]:
                values = tf.nn.relu(values @ layer)
            values = values @ self.weights[-1]
            return {network.output: tf.nn.softmax(values) if network.is_classifier else values}

    layers = Layers()
    rows = tf.TensorSpec([None, *network.shape], tf.float32, name=network.input)
    serve = tf.function(layers.serve).get_concrete_function(rows)
    tf.saved_model.save(layers, str(directory), signatures={"serving_default": serve})


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = NETWORKS[sys.argv[1]]
    export(Path(sys.argv[2]), chosen, random_weights(chosen))
