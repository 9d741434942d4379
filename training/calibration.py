"""How far a probability can be taken at its word: on which share of the examples it is right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.answers import Classified
from training.evaluation import BINS, TINY, bins_of, calibration_error, log_loss, softmax


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


def reliability(answers: Classified) -> list[Bin]:
    """Return the bins of a reliability diagram that hold answers (DeGroot & Fienberg 1983).

    They are those of the expected calibration error: it is the mean of their gaps between
    confidence and accuracy, weighted by their counts.
    """
    confidence, right = answers.probabilities.max(axis=1), answers.right()
    bins = bins_of(confidence)
    return [
        Bin(
            low=int(number) / BINS,
            high=(int(number) + 1) / BINS,
            count=int((bins == number).sum()),
            confidence=float(confidence[bins == number].mean()),
            accuracy=float(right[bins == number].mean()),
        )
        for number in np.unique(bins)
    ]


def uncalibrated(answers: Classified, temperature: float) -> Classified:
    """Return the answers as they would be without the temperature that they were served with.

    With probabilities p = softmax(z / T), T ln p are the logits z but for a constant of each
    example, which the softmax does not see.
    """
    logits = temperature * np.log(np.maximum(answers.probabilities.astype(np.float64), TINY))
    return Classified(names=answers.names, labels=answers.labels, probabilities=softmax(logits))


def on_test_set(answers: Classified, calibration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's ``calibration`` with what the temperature does on the test set."""
    before = uncalibrated(answers, calibration["temperature"])
    figures = {
        f"{name}_{when}": measure(of.probabilities, of.labels)
        for name, measure in (("calibration_error", calibration_error), ("log_loss", log_loss))
        for when, of in (("before", before), ("after", answers))
    }
    return {**calibration, "test": {"examples": len(answers.labels), **figures}}
