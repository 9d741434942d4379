"""Medians of differences between turns, and how sure they are."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from scipy.stats import quantile_test


class MedianInterval(NamedTuple):
    """A median with its 95 % confidence interval.

    Attributes:
        middle: the median.
        low: the interval's lower end; NaN where fewer than six values allow none.
        high: its upper end; NaN likewise.
    """

    middle: float
    low: float
    high: float


def median_interval(values: Sequence[float]) -> MedianInterval:
    """Return the median of at least one value, with its interval.

    The interval is by order statistics, as ``scipy.stats.quantile_test`` has it: it assumes nothing
    about the distribution of the values.
    """
    low, high = quantile_test(values, p=0.5).confidence_interval(0.95)
    return MedianInterval(median(values), float(low), float(high))
