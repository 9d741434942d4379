"""Intervals, against numbers known from elsewhere."""

import numpy as np
import pytest

from training import intervals


def test_wilson_interval() -> None:
    # Newcombe 1998, table I: 81 of 263.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(10, 10)[1] == pytest.approx(1)


def test_conformal_quantile() -> None:
    scores = np.arange(1.0, 100.0)
    assert intervals.conformal_quantile(scores, 0.9) == 90
    assert intervals.conformal_quantile(np.array([3.0, 1.0]), 0.9) == 3
