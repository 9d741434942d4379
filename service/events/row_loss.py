"""How wrong an answer is, as a number from 0 to 1: what a bound on a mean needs.

A class is right or wrong. An error of a number counts as at most ``LARGEST_ERROR`` times the card's
mean absolute error. Of errors that are normal or Laplacian, fewer than one in 20,000 is larger.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.monitoring.drift.live_quality import clipped_errors
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Field
from service.repository.model_card import Card

LARGEST_ERROR = 10.0

ERROR_RATE, MEAN_ABSOLUTE_ERROR = "error rate", "mean absolute error"


@dataclass(frozen=True, slots=True)
class RowLoss:
    """How the answers to single rows are judged.

    Attributes:
        output: the output that is judged: the first, which is the answer.
        metric: what the mean of the losses is: an error rate, or a mean absolute error.
        unit: of the metric; empty where it has none.
        scale: what a loss of 1 is in the metric's unit.
        signatures: those that answer with this output. One of its name that another signature has
            may be of another kind, or in another unit.
    """

    output: Field
    metric: str
    unit: str
    scale: float
    signatures: frozenset[str] = frozenset((DEFAULT_SIGNATURE,))

    def losses(self, pairs: Iterable[tuple[Any, Any]]) -> npt.NDArray[np.float64]:
        """Return the losses of answers, from 0 to 1, shape [N].

        Two answers in the place of answer and truth have the largest difference that their losses
        can have, whatever is true.

        Args:
            pairs: answer and truth of each row, as JSON values; an answer ``None`` is all wrong.
        """
        if self.metric == ERROR_RATE:
            return np.array([answer != truth for answer, truth in pairs], np.float64)
        return clipped_errors(np.array([_distance(*pair) for pair in pairs]), self.scale)


def row_loss(contract: Contract, card: Card | None) -> RowLoss | None:
    """Return how the answers of a version are judged.

    Args:
        contract: the version's.
        card: the version's, if it has one.

    Returns:
        ``None`` where its first output is neither a class nor, for a regression whose card states
        an error to bound errors by, one number a row.
    """
    signature = contract.get(DEFAULT_SIGNATURE)
    if signature is None or not signature.outputs:
        return None
    output = signature.outputs[0]
    is_regression = output.is_float if card is None else card.task == "regression"
    # Without rows, all of a tensor is one answer.
    shape = output.instance_shape if signature.batched else output.shape
    if output.is_float != is_regression or shape != ():
        return None
    alike = frozenset(
        name
        for name, other in contract.items()
        if output.name in signature.outputs_in_common(other)
    )
    if not output.is_float:
        return RowLoss(output, ERROR_RATE, "", 1.0, alike)
    headline = card.evaluation.get("headline") if card is not None else None
    value = headline.get("value") if isinstance(headline, Mapping) else None
    # An error of 0 would allow none.
    if not isinstance(value, int | float) or not value > 0:
        return None
    return RowLoss(output, MEAN_ABSOLUTE_ERROR, output.unit, LARGEST_ERROR * value, alike)


def _distance(answer: Any, truth: Any) -> float:
    """Return how far a number is from the truth; infinite where the answer is not a number.

    Another version may answer with text, or with a list.
    """
    are_numbers = isinstance(answer, int | float) and isinstance(truth, int | float)
    return float(answer) - float(truth) if are_numbers else float("inf")
