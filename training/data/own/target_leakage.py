"""Target leakage: whether one column alone explains the target."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from training.array_types import Floats

# The share of the target's ranks that its neighbours by another column may explain. Of the cars of
# Auto MPG displacement explains most, 0.77; a formula of the target, rounded or with an error of
# two per cent, explains 0.99.
_BY_CURVE = 0.98
# Of groups a little less: five that do not overlap explain 0.96, two 0.75.
_BY_GROUPS = 0.9
# A column of groups has this many rows of each value, in the mean.
_GROUPED = 5
# Where one row in ten was written otherwise, most of the others still show it: the median error
# falls to this share of what it is without the column.
_MOSTLY = 0.05
# That share means nothing where most rows have one of a few values anyway.
_MANY_VALUES, _MOST_OF_ONE = 20, 0.2
_LEAST_ROWS = 20
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
# Texts with a number in nearly each.
_NUMBERED = 0.9


def gives_away(column: Floats, target: Floats) -> float | None:
    """Return the share of the target's ranks that a column alone explains, where that is too much.

    Each row's rank is estimated from the other rows with the same value, or from the two next to
    it; so any curve is seen, rising, falling or both, and numbers that only name groups.

    Args:
        column: [N]; NaN is unknown, and such rows are left out.
        target: what is to be estimated, [N].

    Returns:
        the share, at most 1; ``None`` where a column may explain as much.
    """
    known = ~np.isnan(column)
    keys, ranks = column[known], rankdata(target[known])
    if len(keys) < _LEAST_ROWS or np.ptp(keys) == 0 or np.ptp(ranks) == 0:
        return None
    return _judged(ranks, _from_neighbours(keys, ranks), len(np.unique(keys)))


def text_gives_away(column: Sequence[str], target: Floats) -> float | None:
    """Return the same for a column of texts: of their groups, or of the numbers in them."""
    names, groups = np.unique(np.asarray(column), return_inverse=True)
    found = [_NUMBER.search(name) for name in names]
    values = np.array([float(each[0].replace(",", ".")) if each else np.nan for each in found])
    if np.isfinite(values[groups]).mean() >= _NUMBERED:
        share = gives_away(values[groups], target)
        if share is not None:
            return share
    ranks = rankdata(target)
    if len(ranks) < _LEAST_ROWS or len(names) < 2 or np.ptp(ranks) == 0:
        return None
    return _judged(ranks, _from_groups(groups, ranks), len(names))


def _judged(ranks: Floats, estimated: Floats, values: int) -> float | None:
    off, apart = ranks - estimated, ranks - ranks.mean()
    share = float(1 - np.square(off).sum() / np.square(apart).sum())
    if share > (_BY_GROUPS if values * _GROUPED <= len(ranks) else _BY_CURVE):
        return share
    _, counts = np.unique(ranks, return_counts=True)
    if len(counts) < _MANY_VALUES or counts.max() > _MOST_OF_ONE * len(ranks):
        return None
    mostly = float(np.median(np.abs(off)) / np.median(np.abs(apart)))
    return 1 - mostly if mostly < _MOSTLY else None


def _from_groups(groups: npt.NDArray[np.intp], ranks: Floats) -> Floats:
    """Return the mean rank of the others in each row's group; of all rows where there is none."""
    counts = np.bincount(groups)[groups]
    sums = np.bincount(groups, ranks)[groups]
    return np.where(counts > 1, (sums - ranks) / np.maximum(counts - 1, 1), ranks.mean())


def _from_neighbours(keys: Floats, ranks: Floats) -> Floats:
    """Return the same, but between the values above and below where a row's value is its own."""
    values, groups = np.unique(keys, return_inverse=True)
    means = np.bincount(groups, ranks) / np.bincount(groups)
    at = np.arange(len(values))
    below, above = np.maximum(at - 1, 0), np.minimum(at + 1, len(values) - 1)
    # At either end there is one neighbour, which counts for two.
    below[0], above[-1] = above[0], below[-1]
    between = (means[below] + means[above]) / 2
    alone = np.bincount(groups)[groups] == 1
    return np.where(alone, between[groups], _from_groups(groups, ranks))
