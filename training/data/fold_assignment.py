"""Which network learns from which row, when all folds and the served networks train at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.splits import folds


@dataclass(frozen=True, slots=True)
class FoldAssignment:
    """The networks of a repeated cross-validation, then those that serve and learn from all rows.

    Attributes:
        repeats: how often all rows are divided anew.
        parts: into so many folds.
        members: networks that are averaged into one answer.
        learns: which network learns from which row, bool
            [rows, (repeats * parts + 1) * members]: by repeat, fold and member; the last
            ``members`` learn from all rows.
    """

    repeats: int
    parts: int
    members: int
    learns: npt.NDArray[np.bool_]

    @property
    def networks(self) -> int:
        return int(self.learns.shape[1])

    def held_out(self) -> npt.NDArray[np.bool_]:
        """Return the rows that each fold holds out, [repeats * parts, rows]."""
        return ~self.learns[:, : -self.members : self.members].T

    def fold_of(self) -> npt.NDArray[np.int64]:
        """Return the fold that each row is in, from 0, for each repeat: [repeats, rows]."""
        by_repeat = self.held_out().reshape(self.repeats, self.parts, -1)
        return np.asarray(by_repeat.argmax(axis=1))

    def unseen(
        self, answers: npt.NDArray[Any], to_unit: Callable[[Any], Any]
    ) -> npt.NDArray[np.float64]:
        """Return the answer to each row by the networks that never saw it: [repeats, rows].

        Args:
            answers: of all networks to all rows, [rows, networks].
            to_unit: turns the mean of the members' answers into the unit wanted.
        """
        unseen = np.zeros((self.repeats, len(answers)))
        for number, rows in enumerate(self.held_out()):
            first = number * self.members
            mean = answers[rows, first : first + self.members].mean(axis=1)
            unseen[number // self.parts, rows] = np.asarray(to_unit(mean))
        return unseen


def assign_folds(rows: int, *, repeats: int, parts: int, members: int, seed: int) -> FoldAssignment:
    """Divide so many rows into folds, as ``seed`` decides; the rest as in ``FoldAssignment``."""

    def columns() -> Iterator[npt.NDArray[np.bool_]]:
        for repeat in range(repeats):
            for fold in folds(rows, parts, seed * repeats + repeat):
                column = np.ones(rows, bool)
                column[fold] = False
                yield column
        yield np.ones(rows, bool)

    learns = np.stack(list(columns()), axis=1).repeat(members, axis=1)
    return FoldAssignment(repeats, parts, members, learns)
