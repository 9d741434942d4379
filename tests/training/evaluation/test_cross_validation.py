"""A cross-validation, of predictions whose errors are known."""

import numpy as np
import pytest

from training.evaluation.cross_validation import cross_validation

RANDOM = np.random.default_rng(0)


def test_cross_validation_covers_what_it_promises() -> None:
    actual = RANDOM.uniform(10, 40, 4_000)
    predicted = actual * np.exp(RANDOM.normal(0, 0.1, (2, 4_000)))
    fold_of = RANDOM.integers(0, 5, (2, 4_000))
    report = cross_validation(actual, predicted, fold_of, 0.9)
    assert report["headline"]["name"] == "MAE by 2 x 5-fold cross-validation"
    assert report["cross_validation"]["mae"] == pytest.approx(np.abs(predicted - actual).mean())
    assert report["interval"]["coverage"] == pytest.approx(0.9, abs=0.01)
    assert report["interval"]["mean_width"] == pytest.approx(25 * 2 * 1.645 * 0.1, rel=0.05)
