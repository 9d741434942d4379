"""Significance tests: whether one version is worse than another on the same examples."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

# A regression is significant when equally good versions would differ as much in fewer than 5 of
# 100 comparisons.
LEVEL = 0.05
_RESAMPLES = 10_000
# Resampled at once, so that memory stays small whatever the number of examples.
_CHUNK_VALUES = 2_000_000


def mcnemar(lost: int, won: int) -> float:
    """Return how probable so large a loss is if two classifiers are equally good.

    It is McNemar's test on discordant pairs, one-sided, with the mid-p correction, which keeps to
    its level and is less conservative than the exact test (Fagerland, Lydersen & Laake 2013, The
    McNemar test for binary matched-pairs data, BMC Medical Research Methodology 13:91).

    Args:
        lost: examples that only the old classifier answers rightly.
        won: examples that only the new one answers rightly.

    Returns:
        P(X > lost) + P(X = lost) / 2, where X is binomial of ``lost + won`` fair coins.
    """
    both = binom(lost + won, 0.5)
    return float(both.sf(lost) + both.pmf(lost) / 2)


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """A mean of paired differences, with its confidence interval.

    Attributes:
        mean: of the differences.
        low: lower end of the 90 % interval; above 0 the mean is greater than 0 at ``LEVEL``.
        high: upper end.
        p: how often a resampled mean is not above 0.
    """

    mean: float
    low: float
    high: float
    p: float


def paired_bootstrap(differences: npt.NDArray[np.floating[Any]], seed: int = 0) -> MeanDifference:
    """Estimate the interval of a mean of paired differences (Efron & Tibshirani 1993, chapter 13).

    The examples are drawn again with replacement 10,000 times; the interval is made of the
    percentiles of the means.

    Args:
        differences: of each example, new minus old, [N].
        seed: decides the draws.
    """
    random = np.random.default_rng(seed)
    count = len(differences)
    at_once = max(1, _CHUNK_VALUES // count)
    means = np.concatenate(
        [
            differences[random.integers(0, count, (min(at_once, _RESAMPLES - done), count))].mean(1)
            for done in range(0, _RESAMPLES, at_once)
        ]
    )
    low, high = np.quantile(means, [LEVEL, 1 - LEVEL])
    # One more of each: a share of a finite number of draws is never quite 0 (Davison & Hinkley
    # 1997, section 4.2.1).
    p = (1 + int((means <= 0).sum())) / (1 + _RESAMPLES)
    return MeanDifference(float(differences.mean()), float(low), float(high), p)


def wald_of_pairs(lost: int, won: int, pairs: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of the difference of two shares from the same examples.

    The share of the new less that of the old, with Wald's interval for matched pairs (Agresti
    2002, Categorical Data Analysis, section 10.1).

    Args:
        lost: examples of which only the old one is right.
        won: examples of which only the new one is right.
        pairs: all examples.
    """
    difference = (won - lost) / pairs
    half = 1.959964 / pairs * math.sqrt(max(0.0, lost + won - (won - lost) ** 2 / pairs))
    return difference - half, difference + half


def weighted_sign_flips(
    differences: npt.NDArray[np.floating[Any]],
    weights: npt.NDArray[np.floating[Any]],
    seed: int = 0,
) -> MeanDifference:
    """Estimate a weighted mean of paired differences, and whether it is above 0.

    If two versions are equally good, each difference is as probable as its negative. So ``p`` is
    the share of 10,000 random choices of signs with a mean at least as large (Fisher's
    randomization test for pairs; Edgington & Onghena 2007, chapter 6); with weights that are all
    the same and losses of 0 and 1 that is the exact test of McNemar. The interval is that of
    ``paired_bootstrap``, of the weighted mean.

    Args:
        differences: of each example, new minus old, [N].
        weights: how many examples each stands for, above 0, [N].
        seed: decides the draws.
    """
    random = np.random.default_rng(seed)
    count = len(differences)
    products = differences * weights
    observed = float(products.sum())
    at_once = max(1, _CHUNK_VALUES // count)
    means, as_large = [], 0
    # What floating-point sums of the same values in another order may differ by.
    tolerance = 1e-9 * float(np.abs(products).sum())
    for done in range(0, _RESAMPLES, at_once):
        size = min(at_once, _RESAMPLES - done)
        signs = random.integers(0, 2, (size, count)) * 2 - 1
        as_large += int((signs @ products >= observed - tolerance).sum())
        drawn = random.integers(0, count, (size, count))
        means.append(products[drawn].sum(axis=1) / weights[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [LEVEL, 1 - LEVEL])
    p = (1 + as_large) / (1 + _RESAMPLES)
    return MeanDifference(observed / float(weights.sum()), float(low), float(high), p)
