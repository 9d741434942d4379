"""Sentiment: whether a film review is positive or negative (IMDB, Maas et al. 2011)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Field, Signature
from training import datasets, evaluation, ngrams
from training.answers import Classified
from training.config import Settings
from training.datasets import Texts
from training.sources import Found
from training.splits import stratified
from training.task import Architecture, Array, Case, Exportable, Plan, Predict, Task
from training.texts import lookup_table, numbered, words

LABELS = ("negative", "positive")
# The graph reads no further: several times the longest review, and little work.
MAX_BYTES = 50_000
# Held out of the 25,000, to choose the best epoch and the temperature.
_HELD_OUT = 2_000

# The default network: naive-Bayes weighted n-grams, the strongest of all that are not rare.
_LONGEST = 3
_AT_LEAST = 3
_STRONGEST = 200_000
_SMOOTHING = 1.0
_L2 = 1e-5

# The tutorial's network.
_WORDS = 10_000
_LENGTH = 250
_PAD, _UNKNOWN = 0, 1
# Their names in the vocabulary; no word has such signs.
_RESERVED = [b"<pad>", b"<unknown>"]


class NgramBag(keras.layers.Layer):
    """The logit of a bag of n-grams: logistic regression on features scaled by naive Bayes.

    The weight of n-gram i is ``ratio[i] * kernel[i]``, where the ratio is how much more likely
    the n-gram is in a positive text (log) and the kernel is learned (Wang & Manning 2012).

    Args:
        ratio: float32 [n-grams + 1]; the last is 0 and pads.
    """

    def __init__(self, ratio: npt.NDArray[np.float32]) -> None:
        super().__init__(name="ngram_bag")
        self._ratio = ratio

    def build(self, input_shape: Any) -> None:
        size = len(self._ratio)
        self.ratio = self.add_weight(shape=(size,), initializer="zeros", trainable=False)
        self.ratio.assign(self._ratio)
        self.kernel = self.add_weight(
            shape=(size,), initializer="zeros", regularizer=keras.regularizers.L2(_L2)
        )
        self.bias = self.add_weight(shape=(1,), initializer="zeros")

    def call(self, grams: Any) -> Any:
        weights = keras.ops.take(self.ratio * self.kernel, grams)
        return keras.ops.sum(weights, axis=-1, keepdims=True) + self.bias


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The vocabulary, in the order of the network's numbers, and each text's numbers."""

    vocabulary: list[bytes]
    features: npt.NDArray[np.int32]
    model: keras.Model


class Sentiment(Task[Texts]):
    """Film reviews of the Internet Movie Database."""

    name = "sentiment"
    title = "Sentiment of film reviews"
    description = (
        "Tells whether an English film review is positive or negative, and how probable it is "
        "that it is positive. Made for whole reviews: a single sentence gives it little to go "
        "by, and irony, or praise of one thing within a damning review, can mislead it."
    )
    kind = "classification"
    data_set = datasets.IMDB
    acceptable = 0.85
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(
            description="naive-Bayes weighted 1- to 3-grams, logistic regression",
            epochs=8,
            batch_size=256,
            learning_rate=0.005,
        ),
        "tutorial": Architecture(
            description="embedding of 16, global average pooling, Dense 1",
            epochs=15,
            batch_size=32,
            learning_rate=0.001,
            patience=3,
        ),
    }

    def load(self, found: Found) -> Texts:
        return datasets.imdb(found)

    def summary(self, data: Texts) -> dict[str, Any]:
        return {
            "name": "Large Movie Review Dataset (IMDB)",
            "train": len(data.train),
            "held_out": self._held_out(data),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
        }

    def plan(self, data: Texts, settings: Settings) -> Plan:
        training, validation = stratified(data.train_labels, self._held_out(data), settings.seed)
        prepare = {"default": _prepare_ngrams, "tutorial": _prepare_words}[settings.arch]
        prepared = prepare(data, training)
        steps = -(-len(training) // settings.batch_size)
        rate: Any = settings.learning_rate
        if settings.arch == "default":
            rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps)
        prepared.model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        )

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            return prepared.features[rows], data.train_labels[rows, None].astype(np.float32)

        return Plan(
            model=prepared.model,
            batch=batch,
            training=training,
            validation=validation,
            metric="accuracy",
            monitor="val_loss",
            mode="min",
            state=prepared,
        )

    def exportable(self, data: Texts, plan: Plan) -> Exportable:
        prepared: _Prepared = plan.state
        held_out = plan.validation
        logits = plan.model.predict(prepared.features[held_out], batch_size=500, verbose=0)
        pairs = np.concatenate([np.zeros_like(logits), logits], axis=1)
        labels = data.train_labels[held_out]
        scale = evaluation.temperature(pairs, labels)
        bag = isinstance(plan.model.layers[-1], NgramBag)
        scorer = (_BagScorer if bag else _SequenceScorer)(prepared)
        names = tf.constant(LABELS)

        def serve(text: Any) -> dict[str, Any]:
            probability = tf.sigmoid(scorer(text) / scale)
            label = tf.gather(names, tf.cast(probability >= 0.5, tf.int32))
            return {"label": label, "probability": probability}

        return Exportable(
            functions={"serving_default": serve},
            tracked=[scorer],
            contract={"serving_default": _SIGNATURE},
            evaluation={"calibration": evaluation.calibration(pairs, labels, scale)},
        )

    def golden(self, data: Texts, predict: Predict) -> Sequence[Case]:
        # Short reviews: a golden example should be read by people, too.
        lengths = np.array([len(text) for text in data.test])
        order = np.argsort(lengths, kind="stable")
        short = order[lengths[order] >= _READABLE][:400]
        texts = np.array([data.test[row] for row in short], object)
        probability = predict("serving_default", {"text": texts})["probability"]
        labels = data.test_labels[short]
        right = (probability >= 0.5) == (labels == 1)
        # Near a tie another processor could answer otherwise: a golden example should be clear.
        clear = np.abs(probability - 0.5) > 0.1
        cases = []
        for label in (1, 0):
            rows = np.flatnonzero(right & (labels == label))
            rows = rows[np.argsort(~clear[rows], kind="stable")][:4]
            cases += [_case(data, short[row], "answered rightly") for row in rows]
        wrong = np.flatnonzero(~right & clear)[:2]
        cases += [_case(data, short[row], "hard: the model is wrong here") for row in wrong]
        shouted = data.test[short[0]].upper() + b"<br /><br />"
        truth = {"label": LABELS[labels[0]]}
        cases.append(
            Case(instance={"text": shouted.decode()}, note="upper case, HTML breaks", truth=truth)
        )
        cases.append(Case(instance={"text": ""}, note="hard: nothing to go by"))
        return cases

    def answers(self, data: Texts, predict: Predict) -> Classified:
        positive = []
        for start in range(0, len(data.test), _CHUNK):
            texts = np.array(data.test[start : start + _CHUNK], object)
            positive.append(predict("serving_default", {"text": texts})["probability"])
        probability = np.concatenate(positive)
        both = np.stack([1 - probability, probability], axis=1)
        return Classified(names=LABELS, labels=data.test_labels, probabilities=both)

    def shown(self, data: Texts, row: int) -> str:
        return data.test[row].decode(errors="replace")

    def _held_out(self, data: Texts) -> int:
        return min(_HELD_OUT, len(data.train) // 12)


# Bytes that a golden review has at least.
_READABLE = 150
# Texts that go through a graph at once.
_CHUNK = 1_000

_SIGNATURE = Signature(
    "serving_default",
    (
        Field(
            name="text",
            dtype="string",
            shape=(None,),
            description="A film review in English, UTF-8; HTML breaks may be in it.",
            max_length=MAX_BYTES,
            example="A clever, moving film with a wonderful cast. I loved it!",
        ),
    ),
    (
        Field(
            name="label",
            dtype="string",
            shape=(None,),
            description="The more probable of the two.",
            choices=LABELS,
            example="positive",
        ),
        Field(
            name="probability",
            dtype="float32",
            shape=(None,),
            description="How probable it is that the review is positive, calibrated.",
            minimum=0,
            maximum=1,
            example=0.97,
        ),
    ),
)


def _case(data: Texts, row: int, note: str) -> Case:
    true = LABELS[data.test_labels[row]]
    return Case(
        instance={"text": data.test[row].decode()},
        note=f"test review {row}, {true}; {note}",
        truth={"label": true},
    )


def _prepare_ngrams(data: Texts, training: npt.NDArray[np.int64]) -> _Prepared:
    numbers, ends, spelling = numbered(data.train, MAX_BYTES)
    found = ngrams.occurrences(numbers, ends, _LONGEST, _AT_LEAST)
    learned = np.zeros(found.texts, bool)
    learned[training] = True
    positive = found.frequencies(learned & (data.train_labels == 1)) + _SMOOTHING
    negative = found.frequencies(learned & (data.train_labels == 0)) + _SMOOTHING
    ratio = np.log((positive / positive.sum()) / (negative / negative.sum()))
    count = positive + negative - 2 * _SMOOTHING
    strength = np.where(count >= _AT_LEAST, np.abs(ratio) * np.sqrt(count), 0)
    strongest = np.argsort(-strength, kind="stable")[:_STRONGEST]
    strongest = strongest[strength[strongest] > 0]
    kept = found.keep(strongest)
    grams = keras.Input((None,), dtype="int32", name="grams")
    bag = NgramBag(np.append(ratio[strongest], 0).astype(np.float32))
    model = keras.Model(grams, bag(grams), name="ngrams")
    return _Prepared(ngrams.spell(kept.keys, spelling), kept.padded(len(strongest)), model)


def _prepare_words(data: Texts, training: npt.NDArray[np.int64]) -> _Prepared:
    numbers, ends, spelling = numbered(data.train, MAX_BYTES)
    text = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    learned = np.isin(text, training)
    counts = np.bincount(numbers[learned], minlength=len(spelling))
    frequent = np.argsort(-counts, kind="stable")[: _WORDS - 1]
    position = np.full(len(spelling), _UNKNOWN, np.int32)
    position[frequent] = np.arange(len(frequent)) + len(_RESERVED)
    features = np.full((len(ends), _LENGTH), _PAD, np.int32)
    for row, (start, end) in enumerate(zip(ends - np.diff(ends, prepend=0), ends, strict=True)):
        head = numbers[start : min(end, start + _LENGTH)]
        features[row, : len(head)] = position[head]
    sequence = keras.Input((_LENGTH,), dtype="int32", name="words")
    x = keras.layers.Embedding(_WORDS + 1, 16)(sequence)
    x = keras.layers.GlobalAveragePooling1D()(x)
    model = keras.Model(sequence, keras.layers.Dense(1)(x), name="tutorial")
    vocabulary = _RESERVED + [spelling[word] for word in frequent]
    return _Prepared(vocabulary, features, model)


class _BagScorer(tf.Module):
    """The logit of texts by the n-grams that occur in them, in the graph; string [N] to [N].

    Works on the n-grams that are there, never on all that could be: memory follows the text.
    """

    def __init__(self, prepared: _Prepared) -> None:
        super().__init__()
        bag = prepared.model.layers[-1]
        self._size = len(prepared.vocabulary)
        self._table = lookup_table(self, prepared.vocabulary, _ABSENT)
        self._weights = tf.Variable(bag.ratio.numpy() * bag.kernel.numpy(), trainable=False)
        self._bias = tf.Variable(bag.bias.numpy()[0], trainable=False)

    def __call__(self, text: Any) -> Any:
        grams = tf.strings.ngrams(words(text, MAX_BYTES), tuple(range(1, _LONGEST + 1)))
        numbers = self._table.lookup(grams.flat_values)
        known = numbers != _ABSENT
        rows = tf.boolean_mask(grams.value_rowids(), known)
        # Once a text, however often it occurs: the features are binary.
        pairs, _ = tf.unique(rows * self._size + tf.boolean_mask(numbers, known))
        weights = tf.gather(self._weights, pairs % self._size)
        count = tf.shape(text, tf.int64)[0]
        return tf.math.unsorted_segment_sum(weights, pairs // self._size, count) + self._bias


class _SequenceScorer(tf.Module):
    """The logit of texts by the tutorial's network, in the graph; string [N] to [N]."""

    def __init__(self, prepared: _Prepared) -> None:
        super().__init__()
        self._model = prepared.model
        self._table = lookup_table(self, prepared.vocabulary, _UNKNOWN)

    def __call__(self, text: Any) -> Any:
        numbers = tf.ragged.map_flat_values(self._table.lookup, words(text, MAX_BYTES)[:, :_LENGTH])
        dense = numbers.to_tensor(_PAD, shape=(None, _LENGTH))
        return self._model(tf.cast(dense, tf.int32), training=False)[:, 0]


# What a table says of an n-gram that it does not hold.
_ABSENT = -1


TASK = Sentiment()
