"""Whether a version is significantly better than a constant answer.

For own data no minimum quality is known, but every model should beat a constant answer. The end of
an interval decides, not the figure itself: with few rows a good figure says little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.metrics import measure_classifier
from training.evaluation.predictions import (
    ClassificationPredictions,
    Predictions,
    RegressionPredictions,
)
from training.evaluation.significance import LEVEL, paired_bootstrap

_TELL = "too few rows to tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """How a version compares with a constant answer.

    Attributes:
        beaten: whether the version is better than luck.
        sentence: why, with the numbers.
        figures: the numbers as JSON.
    """

    beaten: bool
    sentence: str
    figures: Mapping[str, Any]


def beyond_luck(answers: Predictions) -> Luck:
    """Compare answers, to a test set or of a cross-validation, with a constant answer."""
    if isinstance(answers, ClassificationPredictions):
        return _classes(answers)
    return _numbers(answers)


def _classes(answers: ClassificationPredictions) -> Luck:
    """Compare the mean of the classes' recalls with what any constant answer reaches."""
    figures = measure_classifier(answers)
    low, high = figures["balanced_accuracy_ci95"]
    value, luck = figures["balanced_accuracy"], 1 / len(answers.names)
    rows = figures["per_class"]
    untested = [row["label"] for row in rows if not row["support"]]
    lost = [row for row in rows if row["support"] and not row["recall"]]
    sentence = (
        f"The mean recall of the classes is {value:.4f} on {len(answers.labels):,} test rows "
        f"(95 % confidence: {low:.4f} to {high:.4f}); one answer to all reaches {luck:.4f}"
    )
    if value > luck >= low:
        sentence += f": {_TELL}"
    if untested:
        sentence += f"; no test row is of class {_listed(untested)}"
    if lost:
        named = [f"{row['label']!r} (0 of {row['support']} test rows)" for row in lost]
        sentence += f"; never found: {', '.join(named)}"
    return Luck(
        beaten=low > luck and not untested and not lost,
        sentence=f"{sentence}.",
        figures={"value": value, "low": low, "high": high, "luck": luck},
    )


def _numbers(answers: RegressionPredictions) -> Luck:
    """Compare the errors with those of the median, example by example."""
    errors = answers.errors()
    constant = np.abs(answers.actual.astype(np.float64) - np.median(answers.actual))
    difference = paired_bootstrap(errors - constant)
    sentence = (
        f"The MAE is {errors.mean():.4f} on {len(errors):,} rows; answering the median reaches "
        f"{constant.mean():.4f}: {difference.mean:+.4f} ({1 - 2 * LEVEL:.0%} interval "
        f"{difference.low:+.4f} to {difference.high:+.4f})"
    )
    if difference.mean < 0 <= difference.high:
        sentence += f": {_TELL}"
    return Luck(
        beaten=difference.high < 0,
        sentence=f"{sentence}.",
        figures={
            "value": float(errors.mean()),
            "luck": float(constant.mean()),
            "interval": [difference.low, difference.high],
        },
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
