"""The bag of n-grams: naive-Bayes weighted logistic regression, and its sparse form for serving."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.data.dataset_types import MAX_TEXT_BYTES, Texts
from training.networks.classification_loss import fewest_logits
from training.networks.text_network import Prepared
from training.preprocessing import naive_bayes, ngrams
from training.preprocessing.text import lookup_table, numbered, words

# All lengths up to this.
_LONGEST = 3
# A version stays small: with many classes it has fewer n-grams.
_WEIGHTS = 1_000_000
# What a table says of an n-gram that it does not hold.
_ABSENT = -1


@keras.saving.register_keras_serializable("understudy")
class NgramBag(keras.layers.Layer):
    """The logits of a bag of n-grams: logistic regression on features scaled by naive Bayes.

    The weight of n-gram i for a class is ``ratio[i] * kernel[i]``, where the ratio is how much
    more likely the n-gram is in a text of that class (log) and the kernel is learned (Wang &
    Manning 2012).

    Args:
        size: the number of n-grams; one more, the last, pads.
        logits: how many there are.
        l2: the weight of the penalty on large kernels.
    """

    def __init__(self, size: int, logits: int, l2: float = 1e-5, **options: Any) -> None:
        super().__init__(**options)
        self.size, self.logits, self.l2 = size, logits, l2

    def get_config(self) -> dict[str, Any]:
        own = {"size": self.size, "logits": self.logits, "l2": self.l2}
        return {**super().get_config(), **own}

    def build(self, input_shape: Any) -> None:
        shape = (self.size + 1, self.logits)
        self.ratio = self.add_weight(shape=shape, initializer="zeros", trainable=False)
        self.kernel = self.add_weight(
            shape=shape, initializer="zeros", regularizer=keras.regularizers.L2(self.l2)
        )
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, grams: Any) -> Any:
        weights = keras.ops.take(self.ratio * self.kernel, grams, axis=0)
        return keras.ops.sum(weights, axis=-2) + self.bias


@dataclass(frozen=True, slots=True)
class Ngrams:
    """Naive-Bayes weighted n-grams, the strongest of all that are not rare.

    Attributes:
        strongest: how many n-grams are kept.
        smoothing: what is added to their counts.
        l2: the weight of the penalty on large kernels.
    """

    strongest: int = 200_000
    smoothing: float = 1.0
    l2: float = 1e-5

    def prepare(
        self,
        data: Texts,
        training: npt.NDArray[np.int64],
        vocabulary: Sequence[bytes] | None,
    ) -> Prepared:
        numbers, ends, spelling = numbered(data.train, MAX_TEXT_BYTES)
        logits = fewest_logits(len(data.labels))
        if vocabulary is None:
            found = ngrams.occurrences(numbers, ends, _LONGEST, naive_bayes.AT_LEAST)
            learned = np.zeros(found.texts, bool)
            learned[training] = True
            kept, ratio = naive_bayes.strongest(
                found,
                data.train_labels,
                len(data.labels),
                learned,
                smoothing=self.smoothing,
                most=self.strongest,
                weights=_WEIGHTS,
            )
            vocabulary = ngrams.spell(kept.keys, spelling)
        else:
            found = ngrams.occurrences(numbers, ends, _LONGEST, at_least=1)
            kept = found.numbered_as(ngrams.keys_of(vocabulary, spelling))
            ratio = np.zeros((len(vocabulary), logits))  # that of the version takes its place
        grams = keras.Input((None,), dtype="int32", name="grams")
        bag = NgramBag(len(vocabulary), logits, self.l2, name="ngram_bag")
        model = keras.Model(grams, bag(grams), name="ngrams")
        bag.ratio.assign(np.pad(ratio, ((0, 1), (0, 0))))
        return Prepared(vocabulary, kept.padded(len(vocabulary)), model, BagScorer)

    def optimizer(self, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(learning_rate, steps))


class BagScorer(tf.Module):
    """The logits of texts by the n-grams in them, in the graph: string [N] to [N, logits].

    Works on the n-grams that occur, never on all of the vocabulary, so memory follows the text.
    """

    def __init__(self, vocabulary: Sequence[bytes], trained: keras.Model) -> None:
        super().__init__()
        bag = trained.layers[-1]
        self._size = len(vocabulary)
        self._table = lookup_table(self, vocabulary, _ABSENT)
        self._weights = tf.Variable(bag.ratio.numpy() * bag.kernel.numpy(), trainable=False)
        self._bias = tf.Variable(bag.bias.numpy(), trainable=False)

    def __call__(self, text: Any) -> Any:
        grams = tf.strings.ngrams(words(text, MAX_TEXT_BYTES), tuple(range(1, _LONGEST + 1)))
        numbers = self._table.lookup(grams.flat_values)
        known = numbers != _ABSENT
        rows = tf.boolean_mask(grams.value_rowids(), known)
        # Once a text, however often it occurs: the features are binary.
        pairs, _ = tf.unique(rows * self._size + tf.boolean_mask(numbers, known))
        weights = tf.gather(self._weights, pairs % self._size)
        count = tf.shape(text, tf.int64)[0]
        return tf.math.unsorted_segment_sum(weights, pairs // self._size, count) + self._bias
