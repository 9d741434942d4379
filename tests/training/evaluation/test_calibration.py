"""Whether probabilities can be taken at their word, and how they come to be so."""

import re

import numpy as np
import pytest

from training.evaluation import calibration
from training.evaluation.predictions import ClassificationPredictions
from training.evaluation.probabilities import softmax

RANDOM = np.random.default_rng(0)


def test_calibration_error() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.3, 0.7]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [1] * 5 + [0] * 5)
    # |0.9 - 0.8| and |0.7 - 0.5|, each of half of the examples
    assert calibration.calibration_error(probabilities, labels) == pytest.approx(0.15)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(true: float) -> None:
    logits = RANDOM.normal(size=(20_000, 3)) * 2
    odds = softmax(logits).cumsum(axis=1)
    labels = (RANDOM.random((20_000, 1)) > odds).sum(axis=1)
    assert calibration.temperature(logits * true, labels) == pytest.approx(true, rel=0.05)


def test_a_handful_of_examples_is_no_reason_for_certainty() -> None:
    logits = np.eye(2)[np.arange(49) % 2]
    assert calibration.temperature(logits, logits.argmax(axis=1)) == 1
    more = np.eye(2)[np.arange(50) % 2]
    assert calibration.temperature(more, more.argmax(axis=1)) < 0.1


def test_reliability_bins_make_up_the_calibration_error() -> None:
    logits = RANDOM.normal(size=(2_000, 3)) * 2
    labels = (RANDOM.random((2_000, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1)
    answers = ClassificationPredictions(
        names="abc", labels=labels, probabilities=softmax(logits / 0.5)
    )
    bins = calibration.reliability(answers)
    assert sum(b.count for b in bins) == 2_000
    gap = sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / 2_000
    error = calibration.calibration_error(answers.probabilities, answers.labels)
    assert gap == pytest.approx(error)
    assert all(b.low <= b.confidence <= b.high for b in bins)


def test_a_temperature_is_undone() -> None:
    logits = RANDOM.normal(size=(50, 4))
    labels = np.zeros(50, np.int64)
    served = ClassificationPredictions(
        names="abcd", labels=labels, probabilities=softmax(logits / 0.7)
    )
    before = calibration.uncalibrated(served, 0.7)
    np.testing.assert_allclose(before.probabilities, softmax(logits), atol=1e-9)
    figures = calibration.on_test_set(served, {"temperature": 0.7})["test"]
    assert figures["calibration_error_before"] == pytest.approx(
        calibration.calibration_error(softmax(logits), labels)
    )
    assert re.match(r"\d", str(figures["log_loss_after"]))
