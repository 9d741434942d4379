"""What networks of texts have in common: preparing one for training, and its form for serving."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.dataset_types import Texts


class Scorer(Protocol):
    """The logits of texts in the graph, as the network gives them: string [N] to [N, logits]."""

    def __init__(self, vocabulary: Sequence[bytes], trained: keras.Model) -> None: ...

    def __call__(self, text: tf.Tensor) -> tf.Tensor: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network with the texts that it learns from.

    Attributes:
        vocabulary: in the order of the network's numbers.
        features: each text's numbers, int32 [texts, length].
        model: the network.
        scores: what serves it once it is trained.
    """

    vocabulary: Sequence[bytes]
    features: npt.NDArray[np.int32]
    model: keras.Model
    scores: type[Scorer]

    def scorer(self) -> Scorer:
        return self.scores(self.vocabulary, self.model)


class TextNetwork(Protocol):
    """A network of texts, described by its hyperparameters."""

    def prepare(
        self,
        data: Texts,
        training: npt.NDArray[np.int64],
        vocabulary: Sequence[bytes] | None,
    ) -> Prepared:
        """Turn the texts into numbers, and build the network.

        Args:
            data: all texts.
            training: the rows to learn from; a new vocabulary is theirs.
            vocabulary: the one to use; ``None`` makes it from the texts.
        """

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        """Return the one for a training of ``steps`` in all."""
