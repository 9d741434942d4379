"""Networks that read a text's first words as numbers, and how texts become these for serving."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.dataset_types import MAX_TEXT_BYTES, Texts
from training.networks.classification_loss import fewest_logits
from training.networks.dense import hidden_layers
from training.networks.text_network import Prepared
from training.preprocessing.text import lookup_table, numbered, words

# Words that are read of a text.
_LENGTH = 250
_PAD, _UNKNOWN = 0, 1
# Their names in the vocabulary; no word has such signs.
_RESERVED = [b"<pad>", b"<unknown>"]


@keras.saving.register_keras_serializable("understudy")
class MultiHot(keras.layers.Layer):
    """Which words occur in a text: int32 [N, length] to float32 [N, words], 0 or 1.

    Padding counts as no word.
    """

    def __init__(self, words: int, **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": self.words}

    def call(self, numbers: Any) -> Any:
        rows = tf.broadcast_to(tf.range(tf.shape(numbers)[0])[:, None], tf.shape(numbers))
        places = tf.stack([rows, numbers], axis=-1)
        counts = tf.scatter_nd(
            places,
            tf.ones_like(numbers, tf.float32),
            (tf.shape(numbers)[0], self.words + 1),
        )
        return tf.minimum(counts[:, _PAD + 1 :], 1.0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.words)


class _Words(ABC):
    """A network that sees the most frequent words, in their order."""

    words: int

    @abstractmethod
    def build(self, logits: int) -> keras.Model:
        """Return it: int32 [N, length] to logits [N, logits]."""

    def prepare(
        self,
        data: Texts,
        training: npt.NDArray[np.int64],
        vocabulary: Sequence[bytes] | None,
    ) -> Prepared:
        numbers, ends, spelling = numbered(data.train, MAX_TEXT_BYTES)
        if vocabulary is None:
            text = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
            learned = np.isin(text, training)
            counts = np.bincount(numbers[learned], minlength=len(spelling))
            frequent = np.argsort(-counts, kind="stable")[: self.words - 1]
            vocabulary = _RESERVED + [spelling[word] for word in frequent]
        place = {word: index for index, word in enumerate(vocabulary)}
        position = np.array([place.get(word, _UNKNOWN) for word in spelling], np.int32)
        features = np.full((len(ends), _LENGTH), _PAD, np.int32)
        for row, (start, end) in enumerate(zip(ends - np.diff(ends, prepend=0), ends, strict=True)):
            head = numbers[start : min(end, start + _LENGTH)]
            features[row, : len(head)] = position[head]
        model = self.build(fewest_logits(len(data.labels)))
        return Prepared(vocabulary, features, model, SequenceScorer)

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(learning_rate)


@dataclass(frozen=True, slots=True)
class Embedded(_Words):
    """The network of TensorFlow's "Basic text classification"; ``words`` are in its vocabulary."""

    words: int = 10_000

    def build(self, logits: int) -> keras.Model:
        sequence = keras.Input((_LENGTH,), dtype="int32", name="words")
        x = keras.layers.Embedding(self.words + 1, 16)(sequence)
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(sequence, keras.layers.Dense(logits)(x), name="tutorial")


@dataclass(frozen=True, slots=True)
class DenseWords(_Words):
    """Dense layers on which words occur: the networks of "Overfit and underfit", on IMDB.

    Attributes:
        words: in the vocabulary.
        units: of each hidden layer.
        layers: how many hidden layers there are.
        l2: the weight of the penalty on large kernels.
        dropout: the share of a hidden layer's units that is left out at random in training.
    """

    words: int = 10_000
    units: int = 16
    layers: int = 2
    l2: float = 0.0
    dropout: float = 0.0

    def build(self, logits: int) -> keras.Model:
        sequence = keras.Input((_LENGTH,), dtype="int32", name="words")
        x = MultiHot(self.words, name="multi_hot")(sequence)
        x = hidden_layers(x, self.units, self.layers, self.l2, self.dropout)
        return keras.Model(sequence, keras.layers.Dense(logits)(x), name="dense")


class SequenceScorer(tf.Module):
    """The logits of texts by their first words, in the graph: string [N] to [N, logits]."""

    def __init__(self, vocabulary: Sequence[bytes], trained: keras.Model) -> None:
        super().__init__()
        self._model = trained
        self._table = lookup_table(self, vocabulary, _UNKNOWN)

    def __call__(self, text: Any) -> Any:
        numbers = tf.ragged.map_flat_values(
            self._table.lookup, words(text, MAX_TEXT_BYTES)[:, :_LENGTH]
        )
        dense = numbers.to_tensor(_PAD, shape=(None, _LENGTH))
        return self._model(tf.cast(dense, tf.int32), training=False)
