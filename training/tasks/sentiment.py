"""Sentiment: whether a film review is positive or negative (IMDB, Maas et al. 2011)."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training import calibration, datasets, ngrams
from training.answers import Classified
from training.config import Settings, with_hyperparameters
from training.datasets import Texts
from training.errors import TrainingError
from training.owndata import texts as own_texts
from training.search import Choice, Range, Search
from training.sources import Found
from training.splits import stratified
from training.start import Start
from training.task import Architecture, Array, Case, Exportable, OwnData, Plan, Predict, Task
from training.texts import lookup_table, numbered, saved_vocabulary, words
from training.variants import Study, Variant

# The graph reads no further: several times the longest review, and little work.
MAX_BYTES = 50_000
# Held out of the 25,000, to choose the best epoch and the temperature.
_HELD_OUT = 2_000

# N-grams of the default network: all lengths up to this, and none that are rarer.
_LONGEST = 3
_AT_LEAST = 3
# With many classes there are fewer n-grams, so that a version stays small: a weight a class.
_WEIGHTS = 1_000_000

# Words that the other networks read of a text.
_LENGTH = 250
_PAD, _UNKNOWN = 0, 1
# Their names in the vocabulary; no word has such signs.
_RESERVED = [b"<pad>", b"<unknown>"]


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


@dataclass(frozen=True, slots=True)
class _Ngrams:
    """The default network: naive-Bayes weighted n-grams, the strongest of all that are not rare.

    Attributes:
        strongest: how many n-grams are kept.
        smoothing: what is added to their counts.
        l2: the weight of the penalty on large kernels.
    """

    strongest: int = 200_000
    smoothing: float = 1.0
    l2: float = 1e-5


@dataclass(frozen=True, slots=True)
class _Tutorial:
    """The network of TensorFlow's "Basic text classification"; ``words`` are in its vocabulary."""

    words: int = 10_000

    def build(self, logits: int) -> keras.Model:
        sequence = keras.Input((_LENGTH,), dtype="int32", name="words")
        x = keras.layers.Embedding(self.words + 1, 16)(sequence)
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(sequence, keras.layers.Dense(logits)(x), name="tutorial")


@dataclass(frozen=True, slots=True)
class _Dense:
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
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        for _ in range(self.layers):
            x = keras.layers.Dense(self.units, activation="relu", kernel_regularizer=penalty)(x)
            if self.dropout:
                x = keras.layers.Dropout(self.dropout)(x)
        return keras.Model(sequence, keras.layers.Dense(logits)(x), name="dense")


_NETWORKS: Mapping[str, _Ngrams | _Tutorial | _Dense] = {
    "default": _Ngrams(),
    "tutorial": _Tutorial(),
    "dense": _Dense(),
}
# The large network of the study.
_LARGE = {"units": 512}


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The vocabulary, in the order of the network's numbers, and each text's numbers."""

    vocabulary: Sequence[bytes]
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
            search=Search(
                space={
                    "learning_rate": Range(1e-3, 3e-2, log=True),
                    "batch_size": Choice((128, 256, 512)),
                    "smoothing": Range(0.3, 3.0, log=True),
                    "l2": Range(1e-7, 1e-4, log=True),
                },
                metric="val_log_loss",
                mode="min",
            ),
        ),
        "tutorial": Architecture(
            description="embedding of 16, global average pooling, Dense 1",
            epochs=15,
            batch_size=32,
            learning_rate=0.001,
            patience=3,
        ),
        "dense": Architecture(
            description="which of 10,000 words occur, Dense 16, Dense 16, Dense 1",
            epochs=20,
            batch_size=512,
            learning_rate=0.001,
            patience=3,
            search=Search(
                space={
                    "learning_rate": Range(1e-4, 1e-2, log=True),
                    "units": Range(4, 256, log=True),
                    "layers": Range(1, 3),
                    "l2": Range(0.0, 0.003),
                    "dropout": Range(0.0, 0.7),
                },
                metric="val_log_loss",
                mode="min",
            ),
        ),
    }
    study = Study(
        arch="dense",
        epochs=20,
        batch_size=512,
        learning_rate=0.001,
        curve="log_loss",
        variants={
            "tiny": Variant(
                description="2 x Dense 4 on 200 words", hyperparameters={"words": 200, "units": 4}
            ),
            "small": Variant(description="2 x Dense 4", hyperparameters={"units": 4}),
            "middle": Variant(description="2 x Dense 16"),
            "large": Variant(description="2 x Dense 512", hyperparameters=_LARGE),
            "large, L2": Variant(
                description="penalty of 0.001 x squares", hyperparameters=_LARGE | {"l2": 0.001}
            ),
            "large, dropout": Variant(
                description="leaves out half", hyperparameters=_LARGE | {"dropout": 0.5}
            ),
            "large, both": Variant(
                description="penalty and dropout",
                hyperparameters=_LARGE | {"l2": 0.001, "dropout": 0.5},
            ),
            "large, early stopping": Variant(
                description="ends after 2 epochs without progress",
                hyperparameters=_LARGE,
                patience=2,
            ),
        },
    )

    own_data = OwnData(
        what="a CSV or JSONL file of texts with labels",
        suffixes=(".csv", ".jsonl"),
        read=lambda path, bad: own_texts.read(path, bad, standard=datasets.SENTIMENTS),
        title="Kinds of texts",
        description=(
            "Tells which of its classes a text belongs to, by the words and short phrases in it. "
            "A text of another language or subject than those that it learned from still gets "
            "one of them."
        ),
    )

    def load(self, found: Found) -> Texts:
        return datasets.imdb(found)

    def summary(self, data: Texts) -> dict[str, Any]:
        return {
            "name": "own texts" if data.own else "Large Movie Review Dataset (IMDB)",
            "train": len(data.train),
            "held_out": self._held_out(data),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
            **(data.own or {}),
        }

    def plan(self, data: Texts, settings: Settings) -> Plan:
        return self._plan(data, settings, None)

    def plan_from(self, data: Texts, settings: Settings, start: Start) -> Plan:
        # Its weights belong to its words: those stay, though the new texts have others.
        plan = self._plan(data, settings, saved_vocabulary(start.folder))
        start.give_to(plan.model, data.labels)
        return plan

    def _plan(self, data: Texts, settings: Settings, vocabulary: Sequence[bytes] | None) -> Plan:
        training, validation = stratified(data.train_labels, self._held_out(data), settings.seed)
        network = with_hyperparameters(_NETWORKS[settings.arch], settings.hyperparameters)
        classes = len(data.labels)
        targets = np.eye(classes, dtype=np.float32)
        if classes == 2:  # one logit tells both
            targets = targets[:, 1:]
        if isinstance(network, _Ngrams):
            prepared = _prepare_ngrams(data, training, vocabulary, network)
        else:
            prepared = _prepare_words(data, training, vocabulary, network)
        steps = -(-len(training) // settings.batch_size)
        rate: Any = settings.learning_rate
        if settings.arch == "default":
            rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps)
        prepared.model.compile(
            optimizer=keras.optimizers.Adam(rate),
            loss=(
                keras.losses.BinaryCrossentropy(from_logits=True)
                if classes == 2
                else keras.losses.CategoricalCrossentropy(from_logits=True)
            ),
            metrics=[
                keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
                if classes == 2
                else keras.metrics.CategoricalAccuracy(name="accuracy"),
                keras.metrics.BinaryCrossentropy(name="log_loss", from_logits=True)
                if classes == 2
                else keras.metrics.CategoricalCrossentropy(name="log_loss", from_logits=True),
            ],
        )

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            return prepared.features[rows], targets[data.train_labels[rows]]

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

    def classes(self, data: Texts) -> Sequence[str]:
        return data.labels

    def exportable(self, data: Texts, plan: Plan) -> Exportable:
        prepared: _Prepared = plan.state
        held_out = plan.validation
        parts = np.array_split(prepared.features[held_out], -(-len(held_out) // _CHUNK))
        logits = np.concatenate([plan.model.predict_on_batch(part) for part in parts])
        binary = len(data.labels) == 2
        if binary:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        labels = data.train_labels[held_out]
        scale = calibration.temperature(logits, labels)
        bag = isinstance(plan.model.layers[-1], NgramBag)
        scorer = (_BagScorer if bag else _SequenceScorer)(prepared)
        names = tf.constant(data.labels)

        def serve_one_of_two(text: Any) -> dict[str, Any]:
            probability = tf.sigmoid(scorer(text)[:, 0] / scale)
            label = tf.gather(names, tf.cast(probability >= 0.5, tf.int32))
            return {"label": label, "probability": probability}

        def serve_one_of_many(text: Any) -> dict[str, Any]:
            probabilities = tf.nn.softmax(scorer(text) / scale)
            return {
                "label": tf.gather(names, tf.argmax(probabilities, axis=1)),
                "confidence": tf.reduce_max(probabilities, axis=1),
                "probabilities": probabilities,
            }

        return Exportable(
            functions={"serving_default": serve_one_of_two if binary else serve_one_of_many},
            tracked=[scorer],
            contract=_contract(data),
            evaluation={"calibration": calibration.on_held_out(logits, labels, scale)},
        )

    def golden(self, data: Texts, predict: Predict) -> Sequence[Case]:
        # Short reviews: a golden example should be read by people, too.
        lengths = np.array([len(text) for text in data.test])
        order = np.argsort(lengths, kind="stable")
        readable = order[lengths[order] >= _READABLE]
        short = (readable if len(readable) >= _ENOUGH else order)[:400]
        probabilities = _probabilities(predict, [data.test[row] for row in short])
        labels = data.test_labels[short]
        right = probabilities.argmax(axis=1) == labels
        # Near a tie another processor could answer otherwise: a golden example should be clear.
        ordered = np.sort(probabilities, axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 0.2
        cases = []
        for label in reversed(range(len(data.labels))):
            rows = np.flatnonzero(right & (labels == label))
            rows = rows[np.argsort(~clear[rows], kind="stable")][: max(1, 8 // len(data.labels))]
            cases += [_case(data, short[row], "answered rightly") for row in rows]
        wrong = np.flatnonzero(~right & clear)[:2]
        cases += [_case(data, short[row], "hard: the model is wrong here") for row in wrong]
        shouted = data.test[short[0]].upper() + b"<br /><br />"
        truth = {"label": data.labels[labels[0]]}
        cases.append(
            Case(instance={"text": shouted.decode()}, note="upper case, HTML breaks", truth=truth)
        )
        cases.append(Case(instance={"text": ""}, note="hard: nothing to go by"))
        return cases

    def answers(self, data: Texts, predict: Predict) -> Classified:
        return Classified(
            names=data.labels,
            labels=data.test_labels,
            probabilities=_probabilities(predict, data.test),
        )

    def shown(self, data: Texts, row: int) -> str:
        return data.test[row].decode(errors="replace")

    def _held_out(self, data: Texts) -> int:
        return min(_HELD_OUT, len(data.train) // 12)


# Bytes that a golden review has at least.
_READABLE = 150
# Where fewer texts are so long, shorter ones do.
_ENOUGH = 100
# Texts that go through a graph at once.
_CHUNK = 1_000


def _probabilities(predict: Predict, texts: Sequence[bytes]) -> Array:
    """Return the probabilities that a version gives to the classes of texts, [N, classes]."""
    parts = []
    for start in range(0, len(texts), _CHUNK):
        chunk = np.array(texts[start : start + _CHUNK], object)
        outputs = predict("serving_default", {"text": chunk})
        if "probability" in outputs:
            second = outputs["probability"]
            parts.append(np.stack([1 - second, second], axis=1))
        else:
            parts.append(outputs["probabilities"])
    return np.concatenate(parts)


def _contract(data: Texts) -> Contract:
    text = Field(
        name="text",
        dtype="string",
        shape=(None,),
        description="A film review in English, UTF-8; HTML breaks may be in it.",
        max_length=MAX_BYTES,
        example="A clever, moving film with a wonderful cast. I loved it!",
    )
    if data.own:
        text = dataclasses.replace(
            text, description="A text as those that it learned from, UTF-8.", example=None
        )
    label = Field(
        name="label",
        dtype="string",
        shape=(None,),
        description="The most probable class.",
        choices=data.labels,
        example=data.labels[1],
    )
    outputs: tuple[Field, ...]
    if len(data.labels) == 2:
        outputs = (label, _share("probability", f"How probable {data.labels[1]!r} is, calibrated."))
    else:
        listed = f"Of {', '.join(data.labels)}, in this order."
        outputs = (
            label,
            _share("confidence", "How probable that class is, calibrated."),
            _share("probabilities", listed, len(data.labels)),
        )
    return {"serving_default": Signature("serving_default", (text,), outputs)}


def _share(name: str, description: str, *inner: int) -> Field:
    return Field(
        name=name,
        dtype="float32",
        shape=(None, *inner),
        description=description,
        minimum=0,
        maximum=1,
        example=None if inner else 0.97,
    )


def _case(data: Texts, row: int, note: str) -> Case:
    true = data.labels[data.test_labels[row]]
    return Case(
        instance={"text": data.test[row].decode()},
        note=f"test text {row}, {true}; {note}",
        truth={"label": true},
    )


def _prepare_ngrams(
    data: Texts,
    training: npt.NDArray[np.int64],
    vocabulary: Sequence[bytes] | None,
    network: _Ngrams,
) -> _Prepared:
    numbers, ends, spelling = numbered(data.train, MAX_BYTES)
    logits = _logits(data)
    if vocabulary is None:
        found = ngrams.occurrences(numbers, ends, _LONGEST, _AT_LEAST)
        kept, ratio = _strongest(data, training, found, network)
        vocabulary = ngrams.spell(kept.keys, spelling)
    else:
        found = ngrams.occurrences(numbers, ends, _LONGEST, at_least=1)
        kept = found.numbered_as(ngrams.keys_of(vocabulary, spelling))
        ratio = np.zeros((len(vocabulary), logits))  # that of the version takes its place
    grams = keras.Input((None,), dtype="int32", name="grams")
    bag = NgramBag(len(vocabulary), logits, network.l2, name="ngram_bag")
    model = keras.Model(grams, bag(grams), name="ngrams")
    bag.ratio.assign(np.pad(ratio, ((0, 1), (0, 0))))
    return _Prepared(vocabulary, kept.padded(len(vocabulary)), model)


def _strongest(
    data: Texts, training: npt.NDArray[np.int64], found: ngrams.Occurrences, network: _Ngrams
) -> tuple[ngrams.Occurrences, Array]:
    """Choose the n-grams that tell most; return them with their ratios, [n-grams, logits]."""
    learned = np.zeros(found.texts, bool)
    learned[training] = True
    count = found.frequencies(learned)
    # Of two classes, one against the other; of more, each against all others.
    classes = len(data.labels)
    ratios = []
    for label in range(1 if classes == 2 else 0, classes):
        within = found.frequencies(learned & (data.train_labels == label))
        here, elsewhere = within + network.smoothing, count - within + network.smoothing
        ratios.append(np.log((here / here.sum()) / (elsewhere / elsewhere.sum())))
    ratio = np.stack(ratios, axis=1)
    strength = np.where(count >= _AT_LEAST, np.abs(ratio).max(axis=1) * np.sqrt(count), 0)
    most = min(network.strongest, _WEIGHTS // ratio.shape[1])
    strongest = np.argsort(-strength, kind="stable")[:most]
    strongest = strongest[strength[strongest] > 0]
    if not len(strongest):
        raise TrainingError(
            f"No word or phrase occurs {_AT_LEAST} times in the texts to learn from, and tells "
            "their classes apart: more texts are needed."
        )
    return found.keep(strongest), ratio[strongest]


def _logits(data: Texts) -> int:
    """Return how many logits there are: of two classes, one tells both."""
    return 1 if len(data.labels) == 2 else len(data.labels)


def _prepare_words(
    data: Texts,
    training: npt.NDArray[np.int64],
    vocabulary: Sequence[bytes] | None,
    network: _Tutorial | _Dense,
) -> _Prepared:
    numbers, ends, spelling = numbered(data.train, MAX_BYTES)
    if vocabulary is None:
        text = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
        learned = np.isin(text, training)
        counts = np.bincount(numbers[learned], minlength=len(spelling))
        frequent = np.argsort(-counts, kind="stable")[: network.words - 1]
        vocabulary = _RESERVED + [spelling[word] for word in frequent]
    place = {word: index for index, word in enumerate(vocabulary)}
    position = np.array([place.get(word, _UNKNOWN) for word in spelling], np.int32)
    features = np.full((len(ends), _LENGTH), _PAD, np.int32)
    for row, (start, end) in enumerate(zip(ends - np.diff(ends, prepend=0), ends, strict=True)):
        head = numbers[start : min(end, start + _LENGTH)]
        features[row, : len(head)] = position[head]
    return _Prepared(vocabulary, features, network.build(_logits(data)))


class _BagScorer(tf.Module):
    """The logits of texts by the n-grams in them, in the graph: string [N] to [N, logits].

    Works on the n-grams that are there, never on all that could be: memory follows the text.
    """

    def __init__(self, prepared: _Prepared) -> None:
        super().__init__()
        bag = prepared.model.layers[-1]
        self._size = len(prepared.vocabulary)
        self._table = lookup_table(self, prepared.vocabulary, _ABSENT)
        self._weights = tf.Variable(bag.ratio.numpy() * bag.kernel.numpy(), trainable=False)
        self._bias = tf.Variable(bag.bias.numpy(), trainable=False)

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
    """The logits of texts by the tutorial's network, in the graph: string [N] to [N, logits]."""

    def __init__(self, prepared: _Prepared) -> None:
        super().__init__()
        self._model = prepared.model
        self._table = lookup_table(self, prepared.vocabulary, _UNKNOWN)

    def __call__(self, text: Any) -> Any:
        numbers = tf.ragged.map_flat_values(self._table.lookup, words(text, MAX_BYTES)[:, :_LENGTH])
        dense = numbers.to_tensor(_PAD, shape=(None, _LENGTH))
        return self._model(tf.cast(dense, tf.int32), training=False)


# What a table says of an n-gram that it does not hold.
_ABSENT = -1


TASK = Sentiment()
