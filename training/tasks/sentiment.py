"""Sentiment: whether a film review is positive or negative (IMDB, Maas et al. 2011)."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training.array_types import Array, Predict
from training.data import imdb
from training.data.dataset_location import Found
from training.data.dataset_types import MAX_TEXT_BYTES, Texts
from training.data.feedback.text_rows import TextRows
from training.data.load import OwnData
from training.data.original_examples import Original, by_turns
from training.data.own import text_file
from training.data.splits import held_out_of, stratified_before
from training.evaluation import calibration
from training.evaluation.predictions import ClassificationPredictions, margins
from training.fitting.config import Settings, with_hyperparameters
from training.fitting.training_plan import TrainingPlan
from training.networks import classification_loss, output_fields
from training.networks.ngram_network import Ngrams
from training.networks.text_network import Prepared, TextNetwork
from training.networks.word_networks import DenseWords, Embedded
from training.preprocessing.text import saved_vocabulary
from training.tasks.search_space import Choice, Range, Search
from training.tasks.study_variants import Study, Variant
from training.tasks.task_interface import (
    Architecture,
    Case,
    Exportable,
    ReferenceRows,
    Task,
)

# Held out of the 25,000, to choose the best epoch and the temperature.
_HELD_OUT = 2_000

# The large network of the study.
_LARGE = {"units": 512}


class Sentiment(Task[Texts]):
    """Film reviews of the Internet Movie Database."""

    name = "sentiment"
    title = "Sentiment of film reviews"
    description = (
        "Decides whether an English film review is positive or negative, and how probable it is "
        "that it is positive. Made for whole reviews: a single sentence gives it little to go "
        "by, and irony, or praise of one thing within a damning review, can mislead it."
    )
    kind = "classification"
    data_set = imdb.IMDB
    min_quality = 0.85
    networks: Mapping[str, TextNetwork] = {
        "default": Ngrams(),
        "tutorial": Embedded(),
        "dense": DenseWords(),
    }
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
        read=lambda path, bad: text_file.read(path, bad, standard=imdb.SENTIMENTS),
        title="Kinds of texts",
        description=(
            "Decides which of its classes a text belongs to, by the words and short phrases in it. "
            "A text of another language or subject than those that it learned from still gets "
            "one of them."
        ),
    )
    feedback_rows = TextRows()

    def load(self, found: Found) -> Texts:
        return imdb.read(found)

    def summary(self, data: Texts) -> dict[str, Any]:
        return {
            "name": "own texts" if data.own else "Large Movie Review Dataset (IMDB)",
            "train": len(data.train),
            "held_out": held_out_of(len(data.train), _HELD_OUT),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
            **(data.own or {}),
        }

    def plan(self, data: Texts, settings: Settings) -> TrainingPlan:
        return self._plan(data, settings, None)

    def plan_as_published(self, data: Texts, settings: Settings, version: Path) -> TrainingPlan:
        # Its weights belong to its words: those stay, though the new texts have others.
        return self._plan(data, settings, saved_vocabulary(version))

    def _plan(
        self, data: Texts, settings: Settings, vocabulary: Sequence[bytes] | None
    ) -> TrainingPlan:
        training, validation = stratified_before(
            data.train_labels, _HELD_OUT, settings.seed, data.added
        )
        network = with_hyperparameters(self.networks[settings.arch], settings.hyperparameters)
        logits = classification_loss.fewest_logits(len(data.labels))
        targets = classification_loss.targets(len(data.labels), logits)
        prepared = network.prepare(data, training, vocabulary)
        steps = settings.epochs * -(-len(training) // settings.batch_size)
        prepared.model.compile(
            optimizer=network.optimizer(settings.learning_rate, steps),
            loss=classification_loss.loss(logits),
            metrics=classification_loss.metrics(logits),
        )

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            return prepared.features[rows], targets[data.train_labels[rows]]

        return TrainingPlan(
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

    def contract(self, data: Texts) -> Contract:
        text = Field(
            name="text",
            dtype="string",
            shape=(None,),
            description="A film review in English, UTF-8; HTML breaks may be in it.",
            max_length=MAX_TEXT_BYTES,
            example="A clever, moving film with a wonderful cast. I loved it!",
        )
        if data.own:
            text = dataclasses.replace(
                text, description="A text as those that it learned from, UTF-8.", example=None
            )
        label = output_fields.label(data.labels, example=data.labels[1])
        answer: tuple[Field, ...]
        if len(data.labels) == 2:
            what = f"How probable {data.labels[1]!r} is, calibrated."
            answer = (label, output_fields.probability("probability", what, 0.97))
        else:
            what = "How probable that class is, calibrated."
            answer = (
                label,
                output_fields.probability("confidence", what, 0.97),
                output_fields.probabilities(data.labels),
            )
        return {"serving_default": Signature("serving_default", (text,), answer)}

    def exportable(self, data: Texts, plan: TrainingPlan) -> Exportable:
        prepared: Prepared = plan.state
        held_out = plan.validation
        parts = np.array_split(prepared.features[held_out], -(-len(held_out) // _CHUNK))
        logits = np.concatenate([plan.model.predict_on_batch(part) for part in parts])
        binary = len(data.labels) == 2
        if binary:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        labels = data.train_labels[held_out]
        scale = calibration.temperature(logits, labels)
        scorer = prepared.scorer()
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
            contract=self.contract(data),
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
        clear = margins(probabilities) > 0.2
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

    def answers(self, data: Texts, predict: Predict) -> ClassificationPredictions:
        return ClassificationPredictions(
            names=data.labels,
            labels=data.test_labels,
            probabilities=_probabilities(predict, data.test),
        )

    def originals(self, data: Texts) -> Sequence[Original]:
        kinds = [str(label) for label in data.test_labels[: len(data.test_originals)]]
        return [
            Original(
                place=data.test_originals[row][0],
                signature="serving_default",
                sent={"text": data.test_originals[row][1]},
                measured_by="serving_default",
                measured={"text": data.test[row]},
            )
            for row in by_turns(kinds)
        ]

    def reference_rows(self, data: Texts) -> ReferenceRows:
        return ReferenceRows(inputs={"text": np.array(data.test, object)})

    def shown(self, data: Texts, row: int) -> str:
        return data.test[row].decode(errors="replace")


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
        answers = predict("serving_default", {"text": chunk})
        if "probability" in answers:
            second = answers["probability"]
            parts.append(np.stack([1 - second, second], axis=1))
        else:
            parts.append(answers["probabilities"])
    return np.concatenate(parts)


def _case(data: Texts, row: int, note: str) -> Case:
    true = data.labels[data.test_labels[row]]
    return Case(
        instance={"text": data.test[row].decode()},
        note=f"test text {row}, {true}; {note}",
        truth={"label": true},
    )


TASK = Sentiment()
