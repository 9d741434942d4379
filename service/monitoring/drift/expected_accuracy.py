"""How many answers are right if the probabilities are: an estimate that needs no truths."""

import math
from dataclasses import dataclass

BLINDNESS = (
    "It holds only while the same inputs mean the same: where the meaning of classes changes, "
    "probabilities stay as they are and this number with them. Only truths can show that."
)


@dataclass(frozen=True, slots=True)
class ExpectedAccuracy:
    """The share of answers that are expected to be right.

    Attributes:
        value: the share.
        low: the lower end of its 95 % interval, which is that of chance alone.
        high: the upper end.
        rows: how many answers it is of.
    """

    value: float
    low: float
    high: float
    rows: int


def expected_accuracy(probability_sum: float, rows: int) -> ExpectedAccuracy | None:
    """Return the expected share of right answers.

    A calibrated model is right as often as it says, so that the mean of the most probable class's
    probability is its expected accuracy (confidence-based performance estimation; for calibrated
    classifiers as Guo et al., ICML 2017, define calibration).

    Args:
        probability_sum: the sum over all answers of the most probable class's probability.
        rows: how many answers there are.

    Returns:
        the estimate; ``None`` without answers.
    """
    if not rows:
        return None
    share = min(probability_sum / rows, 1.0)
    # The variance of a sum of different coins is at most that of as many alike ones.
    reach = 1.96 * math.sqrt(share * (1 - share) / rows)
    return ExpectedAccuracy(share, max(0.0, share - reach), min(1.0, share + reach), rows)
