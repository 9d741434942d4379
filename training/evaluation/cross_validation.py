"""The error of a model that learns from all its examples, by repeated cross-validation."""

import math
from typing import Any

import numpy as np

from training.array_types import Floats, Ints
from training.evaluation.intervals import Z_95, log_reach
from training.evaluation.metrics import baselines, regression_errors


def cross_validation(
    actual: Floats, predicted: Floats, fold_of: Ints, coverage: float
) -> dict[str, Any]:
    """Measure a regression by repeated cross-validation; the result is JSON, for the card.

    Args:
        actual: above zero, [N].
        predicted: by the models that never saw the example, [repeats, N].
        fold_of: the fold that the example was in, from 0, [repeats, N].
        coverage: of the prediction intervals, as in ``intervals.log_reach``. The interval that is
            checked on a fold comes from the other folds alone.
    """
    each = [regression_errors(actual, row) for row in predicted]
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
            "low": float(mae.mean() - Z_95 * spread),
            "high": float(mae.mean() + Z_95 * spread),
        },
        "cross_validation": {
            "repeats": repeats,
            "folds": folds,
            "mae": float(mae.mean()),
            "mae_sd_of_repeats": float(mae.std(ddof=1)),
            "rmse": float(rmse.mean()),
            "rmse_sd_of_repeats": float(rmse.std(ddof=1)),
        },
        "baselines": baselines(actual),
        "interval": {
            "method": "conformal, on out-of-fold errors of the logarithm (Vovk et al. 2005)",
            "target": coverage,
            "coverage": float(np.concatenate(inside).mean()),
            "mean_width": float(np.concatenate(widths).mean()),
        },
    }
