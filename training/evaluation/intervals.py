"""Confidence intervals of shares, and conformal prediction intervals."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from training.array_types import Floats

# The 97.5 % quantile of the normal distribution, for two-sided 95 % intervals.
Z_95 = 1.959964


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share (Wilson 1927), each bound in [0, 1].

    Raises:
        ValueError: ``trials`` is below 1, or ``successes`` is not within 0 and ``trials``.
    """
    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mean_of_shares(successes: Sequence[int], trials: Sequence[int]) -> tuple[float, float]:
    """Return the 95 % confidence interval of the mean of independent shares.

    From the Wilson interval of each, by the method of variance estimates recovery (Zou & Donner
    2008, Construction of confidence limits about effect measures, Statistics in Medicine 27:1693).

    Args:
        successes: of each share.
        trials: of each share, at least 1.
    """
    shares = [part / whole for part, whole in zip(successes, trials, strict=True)]
    bounds = [wilson(part, whole) for part, whole in zip(successes, trials, strict=True)]
    mean, count = sum(shares) / len(shares), len(shares)
    below = math.hypot(*(share - low for share, (low, _) in zip(shares, bounds, strict=True)))
    above = math.hypot(*(high - share for share, (_, high) in zip(shares, bounds, strict=True)))
    return mean - below / count, mean + above / count


def conformal_quantile(scores: Floats, coverage: float) -> float:
    """Return the score that a new one stays below with probability ``coverage``.

    It is the ceil((n + 1) * coverage)-th smallest of the n scores (Vovk et al. 2005), the largest
    where there are too few.
    """
    rank = min(math.ceil((len(scores) + 1) * coverage), len(scores))
    return float(np.sort(scores)[rank - 1])


def log_reach(actual: Floats, predicted: Floats, coverage: float) -> float:
    """Return the half width, in logarithms, of a prediction interval with this coverage.

    Args:
        actual: above zero, [N].
        predicted: for the same examples, by models that never saw them, [repeats, N].
        coverage: the share of new examples that shall lie within
            [predicted / exp(reach), predicted * exp(reach)].
    """
    return conformal_quantile(np.abs(np.log(predicted / actual)).ravel(), coverage)
