"""Digits: which of the ten was written, from a picture of 28 x 28 greys (MNIST, LeCun et al. 1998).

The network is that of TensorFlow's "Quickstart for beginners". Nothing else in this repository
knows of this model; ``docs/guides/add-a-model.md`` shows how the file came about.
"""

import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training.array_types import Array, Predict
from training.data.dataset_location import DataSet, Found
from training.data.dataset_types import Images
from training.data.download import Remote
from training.data.feedback.picture_rows import PictureRows
from training.data.splits import held_out_of, stratified_before
from training.errors import TrainingError
from training.evaluation import calibration
from training.evaluation.predictions import ClassificationPredictions, margins
from training.fitting.config import Settings
from training.fitting.training_plan import TrainingPlan
from training.networks import output_fields
from training.networks.frozen_weights import frozen
from training.tasks.task_interface import (
    Architecture,
    Case,
    Exportable,
    ReferenceRows,
    Task,
)

MNIST = DataSet(
    name="mnist",
    files=(
        Remote(
            name="mnist.npz",
            url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            algorithm="sha256",
            digest="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        ),
    ),
    folder="",
    packages=(),
    homepage="https://keras.io/api/datasets/mnist/",
)
SIZE = 28
LABELS = tuple("0123456789")
# Held out of the 60,000, to choose the best epoch and the temperature.
_HELD_OUT = 5_000


class Digits(Task[Images]):
    """The handwritten digits of MNIST."""

    name = "digits"
    title = "Handwritten digits"
    description = (
        "Recognises which digit was written, from a small grey picture of it alone, centred and "
        "upright as in MNIST. Anything that is not a digit still gets one of the ten."
    )
    kind = "classification"
    data_set = MNIST
    min_quality = 0.9
    feedback_rows = PictureRows("digit")
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(
            description="Flatten, Dense 512 relu, Dropout 0.2, Dense 10",
            epochs=5,
            batch_size=32,
            learning_rate=0.001,
        ),
    }

    def load(self, found: Found) -> Images:
        (path,) = found.paths
        try:
            with np.load(path, allow_pickle=False) as file:
                train, train_labels = _pictures(file["x_train"], file["y_train"])
                test, test_labels = _pictures(file["x_test"], file["y_test"])
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{path} is not MNIST as Keras stores it: {error}.") from error
        return Images(
            train=train,
            train_labels=train_labels,
            test=test,
            test_labels=test_labels,
            labels=LABELS,
            fingerprint=found.fingerprint(),
        )

    def summary(self, data: Images) -> dict[str, Any]:
        return {
            "name": "MNIST",
            "train": len(data.train),
            "held_out": held_out_of(len(data.train), _HELD_OUT),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
        }

    def plan(self, data: Images, settings: Settings) -> TrainingPlan:
        training, validation = stratified_before(
            data.train_labels, _HELD_OUT, settings.seed, data.added
        )
        image = keras.Input((SIZE, SIZE), name="image")
        x = keras.layers.Rescaling(1 / 255)(image)
        x = keras.layers.Flatten()(x)
        x = keras.layers.Dense(512, activation="relu")(x)
        x = keras.layers.Dropout(0.2)(x)
        model = keras.Model(image, keras.layers.Dense(len(LABELS))(x), name="quickstart")
        model.compile(
            optimizer=keras.optimizers.Adam(settings.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            return data.train[rows].astype(np.float32), data.train_labels[rows]

        return TrainingPlan(
            model=model,
            batch=batch,
            training=training,
            validation=validation,
            metric="accuracy",
            monitor="val_accuracy",
        )

    def classes(self, data: Images) -> Sequence[str]:
        return data.labels

    def contract(self, data: Images) -> Contract:
        return {"serving_default": _SIGNATURE}

    def exportable(self, data: Images, plan: TrainingPlan) -> Exportable:
        network = frozen(plan.model)
        held_out = network(tf.constant(data.train[plan.validation], tf.float32)).numpy()
        labels = data.train_labels[plan.validation]
        scale = calibration.temperature(held_out, labels)

        def serve(image: Any) -> dict[str, Any]:
            probabilities = tf.nn.softmax(network(image) / scale)
            return {
                "digit": tf.argmax(probabilities, axis=1),
                "confidence": tf.reduce_max(probabilities, axis=1),
                "probabilities": probabilities,
            }

        return Exportable(
            functions={"serving_default": serve},
            contract=self.contract(data),
            evaluation={"calibration": calibration.on_held_out(held_out, labels, scale)},
        )

    def golden(self, data: Images, predict: Predict) -> Sequence[Case]:
        answers = self.answers(data, predict)
        margin = margins(answers.probabilities)
        # Near a tie another processor could answer otherwise: a golden example should be clear.
        clear = np.flatnonzero(margin > 0.1)
        right = clear[answers.right()[clear]]
        _, firsts = np.unique(data.test_labels[right], return_index=True)
        hardest = clear[np.argsort(margin[clear], kind="stable")[:2]]
        return [
            *(_case(data, row, "answered rightly") for row in right[firsts]),
            *(_case(data, row, "hard: here it is least sure") for row in hardest),
        ]

    def answers(self, data: Images, predict: Predict) -> ClassificationPredictions:
        answers = predict("serving_default", {"image": data.test.astype(np.float32)})
        return ClassificationPredictions(
            names=LABELS, labels=data.test_labels, probabilities=answers["probabilities"]
        )

    def reference_rows(self, data: Images) -> ReferenceRows:
        return ReferenceRows(inputs={"image": data.test})

    def shown(self, data: Images, row: int) -> Array:
        return np.asarray(data.test[row])


def _pictures(pictures: Array, labels: Array) -> tuple[Array, Array]:
    """Check one part of the file.

    Raises:
        ValueError: it holds no pictures with their digits.
    """
    if pictures.dtype != np.uint8 or pictures.shape != (len(labels), SIZE, SIZE):
        found = f"{pictures.dtype} {pictures.shape} for {len(labels)} labels"
        raise ValueError(f"pictures must be uint8 [N, {SIZE}, {SIZE}], not {found}")
    if set(np.unique(labels)) != set(range(len(LABELS))):
        raise ValueError(f"labels must be 0 to 9, not {np.unique(labels).tolist()}")
    return pictures, labels.astype(np.int64)


def _case(data: Images, row: int, why: str) -> Case:
    digit = int(data.test_labels[row])
    return Case(
        instance={"image": data.test[row].tolist()},
        note=f"test picture {row}, a {digit}; {why}",
        truth={"digit": digit},
    )


_SIGNATURE = Signature(
    "serving_default",
    (
        Field(
            name="image",
            dtype="float32",
            shape=(None, SIZE, SIZE),
            description="Grey values of a picture, row by row: a white digit on black.",
            minimum=0,
            maximum=255,
        ),
    ),
    (
        output_fields.class_id("digit", len(LABELS), "The most probable digit.", example=7),
        output_fields.probability("confidence", "How probable that digit is, calibrated.", 0.99),
        output_fields.probabilities(LABELS, listed="the digits 0 to 9"),
    ),
)

TASK = Digits()
