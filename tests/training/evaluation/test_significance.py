"""The tests of significance, against numbers known from elsewhere."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm

from training.evaluation.significance import (
    LEVEL,
    mcnemar,
    paired_bootstrap,
    wald_of_pairs,
    weighted_sign_flips,
)


@pytest.mark.parametrize(("lost", "won"), [(9, 1), (59, 16), (16, 59), (5, 5), (300, 250)])
def test_mcnemar_is_the_binomial_test_less_half_its_last_term(lost: int, won: int) -> None:
    exact = binomtest(lost, lost + won, alternative="greater").pvalue
    further = binomtest(lost + 1, lost + won, alternative="greater").pvalue if won else 0.0
    assert mcnemar(lost, won) == pytest.approx((exact + further) / 2)


def test_mcnemar_by_hand() -> None:
    # Fagerland, Lydersen & Laake 2013, table 1: 1 and 7 of 21 pairs; two-sided mid-p 0.039.
    assert 2 * mcnemar(7, 1) == pytest.approx(0.0391, abs=5e-5)
    assert mcnemar(7, 1) == pytest.approx((1 + 8 / 2) / 2**8)
    assert mcnemar(0, 0) == 0.5
    assert mcnemar(3, 3) == pytest.approx(0.5)


def test_the_bootstrap_of_many_examples_is_the_normal_interval() -> None:
    differences = np.random.default_rng(3).normal(0.05, 1.0, 2_000)
    found = paired_bootstrap(differences)
    error = differences.std() / np.sqrt(2_000)
    assert found.mean == differences.mean()
    assert found.low == pytest.approx(found.mean + norm.ppf(0.05) * error, abs=0.05 * error)
    assert found.high == pytest.approx(found.mean + norm.ppf(0.95) * error, abs=0.05 * error)
    assert found.p == pytest.approx(norm.sf(found.mean / error), abs=0.01)


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    differences = np.array([0.5, -1.0, 2.0, 0.25])
    assert paired_bootstrap(differences, 7) == paired_bootstrap(differences, 7)
    assert paired_bootstrap(differences, 7) != paired_bootstrap(differences, 8)


def test_the_bootstrap_of_equal_answers() -> None:
    found = paired_bootstrap(np.zeros(10))
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_walds_interval_by_hand() -> None:
    # 30 lost, 10 won of 100: the difference is -0.2, its variance (40 - 400 / 100) / 100^2.
    low, high = wald_of_pairs(30, 10, 100)
    assert (low + high) / 2 == pytest.approx(-0.2)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.06, rel=1e-4)


def test_sign_flips_agree_with_mcnemars_exact_test() -> None:
    differences = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 40)
    found = weighted_sign_flips(differences, np.full(51, 3.0))
    assert found.mean == pytest.approx(7 / 51)
    assert found.p == pytest.approx(binom(11, 0.5).sf(8), abs=0.01)
    assert found.low < found.mean < found.high


def test_sign_flips_keep_to_their_level_with_weights() -> None:
    random = np.random.default_rng(1)
    refused = 0
    for stream in range(200):
        weights = random.exponential(1.0, 60) + 0.1
        refused += weighted_sign_flips(random.normal(size=60), weights, stream).p < LEVEL
    # Of 200 at 5 % more than 19 come once in a hundred times.
    assert refused <= 19
