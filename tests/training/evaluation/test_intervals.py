"""Intervals, against numbers known from elsewhere."""

import numpy as np
import pytest

from training.evaluation import intervals


def test_wilson_interval() -> None:
    # Newcombe 1998, table I: 81 of 263.
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(10, 10)[1] == pytest.approx(1)


def test_conformal_quantile() -> None:
    scores = np.arange(1.0, 100.0)
    assert intervals.conformal_quantile(scores, 0.9) == 90
    assert intervals.conformal_quantile(np.array([3.0, 1.0]), 0.9) == 3


def test_the_mean_of_shares() -> None:
    # Of one share it is Wilson's; of two alike it is narrower by the root of two.
    assert intervals.mean_of_shares([81], [263]) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = intervals.mean_of_shares([81, 81], [263, 263])
    share = 81 / 263
    assert low == pytest.approx(share - (share - 0.2553) / 2**0.5, abs=5e-5)
    assert high == pytest.approx(share + (0.3662 - share) / 2**0.5, abs=5e-5)
    # Of a rare class nothing is known, however many rows the other has.
    assert intervals.mean_of_shares([1800, 0], [1800, 2])[1] > 0.8


def test_the_mean_of_shares_covers_what_it_promises() -> None:
    random = np.random.default_rng(0)
    trials, chances = [12, 40, 200], np.array([0.9, 0.5, 0.97])
    inside = 0
    for _ in range(2_000):
        low, high = intervals.mean_of_shares(random.binomial(trials, chances).tolist(), trials)
        inside += low <= chances.mean() <= high
    assert 0.93 < inside / 2_000 < 0.98
