"""The networks that a study of over- and underfitting compares, declared by a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One network of a study.

    Attributes:
        description: how it differs, in a few words.
        hyperparameters: of the architecture, where they are not as it has them.
        patience: epochs without progress on held-out data after which it stops; ``None`` never.
    """

    description: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    patience: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison of networks that differ in size and in regularisation.

    Attributes:
        arch: the architecture that all of them are.
        epochs: of those that do not stop early.
        batch_size: examples in a step.
        learning_rate: the highest that the schedule reaches.
        curve: the compiled metric that is plotted and diagnosed: the lower the better, and without
            the penalties that a regulariser adds to the loss.
        variants: by name, from small to large, then the large one held back.
    """

    arch: str
    epochs: int
    batch_size: int
    learning_rate: float
    curve: str
    variants: Mapping[str, Variant]
