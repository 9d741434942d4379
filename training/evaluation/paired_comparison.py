"""Compares a new version with the live one on the same examples, pair by pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.array_types import Floats
from training.evaluation.out_of_fold import kept_errors
from training.evaluation.predictions import (
    ClassificationPredictions,
    Predictions,
    RegressionPredictions,
)
from training.evaluation.significance import LEVEL, mcnemar, paired_bootstrap, wald_of_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a new version compares with the live one.

    Attributes:
        metric: "accuracy" or "MAE".
        examples: how many both answered.
        of: what these examples are.
        live: the live version's metric on them.
        new: the new version's.
        low: lower end of the interval of ``new - live``.
        high: upper end.
        confidence: of that interval, 0 to 1.
        p: how probable so large a regression is if both are equally good.
        test: the test that says so.
        detail: more for the reader, a clause; may be empty.
    """

    metric: str
    examples: int
    of: str
    live: float
    new: float
    low: float
    high: float
    confidence: float
    p: float
    test: str
    detail: str = ""

    @property
    def is_regression(self) -> bool:
        """Whether the new version is significantly worse."""
        worse = self.new < self.live if self.metric == "accuracy" else self.new > self.live
        return worse and self.p < LEVEL

    def sentence(self, version: int) -> str:
        """Return it in words; ``version`` is the live one's number."""
        gain, bounds = self.new - self.live, (self.low, self.high)
        if self.metric != "accuracy":  # of an error, less is better
            gain, bounds = -gain, (-self.high, -self.low)
        low, high = bounds if gain >= 0 else (-bounds[1], -bounds[0])
        # That it is worse may be chance; that it is better needs no test.
        chance = "" if gain >= 0 else f"; {self.test}, p {_p(self.p)}"
        return (
            f"{'Better' if gain >= 0 else 'Worse'} by {abs(gain):.4f} {self.metric} than live "
            f"version {version} ({self.confidence * 100:.0f} % interval {low:.4f} to {high:.4f}"
            f"{chance}): {self.new:.4f} instead of {self.live:.4f} on the same "
            f"{self.examples:,} {self.of}{self.detail and '; '}{self.detail}."
        )

    def to_json(self) -> dict[str, Any]:
        """Return it for the card."""
        return {
            "metric": self.metric,
            "examples": self.examples,
            "of": self.of,
            "live": self.live,
            "new": self.new,
            "interval": [self.low, self.high],
            "confidence": self.confidence,
            "test": self.test,
            "p": self.p,
            "significant_below": LEVEL,
        }


def compare_answers(new: Predictions, live: Predictions) -> Comparison:
    """Compare what two versions answered to the same examples in the same order."""
    if isinstance(new, ClassificationPredictions):
        assert isinstance(live, ClassificationPredictions)
        return compare_classes(new, live)
    assert isinstance(live, RegressionPredictions)
    return compare_errors(new.errors(), live.errors())


def compare_classes(new: ClassificationPredictions, live: ClassificationPredictions) -> Comparison:
    """Compare two classifiers that answered the same examples in the same order."""
    right, was_right = new.right(), live.right()
    lost, won = int((was_right & ~right).sum()), int((right & ~was_right).sum())
    low, high = wald_of_pairs(lost, won, len(right))
    return Comparison(
        metric="accuracy",
        examples=len(right),
        of="test examples",
        live=float(was_right.mean()),
        new=float(right.mean()),
        low=low,
        high=high,
        confidence=0.95,
        p=mcnemar(lost, won),
        test="McNemar's test, mid-p, one-sided",
        detail=f"only the live one is right on {lost:,}, only the new one on {won:,}",
    )


def compare_errors(new: Floats, live: Floats, of: str = "test examples") -> Comparison:
    """Compare the errors that two estimators made on the same examples, [N] each."""
    difference = paired_bootstrap(new - live)
    return Comparison(
        metric="MAE",
        examples=len(new),
        of=of,
        live=float(live.mean()),
        new=float(new.mean()),
        low=difference.low,
        high=difference.high,
        confidence=1 - 2 * LEVEL,
        p=difference.p,
        test="paired bootstrap, one-sided",
    )


def compare_out_of_fold(new: RegressionPredictions, live: Mapping[str, float]) -> Comparison | None:
    """Compare two cross-validations on the examples that both had; ``None`` without any.

    Args:
        new: the answers of the new version, with keys.
        live: the errors that are kept with the live one, as ``out_of_fold.kept_errors``.
    """
    # Rounded as the live one's: else two versions with the same weights differ by what was rounded
    # off, which may be more than 0 significantly.
    errors = kept_errors(new)
    shared = [key for key in live if key in errors]
    if not shared:
        return None
    new_ones, old_ones = (np.array([each[key] for key in shared]) for each in (errors, live))
    return compare_errors(new_ones, old_ones, "examples, each held out")


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}"
