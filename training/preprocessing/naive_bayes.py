"""The n-grams that distinguish the classes of texts, with their naive-Bayes ratios."""

import numpy as np
import numpy.typing as npt

from training.errors import TrainingError
from training.preprocessing.ngrams import Occurrences

# An n-gram in fewer texts says nothing.
AT_LEAST = 3


def strongest(
    found: Occurrences,
    labels: npt.NDArray[np.int64],
    classes: int,
    learned: npt.NDArray[np.bool_],
    *,
    smoothing: float,
    most: int,
    weights: int,
) -> tuple[Occurrences, npt.NDArray[np.float64]]:
    """Choose the n-grams that distinguish most.

    Args:
        found: the n-grams of all texts.
        labels: the class of each text, [texts].
        classes: how many there are.
        learned: the texts to count in, [texts].
        smoothing: what is added to the counts.
        most: how many are kept at most.
        weights: how many ratios there may be at most; with many classes there are fewer n-grams.

    Returns:
        the n-grams, the strongest first, and how much more likely each is in a text of a class
        (log), [n-grams, classes]; of two classes [n-grams, 1], because one implies the other.

    Raises:
        TrainingError: no n-gram occurs often enough.
    """
    count = found.frequencies(learned)
    # Of two classes, one against the other; of more, each against all others.
    ratios = []
    for label in range(1 if classes == 2 else 0, classes):
        within = found.frequencies(learned & (labels == label))
        here, elsewhere = within + smoothing, count - within + smoothing
        ratios.append(np.log((here / here.sum()) / (elsewhere / elsewhere.sum())))
    ratio = np.stack(ratios, axis=1)
    strength = np.where(count >= AT_LEAST, np.abs(ratio).max(axis=1) * np.sqrt(count), 0)
    chosen = np.argsort(-strength, kind="stable")[: min(most, weights // ratio.shape[1])]
    chosen = chosen[strength[chosen] > 0]
    if not len(chosen):
        raise TrainingError(
            f"No word or phrase occurs {AT_LEAST} times in the texts to learn from and "
            "distinguishes their classes: more texts are needed."
        )
    return found.keep(chosen), ratio[chosen]
