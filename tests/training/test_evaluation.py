"""The measurements, against numbers known from elsewhere."""

import math

import numpy as np
import pytest

from training import evaluation
from training.answers import Classified, Estimated

RANDOM = np.random.default_rng(0)


def test_wilson_interval() -> None:
    # Newcombe 1998, table I: 81 of 263.
    assert evaluation.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert evaluation.wilson(10, 10)[1] == pytest.approx(1)


def test_calibration_error() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.3, 0.7]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [1] * 5 + [0] * 5)
    # |0.9 - 0.8| and |0.7 - 0.5|, each of half of the examples
    assert evaluation.calibration_error(probabilities, labels) == pytest.approx(0.15)


def test_log_loss_stays_finite() -> None:
    sure = np.array([[1.0, 0.0]])
    assert evaluation.log_loss(sure, np.array([0])) == 0
    assert evaluation.log_loss(sure, np.array([1])) == pytest.approx(12 * math.log(10))


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(true: float) -> None:
    logits = RANDOM.normal(size=(20_000, 3)) * 2
    odds = evaluation.softmax(logits).cumsum(axis=1)
    labels = (RANDOM.random((20_000, 1)) > odds).sum(axis=1)
    assert evaluation.temperature(logits * true, labels) == pytest.approx(true, rel=0.05)


def test_a_handful_of_examples_is_no_reason_for_certainty() -> None:
    logits = np.eye(2)[np.arange(49) % 2]
    assert evaluation.temperature(logits, logits.argmax(axis=1)) == 1
    more = np.eye(2)[np.arange(50) % 2]
    assert evaluation.temperature(more, more.argmax(axis=1)) < 0.1


def test_classification() -> None:
    probabilities = np.eye(2)[[0, 0, 1, 1]]
    answers = Classified(
        names=["no", "yes"], labels=np.array([0, 1, 1, 1]), probabilities=probabilities
    )
    report = evaluation.classification(answers)
    assert report["accuracy"] == 0.75
    assert report["confusion"]["counts"] == [[1, 0], [1, 2]]
    no, yes = report["per_class"]
    assert no == {"label": "no", "precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert yes == {"label": "yes", "precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    low, high = report["accuracy_ci95"]
    assert low < 0.75 < high


def test_regression() -> None:
    report = evaluation.regression(np.array([1.0, 2.0]), np.array([2.0, 5.0]))
    assert report == {"mae": 2.0, "rmse": pytest.approx(math.sqrt(5)), "bias": 2.0}


def test_estimation() -> None:
    answers = Estimated(
        unit="m",
        actual=np.array([1.0, 2.0, 3.0]),
        predicted=np.array([[2.0, 2.0, 5.0]]),
        low=np.array([0.0, 1.0, 4.0]),
        high=np.array([3.0, 2.0, 6.0]),
    )
    report = evaluation.estimation(answers)
    assert report["headline"]["value"] == report["mae"] == 1.0
    half = 1.96 * 1.0 / math.sqrt(3)
    assert report["headline"]["low"] == pytest.approx(1 - half, abs=1e-4)
    assert report["headline"]["high"] == pytest.approx(1 + half, abs=1e-4)
    assert report["interval_coverage"] == pytest.approx(2 / 3)


def test_conformal_quantile() -> None:
    scores = np.arange(1.0, 100.0)
    assert evaluation.conformal_quantile(scores, 0.9) == 90
    assert evaluation.conformal_quantile(np.array([3.0, 1.0]), 0.9) == 3


def test_cross_validation_covers_what_it_promises() -> None:
    actual = RANDOM.uniform(10, 40, 4_000)
    predicted = actual * np.exp(RANDOM.normal(0, 0.1, (2, 4_000)))
    fold_of = RANDOM.integers(0, 5, (2, 4_000))
    report = evaluation.cross_validation(actual, predicted, fold_of, 0.9)
    assert report["headline"]["name"] == "MAE by 2 x 5-fold cross-validation"
    assert report["cross_validation"]["mae"] == pytest.approx(np.abs(predicted - actual).mean())
    assert report["interval"]["coverage"] == pytest.approx(0.9, abs=0.01)
    assert report["interval"]["mean_width"] == pytest.approx(25 * 2 * 1.645 * 0.1, rel=0.05)
