"""Probabilities of classes from logits, and their log loss."""

import numpy as np
import numpy.typing as npt

from training.array_types import Floats, Ints

# No probability is taken for 0 in a logarithm.
_TINY = 1e-12


def softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits [N, classes]."""
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def logarithms(probabilities: Floats) -> npt.NDArray[np.float64]:
    """Return the natural logarithms of probabilities, that of 0 finite as well."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), _TINY)))


def log_loss(probabilities: Floats, labels: Ints) -> float:
    """Return the mean of -ln p(true class), in nats.

    Args:
        probabilities: [N, classes].
        labels: the true classes, [N].
    """
    return float(-logarithms(probabilities[np.arange(len(labels)), labels]).mean())
