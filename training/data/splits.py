"""Divide rows into those to learn from and those to hold out."""

import numpy as np
import numpy.typing as npt

from training.array_types import Ints


def stratified(labels: npt.NDArray[np.int64], held_out: int, seed: int) -> tuple[Ints, Ints]:
    """Hold out about ``held_out`` rows, of each class its share.

    Args:
        labels: the class of each row, [N].
        held_out: how many rows to hold out; of each class at least one.
        seed: decides which.

    Returns:
        the rows to learn from and those held out, both ascending.
    """
    random = np.random.default_rng(seed)
    share = held_out / len(labels)
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen.append(random.permutation(rows)[: max(1, round(len(rows) * share))])
    out = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(labels)), out), out


def folds(count: int, number: int, seed: int) -> list[Ints]:
    """Divide ``count`` rows at random into ``number`` parts of nearly equal size."""
    return [
        np.sort(part)
        for part in np.array_split(np.random.default_rng(seed).permutation(count), number)
    ]
