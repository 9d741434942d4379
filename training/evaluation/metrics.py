"""Metrics on a test set, of a classifier and of a regression; for the card."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from training.array_types import Floats
from training.evaluation.calibration import calibration_error, reliability
from training.evaluation.intervals import Z_95, mean_of_shares, wilson
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions
from training.evaluation.probabilities import log_loss


def measure_classifier(answers: ClassificationPredictions) -> dict[str, Any]:
    """Measure a classifier; the result is JSON, for the card."""
    probabilities, labels, names = answers.probabilities, answers.labels, answers.names
    count = len(names)
    confusion = np.bincount(labels * count + answers.predicted(), minlength=count * count)
    confusion = confusion.reshape(count, count)
    correct = int(np.trace(confusion))
    low, high = wilson(correct, len(labels))
    per_class = [_of_class(confusion, index, name) for index, name in enumerate(names)]
    # Of classes that occur: of one without a test row nothing is known.
    known = confusion.sum(axis=1) > 0
    hits, support = np.diag(confusion)[known].tolist(), confusion.sum(axis=1)[known].tolist()
    return {
        "headline": {
            "name": "test accuracy",
            "value": correct / len(labels),
            "low": low,
            "high": high,
        },
        "examples": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_ci95": [low, high],
        # Beside accuracy, which hides errors on rare classes.
        "balanced_accuracy": float(np.mean(np.divide(hits, support))),
        "balanced_accuracy_ci95": list(mean_of_shares(hits, support)),
        "macro_f1": float(np.mean([row["f1"] for row in per_class if row["support"]])),
        "accuracy_of_the_commonest": max(support) / len(labels),
        "log_loss": log_loss(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
        # The bins that make up the calibration error; the service's page draws them.
        "reliability": [asdict(each) for each in reliability(answers)],
        "per_class": per_class,
        "confusion": {"rows": "true", "columns": "predicted", "counts": confusion.tolist()},
    }


def regression_errors(actual: Floats, predicted: Floats) -> dict[str, float]:
    """Return mean absolute error, root mean squared error and bias, in the target's unit.

    Args:
        actual: [N].
        predicted: [N].
    """
    error = predicted.astype(np.float64) - actual
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "bias": float(error.mean()),
    }


def baselines(actual: Floats) -> dict[str, float]:
    """Return the mean absolute errors of constant answers, the mean and the median; [N]."""
    known = actual.astype(np.float64)
    return {
        "mae_of_the_mean": float(np.abs(known - known.mean()).mean()),
        "mae_of_the_median": float(np.abs(known - np.median(known)).mean()),
    }


def measure_estimator(answers: RegressionPredictions) -> dict[str, Any]:
    """Measure an estimator of numbers on a test set; the result is JSON, for the card."""
    errors = answers.errors()
    half = Z_95 * errors.std(ddof=1) / math.sqrt(len(errors))
    figures: dict[str, Any] = regression_errors(answers.actual, answers.predicted.mean(axis=0))
    if answers.low is not None and answers.high is not None:
        inside = (answers.low <= answers.actual) & (answers.actual <= answers.high)
        figures["interval_coverage"] = float(inside.mean())
    return {
        "headline": {
            "name": "test MAE",
            "value": float(errors.mean()),
            "low": float(errors.mean() - half),
            "high": float(errors.mean() + half),
        },
        "examples": len(errors),
        **figures,
        "baselines": baselines(answers.actual),
    }


def beside_the_headline(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that belong beside a headline."""
    if "balanced_accuracy" in evaluation:
        low, high = evaluation["balanced_accuracy_ci95"]
        yield (
            f"balanced accuracy: {evaluation['balanced_accuracy']:.4f} ({low:.4f} to {high:.4f}); "
            f"macro F1: {evaluation['macro_f1']:.4f}; always answering the commonest class: "
            f"{evaluation['accuracy_of_the_commonest']:.4f}"
        )
        lost = [row["label"] for row in evaluation["per_class"] if not row["recall"]]
        if lost:
            yield f"never found: {', '.join(map(repr, lost))}"
    if "baselines" in evaluation:
        constant = evaluation["baselines"]
        yield (
            f"always answering the median: {constant['mae_of_the_median']:.4f}; "
            f"the mean: {constant['mae_of_the_mean']:.4f}"
        )


def _of_class(confusion: npt.NDArray[np.int64], index: int, name: str) -> dict[str, Any]:
    hits = int(confusion[index, index])
    support, claimed = int(confusion[index].sum()), int(confusion[:, index].sum())
    return {
        "label": name,
        "precision": hits / claimed if claimed else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + claimed) if support + claimed else 0.0,
        "support": support,
    }
