"""Calibration: whether predicted probabilities agree with observed frequencies."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from training.array_types import Floats, Ints
from training.evaluation.predictions import ClassificationPredictions
from training.evaluation.probabilities import log_loss, logarithms, softmax

# The number of bins of Guo et al. 2017.
_BINS = 15
_FEWEST_TO_CALIBRATE = 50


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies between two bounds.

    Attributes:
        low: the lower bound, included.
        high: the upper bound.
        count: how many answers.
        confidence: their mean confidence.
        accuracy: the share of them that is right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def calibration_error(probabilities: Floats, labels: Ints) -> float:
    """Return the expected calibration error (Naeini et al. 2015) over 15 bins of equal width.

    Args:
        probabilities: [N, classes].
        labels: the true classes, [N].
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = _bins_of(confidence)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def reliability(answers: ClassificationPredictions) -> list[Bin]:
    """Return the bins of a reliability diagram that hold answers (DeGroot & Fienberg 1983).

    They are those of the expected calibration error: it is the mean of their gaps between
    confidence and accuracy, weighted by their counts.
    """
    confidence, right = answers.probabilities.max(axis=1), answers.right()
    bins = _bins_of(confidence)
    return [
        Bin(
            low=int(number) / _BINS,
            high=(int(number) + 1) / _BINS,
            count=int((bins == number).sum()),
            confidence=float(confidence[bins == number].mean()),
            accuracy=float(right[bins == number].mean()),
        )
        for number in np.unique(bins)
    ]


def temperature(logits: Floats, labels: Ints) -> float:
    """Return the temperature T with the least log loss of softmax(logits / T) (Guo et al. 2017).

    A few examples may all be answered rightly, and then the least loss is at full
    certainty; so fewer than 50 leave the logits as they are, T = 1.

    Args:
        logits: of held-out examples, [N, classes].
        labels: their classes, [N].
    """
    if len(labels) < _FEWEST_TO_CALIBRATE:
        return 1.0

    def loss(log_temperature: float) -> float:
        return log_loss(softmax(logits.astype(np.float64) / math.exp(log_temperature)), labels)

    # The loss has one minimum in T, which is found to 1e-4 of itself.
    bounds = (math.log(0.05), math.log(20.0))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return math.exp(found.x)


def on_held_out(logits: Floats, labels: Ints, scale: float) -> dict[str, Any]:
    """Say what a temperature does on the held-out examples that it was found on; for the card."""
    before, after = softmax(logits), softmax(logits / scale)
    return {
        "method": "temperature scaling on held-out training data (Guo et al. 2017)",
        "temperature": scale,
        "held_out": {
            "examples": len(labels),
            "accuracy": float((before.argmax(axis=1) == labels).mean()),
            "calibration_error_before": calibration_error(before, labels),
            "calibration_error_after": calibration_error(after, labels),
            "log_loss_before": log_loss(before, labels),
            "log_loss_after": log_loss(after, labels),
        },
    }


def uncalibrated(
    answers: ClassificationPredictions, temperature: float
) -> ClassificationPredictions:
    """Return the answers as they would be without the temperature that they were served with.

    With probabilities p = softmax(z / T), T ln p are the logits z but for a constant of each
    example, which the softmax does not see.
    """
    logits = temperature * logarithms(answers.probabilities)
    return ClassificationPredictions(
        names=answers.names, labels=answers.labels, probabilities=softmax(logits)
    )


def on_test_set(
    answers: ClassificationPredictions, calibration: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a card's ``calibration`` with what the temperature does on the test set."""
    before = uncalibrated(answers, calibration["temperature"])
    figures = {
        f"{name}_{when}": measure(of.probabilities, of.labels)
        for name, measure in (("calibration_error", calibration_error), ("log_loss", log_loss))
        for when, of in (("before", before), ("after", answers))
    }
    return {**calibration, "test": {"examples": len(answers.labels), **figures}}


def _bins_of(confidence: Floats) -> Ints:
    """Return the number of the bin, from 0, that each confidence lies in."""
    return np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
