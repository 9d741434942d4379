"""A training that is ready to run: a compiled network, its batches, and its rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from training.array_types import Ints

if TYPE_CHECKING:
    # Importing Keras takes seconds, which --help and list should not.
    import keras


class MakeBatch(Protocol):
    """Returns the model's inputs and targets for some rows of the data.

    ``random`` is given in training, for augmentation, and ``None`` where the rows must come as
    they are.
    """

    def __call__(self, rows: Ints, random: np.random.Generator | None) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """A training that is ready to run.

    Attributes:
        model: the compiled network.
        batch: makes its batches.
        training: the rows to learn from.
        validation: the rows that are held out; never test data.
        metric: the name of the compiled metric to show.
        monitor: the logged value that decides the best epoch; ``None`` keeps the last.
        mode: "min" or "max", which of ``monitor`` is better.
        state: what the task needs again to export the network.
    """

    model: "keras.Model"
    batch: MakeBatch
    training: Ints
    validation: Ints
    metric: str
    monitor: str | None
    mode: str = "max"
    state: Any = None
