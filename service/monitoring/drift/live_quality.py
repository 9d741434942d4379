"""How good live answers are, from truths that came for a random sample of them.

A confidence sequence holds at all times at once: one may look after each truth, and act on what
one sees. Which truths may be used: only those asked for at random. People correct what is wrong,
so truths that they volunteer make every model look bad.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

_GRID = 200
_CONFIDENCE = 0.95
# Bets are held to this share of what could be lost.
_BOLDEST = 0.5
# Truths that are worked on at once; bounds the memory, 200 numbers each.
_CHUNK = 2_000

Numbers = npt.NDArray[np.float64]


class Harm(StrEnum):
    """What a confidence sequence says of live quality against the card's."""

    SHOWN = "shown"
    EXCLUDED = "excluded"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LiveRisk:
    """How often, or how far, live answers are wrong.

    Attributes:
        truths: how many there are.
        mean: their mean loss.
        low: the lower end of the confidence sequence.
        high: its upper end.
    """

    truths: int
    mean: float
    low: float
    high: float


def clipped_errors(errors: Numbers, largest: float) -> Numbers:
    """Return errors of numbers as losses between 0 and 1.

    Args:
        errors: live answers minus truths, [N].
        largest: what counts as 1; the 99th percentile of the card's errors suits.
    """
    return np.minimum(np.abs(errors) / largest, 1.0)


def confidence_sequence(losses: Numbers, confidence: float = _CONFIDENCE) -> LiveRisk:
    """Return an interval that holds the mean loss at all times at once.

    For each of 200 possible means two fortunes are bet, that the mean is higher, and that it is
    lower; a mean against which half of either fortune has grown beyond ``1 / (1 - confidence)`` is
    excluded, for good. The bets are Waudby-Smith's and Ramdas' predictable plug-in ones.

    Args:
        losses: in the order in which they came, each between 0 and 1, [N]; 0 or 1 for right or
            wrong.
        confidence: with which the interval holds the mean at all times, between 0 and 1.

    Raises:
        ValueError: a loss is not between 0 and 1.

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
    JRSS B 2024, section 4 (hedged capital). As a monitor of risk: Podkopaev and Ramdas, ICLR 2022.
    """
    losses = np.asarray(losses, np.float64)
    if len(losses) == 0:
        return LiveRisk(0, math.nan, 0.0, 1.0)
    if not ((losses >= 0) & (losses <= 1)).all():
        raise ValueError("A loss must be between 0 and 1.")
    # The points of the grid are midpoints of cells; a cell is kept as long as its midpoint is.
    means = (np.arange(_GRID) + 0.5) / _GRID
    bets = _bets(losses, 1 - confidence)
    up, down = np.zeros(_GRID), np.zeros(_GRID)
    alive = np.ones(_GRID, bool)
    bound = math.log(2 / (1 - confidence))
    for start in range(0, len(losses), _CHUNK):
        part, bet = losses[start : start + _CHUNK, None], bets[start : start + _CHUNK, None]
        gain = np.log1p(np.minimum(bet, _BOLDEST / means) * (part - means))
        loss = np.log1p(-np.minimum(bet, _BOLDEST / (1 - means)) * (part - means))
        ups, downs = up + np.cumsum(gain, axis=0), down + np.cumsum(loss, axis=0)
        alive &= (np.maximum(ups, downs) < bound).all(axis=0)
        up, down = ups[-1], downs[-1]
    mean = float(losses.mean())
    if not alive.any():
        # The grid is coarser than what is known by now.
        return LiveRisk(len(losses), mean, mean, mean)
    kept = np.flatnonzero(alive)
    low, high = float(kept[0]) / _GRID, float(kept[-1] + 1) / _GRID
    return LiveRisk(len(losses), mean, low, high)


def harm(live: LiveRisk, card_high: float, card_low: float, tolerance: float) -> Harm:
    """Return whether live answers are worse than the card says, by more than a tolerance.

    Args:
        live: of live answers.
        card_high: the upper end of the card's interval of the same risk.
        card_low: its lower end.
        tolerance: by how much it may be worse.
    """
    if live.low > card_high + tolerance:
        return Harm.SHOWN
    return Harm.EXCLUDED if live.high <= card_low + tolerance else Harm.OPEN


def _bets(losses: Numbers, alpha: float) -> Numbers:
    """Return how much is bet on each loss, from those before it alone."""
    times = np.arange(1, len(losses) + 1)
    means = (0.5 + np.cumsum(losses)) / (times + 1)
    variances = (0.25 + np.cumsum((losses - means) ** 2)) / (times + 1)
    before = np.concatenate(([0.25], variances[:-1]))
    return np.asarray(np.sqrt(2 * math.log(2 / alpha) / (before * times * np.log(times + 1))))
