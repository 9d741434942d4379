"""Divide rows into those to learn from and those to hold out."""

import numpy as np
import numpy.typing as npt

from training.array_types import Ints
from training.data.dataset_types import AddedRows


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


def stratified_before(
    labels: npt.NDArray[np.int64], most: int, seed: int, added: AddedRows | None
) -> tuple[Ints, Ints]:
    """Hold out rows as ``stratified`` does, whatever rows of feedback follow them.

    Args:
        labels: the class of each row, [N], those of feedback last.
        most: hold out so many at most, and of few rows a twelfth.
        seed: decides which.
        added: the rows of feedback; ``None`` without any.

    Returns:
        the rows to learn from, those of feedback as often as they are repeated, and those held
        out.
    """
    own = len(labels) - (0 if added is None else len(added))
    learned, held_out = stratified(labels[:own], held_out_of(own, most), seed)
    if added is None:
        return learned, held_out
    rows = np.arange(own, len(labels))
    return (
        np.concatenate([learned, np.repeat(rows, added.repeats)]),
        np.concatenate([held_out, rows[added.repeats == 0]]),
    )


def held_out_of(rows: int, most: int) -> int:
    """Return how many of some rows are held out: ``most``, and of few rows a twelfth."""
    return min(most, rows // 12)


def folds(count: int, number: int, seed: int) -> list[Ints]:
    """Divide ``count`` rows at random into ``number`` parts of nearly equal size."""
    return [
        np.sort(part)
        for part in np.array_split(np.random.default_rng(seed).permutation(count), number)
    ]
