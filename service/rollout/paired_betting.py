"""Evidence from differences of two versions' losses on the same rows, whenever one looks.

A row's difference is the candidate's loss minus the champion's, from -1 to 1. Rows stand for more
or fewer rows of all traffic, so a row's stake is its weight over the largest one so far: the bets
below are on the weighted mean. For rows of equal weight that are right or wrong, the evidence is
``log_evidence_of_losses`` of the rows on which exactly one version is right.

Wealth that is multiplied by ``1 + bet * stake * difference`` at each row is an e-process while the
weighted mean is at most 0 (Waudby-Smith and Ramdas, "Estimating means of bounded random variables
by betting", JRSS B 2024); the mean over a grid of bets is one as well.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.rollout.e_processes import LOG_ODDS

Numbers = npt.NDArray[np.float64]

# A bet ``b`` on rows that are lost or won is a share of ``(1 + b) / 2`` lost ones.
_BETS: Numbers = np.tanh(LOG_ODDS / 2)
# Of an interval of length 2: finer than anybody reads.
_HALVINGS = 24


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences of losses, equal ones together.

    Attributes:
        values: the differences, from -1 to 1, shape [K].
        stakes: their rows' weights over the largest one so far, above 0 and at most 1, shape [K].
        counts: how many rows have the same, shape [K].
    """

    values: Numbers
    stakes: Numbers
    counts: Numbers


def stakes_of(weights: Numbers) -> Numbers:
    """Return each row's weight over the largest one up to it, shape [N].

    A bet must be made before its row is seen, so the largest weight of all is not known yet. A row
    that is heavier than all before it counts as the heaviest of them, and no row counts for more.
    """
    return np.asarray(weights / np.maximum.accumulate(weights)) if len(weights) else weights


def grouped(values: Numbers, stakes: Numbers) -> Differences:
    """Return differences and stakes of rows, shape [N] each, with equal ones together."""
    if not len(values):
        return Differences(values, stakes, np.zeros(0))
    both, counts = np.unique(np.stack((values, stakes)), axis=1, return_counts=True)
    return Differences(both[0], both[1], counts.astype(np.float64))


def log_evidence_of_worse(rows: Differences) -> float:
    """Return the log evidence that the weighted mean difference is above 0: of harm.

    Returns:
        The natural logarithm of the e-value; 0 without a row.
    """
    return _log_wealth(rows.stakes * rows.values, rows.counts)


def upper_bound_of_worse(rows: Differences, alpha: float) -> float:
    """Return an upper bound of the weighted mean difference that holds at every moment at once.

    It is the least mean against which the evidence that the true one is smaller suffices.

    Args:
        rows: the differences.
        alpha: the chance that the bound is ever below the mean, at most.
    """
    need, low, high = -math.log(alpha), -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # What a bet on less than ``middle`` gains; at most the stake is lost.
        gains = rows.stakes * (middle - rows.values) / (1 - middle)
        if _log_wealth(gains, rows.counts) >= need:
            high = middle
        else:
            low = middle
    return high


def upper_bound_of_lead(losses: float, wins: float, pairs: float, alpha: float) -> float:
    """Return an upper bound of how much more often the candidate loses a pair than it wins one.

    A pair is a row, or a batch, that both versions answered. The bound holds at every moment; it is
    1 without a pair.

    Args:
        losses: pairs in which only the champion did well.
        wins: pairs in which only the candidate did well.
        pairs: all pairs, also those in which both did alike.
        alpha: the chance that the bound is ever below the true difference, at most.
    """
    counts = np.array([losses, wins, pairs - losses - wins])
    return upper_bound_of_worse(Differences(np.array([1.0, -1.0, 0.0]), np.ones(3), counts), alpha)


def _log_wealth(gains: Numbers, counts: Numbers) -> float:
    """Return the log of the mean wealth over all bets, for gains of at least -1 for a bet of 1."""
    wealth = counts @ np.log1p(gains[:, None] * _BETS)
    highest = float(wealth.max())
    return highest + math.log(float(np.mean(np.exp(wealth - highest))))
