"""Evidence on a new version that stays valid however often one looks.

Everything here is an e-process: a number that starts at 1 and, while the stated hypothesis holds,
is at most 1 in expectation at every moment, whenever one stops. By Ville's inequality the chance
that it ever reaches ``1 / alpha`` is then at most ``alpha``. Its logarithm depends on sums alone,
so workers count by themselves, and their counts are added.

All mix likelihood ratios over one grid of odds ratios. That is one-sided without the incomplete
beta function that a truncated beta prior needs, and lets the steps of a rollout share one
alternative although the shares of the arms differ.

Sources: Ville (1939); Robbins (1970) on mixtures; Lindon and Malek (NeurIPS 2022) on the arm of an
event; Waudby-Smith and Ramdas (2024) on means of bounded values by betting; Vovk and Wang (2021) on
averaging.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Odds ratios from 1.02 to 20,000, evenly by the logarithm of their logarithm: a small difference
# needs an alternative near 1 to be seen at all, a large one a far alternative to be seen soon.
LOG_ODDS: npt.NDArray[np.float64] = np.geomspace(0.02, 9.9, 40)
# Halvings of [0, 1] when a bound is searched for.
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Proportion:
    """A sum of values between 0 and 1, and how many they are.

    Attributes:
        total: the sum; of events, how many there were.
        trials: how many values, at least ``total``.
    """

    total: float
    trials: float

    @property
    def mean(self) -> float:
        """The mean; NaN without a trial."""
        return self.total / self.trials if self.trials else math.nan

    def __add__(self, other: "Proportion") -> "Proportion":
        return Proportion(self.total + other.total, self.trials + other.trials)


@dataclass(frozen=True, slots=True)
class ArmEvents:
    """The events of two arms while the candidate's share was constant.

    Attributes:
        candidate: how many units of the candidate's had the event.
        champion: how many of the champion's.
        share: the chance that a unit is the candidate's, above 0 and below 1.
    """

    candidate: int
    champion: int
    share: float


def log_evidence_of_more(arms: Iterable[ArmEvents]) -> float:
    """Return the log evidence that the candidate causes an event more often than the champion.

    Given that a unit has the event, it is the candidate's with probability ``share`` if both
    versions cause it equally often, whatever the traffic does over time; with ``r`` times the rate
    it is ``share * r / (share * r + 1 - share)``. The likelihood ratio is mixed over ``r > 1``, the
    same ``r`` in all of ``arms``. The hypothesis that it speaks against: never more often.

    Args:
        arms: the events, one item for each share that there was.

    Returns:
        The natural logarithm of the e-value; 0 without events.
    """
    log_ratio = np.zeros_like(LOG_ODDS)
    for each in arms:
        events = each.candidate + each.champion
        scale = np.log(each.share * np.exp(LOG_ODDS) + 1 - each.share)
        log_ratio += each.candidate * LOG_ODDS - events * scale
    return _log_mean_exp(log_ratio)


def log_evidence_above(observed: Proportion, bound: float) -> float:
    """Return the log evidence that the mean of values in [0, 1] exceeds ``bound``.

    The likelihood ratio of Bernoulli trials, which bounds that of any values in [0, 1] because it
    is convex in each of them. The hypothesis: each value's mean, given those before, is at most
    ``bound``.

    Args:
        observed: the values.
        bound: at least 0 and at most 1.

    Returns:
        The natural logarithm of the e-value; infinity if the bound is impossible.
    """
    if bound >= 1:
        return 0.0
    if bound <= 0:
        return math.inf if observed.total > 0 else 0.0
    return _log_bernoulli_mixture(observed.total, observed.trials - observed.total, bound)


def log_evidence_below(observed: Proportion, bound: float) -> float:
    """Return the log evidence that the mean of values in [0, 1] is below ``bound``.

    As ``log_evidence_above`` of one minus the values.
    """
    return log_evidence_above(
        Proportion(observed.trials - observed.total, observed.trials), 1 - bound
    )


def log_evidence_of_losses(losses: float, wins: float) -> float:
    """Return the log evidence that the candidate loses more pairs than it wins.

    A pair is one row, or batch, that both versions answered; it counts only if exactly one of them
    did well. The hypothesis: the candidate loses at most half of those pairs (McNemar's, at any
    time).

    Args:
        losses: pairs of which only the champion did well.
        wins: pairs of which only the candidate did well.
    """
    return log_evidence_above(Proportion(losses, losses + wins), 0.5)


def lower_bound(observed: Proportion, alpha: float) -> float:
    """Return a lower bound of the mean of values in [0, 1] that holds at every moment at once.

    Args:
        observed: the values.
        alpha: the chance that the bound is ever above the mean, at most.
    """
    if not observed.total:
        return 0.0
    need, low, high = -math.log(alpha), 0.0, observed.mean
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if log_evidence_above(observed, middle) >= need:
            low = middle
        else:
            high = middle
    return low


def upper_bound(observed: Proportion, alpha: float) -> float:
    """Return an upper bound of the mean of values in [0, 1] that holds at every moment at once."""
    return 1 - lower_bound(Proportion(observed.trials - observed.total, observed.trials), alpha)


def upper_bound_of_difference(candidate: Proportion, champion: Proportion, alpha: float) -> float:
    """Return an upper bound of candidate's mean minus champion's that holds at every moment.

    Each arm has its bound, with half of ``alpha``.

    Args:
        candidate: the candidate's values in [0, 1].
        champion: the champion's, of the same time.
        alpha: the chance that the bound is ever below the difference, at most.
    """
    return upper_bound(candidate, alpha / 2) - lower_bound(champion, alpha / 2)


def log_average(log_evidence: Sequence[float]) -> float:
    """Return the log of the mean of e-values, which is one, however they depend on each other."""
    return _log_mean_exp(np.asarray(log_evidence, np.float64)) if log_evidence else 0.0


def _log_bernoulli_mixture(ones: float, zeros: float, bound: float) -> float:
    odds = math.log(bound) - math.log1p(-bound) + LOG_ODDS
    # log(p) and log(1 - p) at these odds, without cancelling.
    log_ones, log_zeros = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    log_ratio = ones * (log_ones - math.log(bound)) + zeros * (log_zeros - math.log1p(-bound))
    return _log_mean_exp(log_ratio)


def _log_mean_exp(values: npt.NDArray[np.float64]) -> float:
    highest = float(values.max())
    if math.isinf(highest):
        return highest
    return highest + math.log(float(np.mean(np.exp(values - highest))))
