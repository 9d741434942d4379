"""Measurements: classes with confidence intervals and calibration, numbers with their errors."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from training.answers import Classified, Estimated

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]

# The 97.5 % quantile of the normal distribution, for two-sided 95 % intervals.
_Z_95 = 1.959964
# The number of bins of Guo et al. 2017.
BINS = 15
_FEWEST_TO_CALIBRATE = 50
# No probability is taken for 0 in a logarithm.
TINY = 1e-12


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927)."""
    share = successes / trials
    scale = 1 + _Z_95**2 / trials
    centre = (share + _Z_95**2 / (2 * trials)) / scale
    half = _Z_95 / scale * math.sqrt(share * (1 - share) / trials + (_Z_95 / (2 * trials)) ** 2)
    return centre - half, centre + half


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the expected calibration error (Naeini et al. 2015) over 15 bins of equal width.

    Args:
        probabilities: [N, classes].
        labels: the true classes, [N].
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = bins_of(confidence)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def bins_of(confidence: Floats) -> Labels:
    """Return the number of the bin, from 0, that each confidence lies in."""
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Return the mean of -ln p(true class), in nats; arguments as for ``calibration_error``."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, TINY)).mean())


def softmax(logits: Floats) -> Floats:
    """Return the probabilities of logits [N, classes]."""
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def temperature(logits: Floats, labels: Labels) -> float:
    """Return the temperature T that makes softmax(logits / T) least surprised (Guo et al. 2017).

    Of a handful of examples, all may be answered rightly, and the least surprise would be blind
    certainty; so fewer than 50 leave the logits as they are, T = 1.

    Args:
        logits: of held-out examples, [N, classes].
        labels: their classes, [N].
    """
    if len(labels) < _FEWEST_TO_CALIBRATE:
        return 1.0
    low, high = math.log(0.05), math.log(20.0)
    golden = (math.sqrt(5) - 1) / 2

    def loss(log_temperature: float) -> float:
        return log_loss(softmax(logits.astype(np.float64) / math.exp(log_temperature)), labels)

    # The loss has one minimum in T: a golden-section search finds it to 1e-4 of itself.
    while high - low > 1e-4:
        left, right = high - golden * (high - low), low + golden * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def calibration(logits: Floats, labels: Labels, scale: float) -> dict[str, Any]:
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


def classification(answers: Classified) -> dict[str, Any]:
    """Measure a classifier; the result is JSON, for the card."""
    probabilities, labels, names = answers.probabilities, answers.labels, answers.names
    count = len(names)
    confusion = np.bincount(labels * count + answers.predicted(), minlength=count * count)
    confusion = confusion.reshape(count, count)
    correct = int(np.trace(confusion))
    low, high = wilson(correct, len(labels))
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
        "log_loss": log_loss(probabilities, labels),
        "calibration_error": calibration_error(probabilities, labels),
        "per_class": [_of_class(confusion, index, name) for index, name in enumerate(names)],
        "confusion": {"rows": "true", "columns": "predicted", "counts": confusion.tolist()},
    }


def regression(actual: Floats, predicted: Floats) -> dict[str, float]:
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


def estimation(answers: Estimated) -> dict[str, Any]:
    """Measure an estimator of numbers on a test set; the result is JSON, for the card."""
    errors = answers.errors()
    half = _Z_95 * errors.std(ddof=1) / math.sqrt(len(errors))
    figures: dict[str, Any] = regression(answers.actual, answers.predicted.mean(axis=0))
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
    }


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """Return the score that a new one stays below with probability ``coverage``.

    It is the ceil((n + 1) * coverage)-th smallest of the n scores (Vovk et al. 2005), the largest
    where there are too few.
    """
    rank = min(math.ceil((len(scores) + 1) * coverage), len(scores))
    return float(np.sort(scores)[rank - 1])


def log_reach(actual: Floats, predicted: Floats, coverage: float) -> float:
    """Return by how much the logarithm may be off, so that an interval holds what it should.

    Args:
        actual: above zero, [N].
        predicted: for the same examples, by models that never saw them, [repeats, N].
        coverage: the share of new examples that shall lie within
            [predicted / exp(reach), predicted * exp(reach)].
    """
    return conformal_quantile(np.abs(np.log(predicted / actual)).ravel(), coverage)


def cross_validation(
    actual: Floats, predicted: Floats, fold_of: Labels, coverage: float
) -> dict[str, Any]:
    """Measure a regression by repeated cross-validation; the result is JSON, for the card.

    Args:
        actual: above zero, [N].
        predicted: by the models that never saw the example, [repeats, N].
        fold_of: the fold that the example was in, from 0, [repeats, N].
        coverage: of the prediction intervals, as in ``log_reach``. The interval that is checked
            on a fold comes from the other folds alone.
    """
    each = [regression(actual, row) for row in predicted]
    mae = np.array([row["mae"] for row in each])
    rmse = np.array([row["rmse"] for row in each])
    repeats, folds = len(predicted), int(fold_of.max()) + 1
    # The repeats share the examples, so the error of the mean is that over the examples.
    spread = np.abs(predicted - actual).mean(axis=0).std(ddof=1) / math.sqrt(len(actual))
    inside, widths = [], []
    for row, folds_of_row in zip(predicted, fold_of, strict=True):
        for fold in range(folds):
            here = folds_of_row == fold
            reach = log_reach(actual[~here], row[None, ~here], coverage)
            inside.append(np.abs(np.log(row[here] / actual[here])) <= reach)
            widths.append(row[here] * 2 * math.sinh(reach))
    return {
        "headline": {
            "name": f"MAE by {repeats} x {folds}-fold cross-validation",
            "value": float(mae.mean()),
            "low": float(mae.mean() - _Z_95 * spread),
            "high": float(mae.mean() + _Z_95 * spread),
        },
        "cross_validation": {
            "repeats": repeats,
            "folds": folds,
            "mae": float(mae.mean()),
            "mae_sd_of_repeats": float(mae.std(ddof=1)),
            "rmse": float(rmse.mean()),
            "rmse_sd_of_repeats": float(rmse.std(ddof=1)),
        },
        "interval": {
            "method": "conformal, on out-of-fold errors of the logarithm (Vovk et al. 2005)",
            "target": coverage,
            "coverage": float(np.concatenate(inside).mean()),
            "mean_width": float(np.concatenate(widths).mean()),
        },
    }


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
