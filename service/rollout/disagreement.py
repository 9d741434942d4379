"""How much two versions disagree about the same rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.runtime.finite_numbers import is_finite_array

Outputs = Mapping[str, npt.NDArray[Any]]

# What numbers this small differ by is rounding.
_SMALL = 1e-6


def share_of_disagreement(champion: Outputs, candidate: Outputs, tolerance: float) -> float:
    """Return the share of rows that two versions answer differently, from 0 to 1.

    What a row is answered with is its strings, whole numbers and truth values, if there are any;
    else the largest of its numbers where an output has several; else the numbers themselves. So
    labels are compared where there are labels, and not the last digit of a probability.

    Args:
        champion: an array for each output, of shape [rows, ...].
        candidate: the same of the other version. What it lacks, or has in another shape, it
            answers differently; so it does where one is text and the other is not.
        tolerance: how far numbers may lie apart, relative to the larger of the two.
    """
    decisive = {name: array for name, array in champion.items() if array.dtype.kind not in "fc"}
    compared = decisive or champion
    found = []
    for name, mine in compared.items():
        other = candidate.get(name)
        if not mine.size and other is not None and other.shape == mine.shape:
            continue
        if other is None or other.shape != mine.shape or _is_text(other) != _is_text(mine):
            return 1.0
        found.append(_apart(mine, other, tolerance))
    if len({len(apart) for apart in found}) > 1:
        # They have no rows in common, and are one answer together.
        return float(any(apart.any() for apart in found))
    return float(np.logical_or.reduce(found).mean()) if found else 0.0


def is_finite(outputs: Outputs) -> bool:
    """Whether no number of a version's answer is NaN or infinite."""
    return all(map(is_finite_array, outputs.values()))


def _is_text(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind == "O"


def _apart(
    mine: npt.NDArray[Any], other: npt.NDArray[Any], tolerance: float
) -> npt.NDArray[np.bool_]:
    """Return for each row whether its values lie apart, shape [rows]."""
    mine, other = (
        np.reshape(each, (each.shape[0] if each.ndim else 1, -1)) for each in (mine, other)
    )
    if mine.dtype.kind not in "fc":
        different: npt.NDArray[np.bool_] = (mine != other).any(axis=1)
        return different
    if mine.shape[1] > 1:
        highest: npt.NDArray[np.bool_] = mine.argmax(axis=1) != other.argmax(axis=1)
        return highest
    allowed = np.maximum(np.abs(mine), np.abs(other)) * tolerance + _SMALL
    beyond: npt.NDArray[np.bool_] = (np.abs(mine - other) > allowed).any(axis=1)
    return beyond
