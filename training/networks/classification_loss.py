"""The loss and the metrics of a classifier, from its logits.

A classifier has a logit for each class, or a single one for both of two classes.
"""

import keras
import numpy as np
import numpy.typing as npt


def fewest_logits(classes: int) -> int:
    """Return how many logits ``classes`` classes need."""
    return 1 if classes == 2 else classes


def targets(classes: int, logits: int) -> npt.NDArray[np.float32]:
    """Return the target of each class, float32 [classes, logits]."""
    return np.eye(classes, dtype=np.float32)[:, classes - logits :]


def loss(logits: int, label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Return the cross-entropy, in nats.

    Args:
        logits: how many there are.
        label_smoothing: how much of the certainty of a label goes to all of them.
    """
    of = keras.losses.BinaryCrossentropy if logits == 1 else keras.losses.CategoricalCrossentropy
    return of(from_logits=True, label_smoothing=label_smoothing)


def metrics(logits: int) -> list[keras.metrics.Metric]:
    """Return ``accuracy`` and ``log_loss``, the cross-entropy without smoothing and penalties."""
    if logits == 1:
        return [
            keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
            keras.metrics.BinaryCrossentropy(name="log_loss", from_logits=True),
        ]
    return [
        keras.metrics.CategoricalAccuracy(name="accuracy"),
        keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
    ]
