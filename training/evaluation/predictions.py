"""A version's answers to examples whose truth is known: its evaluation is computed from these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.array_types import Floats


def margins(probabilities: Floats) -> Floats:
    """Return by how much the most probable class is ahead of the next, [N]; of [N, classes]."""
    ordered = np.sort(probabilities, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationPredictions:
    """The answers of a classifier.

    Attributes:
        names: of the classes, in the order of the probabilities.
        labels: the true classes, int64 [N].
        probabilities: as they are served, [N, classes].
    """

    names: Sequence[str]
    labels: npt.NDArray[np.int64]
    probabilities: Floats

    def predicted(self) -> npt.NDArray[np.int64]:
        """Return the most probable classes, [N]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def right(self) -> npt.NDArray[np.bool_]:
        """Return which examples are answered rightly, [N]."""
        return np.asarray(self.predicted() == self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionPredictions:
    """The answers of an estimator of numbers.

    Attributes:
        unit: of the numbers.
        actual: the true numbers, [N].
        predicted: the estimates, [repeats, N]; one repeat where the examples were asked once.
        low: where the served prediction interval begins, [N]; ``None`` without one.
        high: where it ends.
        keys: what each example is known by in any order of the data, such as a digest of it;
            empty where the examples need not be found again.
    """

    unit: str
    actual: Floats
    predicted: Floats
    low: Floats | None = None
    high: Floats | None = None
    keys: Sequence[str] = ()

    def errors(self) -> npt.NDArray[np.float64]:
        """Return by how much each example is missed, the mean over the repeats, [N]."""
        missed = np.abs(self.predicted.astype(np.float64) - self.actual)
        return np.asarray(missed.mean(axis=0))


Predictions = ClassificationPredictions | RegressionPredictions
