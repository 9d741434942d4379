"""The measurements, against numbers known from elsewhere."""

import json
import math

import numpy as np
import pytest

from training.evaluation import metrics
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions


def test_classification() -> None:
    probabilities = np.eye(2)[[0, 0, 1, 1]]
    answers = ClassificationPredictions(
        names=["no", "yes"], labels=np.array([0, 1, 1, 1]), probabilities=probabilities
    )
    report = metrics.measure_classifier(answers)
    assert report["accuracy"] == 0.75
    assert report["confusion"]["counts"] == [[1, 0], [1, 2]]
    no, yes = report["per_class"]
    assert no == {"label": "no", "precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert yes == {"label": "yes", "precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    low, high = report["accuracy_ci95"]
    assert low < 0.75 < high
    assert report["balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert report["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert report["accuracy_of_the_commonest"] == 0.75
    assert report["reliability"] == [
        {"low": 14 / 15, "high": 1.0, "count": 4, "confidence": 1.0, "accuracy": 0.75}
    ]
    json.dumps(report)


def test_a_class_without_a_test_row_is_in_no_mean() -> None:
    answers = ClassificationPredictions(
        names=["no", "yes", "never"], labels=np.array([0, 1]), probabilities=np.eye(3)[[0, 1]]
    )
    report = metrics.measure_classifier(answers)
    assert (report["balanced_accuracy"], report["macro_f1"]) == (1, 1)


def test_regression() -> None:
    report = metrics.regression_errors(np.array([1.0, 2.0]), np.array([2.0, 5.0]))
    assert report == {"mae": 2.0, "rmse": pytest.approx(math.sqrt(5)), "bias": 2.0}


def test_estimation() -> None:
    answers = RegressionPredictions(
        unit="m",
        actual=np.array([1.0, 2.0, 3.0]),
        predicted=np.array([[2.0, 2.0, 5.0]]),
        low=np.array([0.0, 1.0, 4.0]),
        high=np.array([3.0, 2.0, 6.0]),
    )
    report = metrics.measure_estimator(answers)
    assert report["headline"]["value"] == report["mae"] == 1.0
    half = 1.96 * 1.0 / math.sqrt(3)
    assert report["headline"]["low"] == pytest.approx(1 - half, abs=1e-4)
    assert report["headline"]["high"] == pytest.approx(1 + half, abs=1e-4)
    assert report["baselines"] == {
        "mae_of_the_mean": pytest.approx(2 / 3),
        "mae_of_the_median": pytest.approx(2 / 3),
    }
    assert report["interval_coverage"] == pytest.approx(2 / 3)
