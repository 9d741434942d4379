"""Clothing: which of ten kinds a garment is, from a picture of 28 x 28 greys (Fashion-MNIST)."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training.array_types import Array, Predict
from training.data import fashion_mnist
from training.data.dataset_location import Found
from training.data.dataset_types import Images
from training.data.feedback.picture_rows import PictureRows
from training.data.load import OwnData
from training.data.original_examples import Original, by_turns
from training.data.own import image_folder
from training.data.splits import held_out_of, stratified_before
from training.evaluation import calibration
from training.evaluation.predictions import ClassificationPredictions, margins
from training.fitting.config import Settings, with_hyperparameters
from training.fitting.training_plan import TrainingPlan
from training.networks import classification_loss, output_fields
from training.networks.dense import DensePictures
from training.networks.residual import Residual
from training.preprocessing.augmentation import augment
from training.preprocessing.images import from_encoded
from training.tasks.search_space import Choice, Range, Search
from training.tasks.study_variants import Study, Variant
from training.tasks.task_interface import (
    Architecture,
    Case,
    Exportable,
    ReferenceRows,
    Task,
)

SIZE = 28
# Held out of the 60,000, to choose the best epoch and the temperature.
_HELD_OUT = 5_000

_ENCODED = Field(
    name="image_bytes",
    dtype="string",
    shape=(None,),
    description="A PNG, JPEG, GIF or BMP file of any size that shows one thing.",
    max_length=10_000_000,
    content_types=("image/png", "image/jpeg", "image/gif", "image/bmp"),
)

# The large network of the study.
_LARGE = {"units": 512, "layers": 3}


class Clothing(Task[Images]):
    """Fashion-MNIST's ten kinds of garments."""

    name = "clothing"
    title = "Kinds of clothing"
    description = (
        "Recognises which of ten kinds a single garment is, from a small grey picture of it "
        "without a person. Shirts, T-shirts, pullovers and coats are hard to distinguish at this "
        "size. Anything that is not a garment still gets one of the ten labels."
    )
    kind = "classification"
    data_set = fashion_mnist.FASHION_MNIST
    min_quality = 0.85
    networks: Mapping[str, DensePictures | Residual] = {
        "tutorial": DensePictures(),
        "default": Residual(),
    }
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(
            description="residual network with batch normalisation, augmentation",
            epochs=40,
            batch_size=256,
            learning_rate=0.2,
            search=Search(
                space={
                    "learning_rate": Range(0.02, 0.5, log=True),
                    "weight_decay": Range(1e-4, 2e-3, log=True),
                    "label_smoothing": Range(0.0, 0.15),
                    "warm_up": Range(0.05, 0.4),
                },
                metric="val_accuracy",
                mode="max",
            ),
        ),
        "tutorial": Architecture(
            description="Flatten, Dense 128 relu, Dense 10",
            epochs=10,
            batch_size=32,
            learning_rate=0.001,
            patience=3,
            search=Search(
                space={
                    "learning_rate": Range(1e-4, 1e-2, log=True),
                    "batch_size": Choice((32, 64, 128)),
                    "units": Range(32, 512, log=True),
                    "layers": Range(1, 3),
                    "dropout": Range(0.0, 0.5),
                },
                metric="val_accuracy",
                mode="max",
            ),
        ),
    }
    study = Study(
        arch="tutorial",
        epochs=30,
        batch_size=256,
        learning_rate=0.001,
        curve="log_loss",
        variants={
            "small": Variant(description="Dense 4", hyperparameters={"units": 4}),
            "middle": Variant(description="Dense 64", hyperparameters={"units": 64}),
            "large": Variant(description="3 x Dense 512", hyperparameters=_LARGE),
            "large, L2": Variant(
                description="penalty of 0.0002 x squares", hyperparameters=_LARGE | {"l2": 2e-4}
            ),
            "large, dropout": Variant(
                description="leaves out 40 %", hyperparameters=_LARGE | {"dropout": 0.4}
            ),
            "large, both": Variant(
                description="penalty and dropout",
                hyperparameters=_LARGE | {"l2": 2e-5, "dropout": 0.4},
            ),
            "large, early stopping": Variant(
                description="ends after 3 epochs without progress",
                hyperparameters=_LARGE,
                patience=3,
            ),
        },
    )

    own_data = OwnData(
        what="a folder with a folder of pictures for each class",
        suffixes=(),
        read=lambda folder, bad: image_folder.read(
            folder, bad, field=_ENCODED, prepare=_prepare, standard=fashion_mnist.GARMENTS
        ),
        title="Kinds of pictures",
        description=(
            "Recognises which of its classes a picture shows, from the picture in small and grey. "
            "Anything that belongs to no class still gets one of them."
        ),
    )
    feedback_rows = PictureRows("label", _ENCODED, lambda encoded: _prepare(encoded))

    def load(self, found: Found) -> Images:
        return fashion_mnist.read(found)

    def summary(self, data: Images) -> dict[str, Any]:
        return {
            "name": "own pictures" if data.own else "Fashion-MNIST",
            "train": len(data.train),
            "held_out": held_out_of(len(data.train), _HELD_OUT),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
            **(data.own or {}),
        }

    def plan(self, data: Images, settings: Settings) -> TrainingPlan:
        training, validation = stratified_before(
            data.train_labels, _HELD_OUT, settings.seed, data.added
        )
        augmented = settings.arch == "default"

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            images = data.train[rows]
            if augmented and random is not None:
                images = augment(images, random)
            targets = np.eye(len(data.labels), dtype=np.float32)[data.train_labels[rows]]
            return images.astype(np.float32), targets

        network = with_hyperparameters(self.networks[settings.arch], settings.hyperparameters)
        classes = len(data.labels)
        steps = settings.epochs * -(-len(training) // settings.batch_size)
        model = network.build(SIZE, classes)
        model.compile(
            optimizer=network.optimizer(settings.learning_rate, steps),
            loss=network.loss(classes),
            metrics=classification_loss.metrics(classes),
        )
        return TrainingPlan(
            model=model,
            batch=batch,
            training=training,
            validation=validation,
            metric="accuracy",
            monitor="val_accuracy",
            state=network,
        )

    def classes(self, data: Images) -> Sequence[str]:
        return data.labels

    def contract(self, data: Images) -> Contract:
        labels = data.labels
        answer = (
            output_fields.label(labels, labels[-1], what="kind"),
            output_fields.class_id(
                "class_id",
                len(labels),
                "Its number in the order of the probabilities.",
                example=len(labels) - 1,
            ),
            output_fields.probability("confidence", "How probable that kind is, calibrated.", 0.98),
            output_fields.probabilities(labels),
        )
        image = Field(
            name="image",
            dtype="float32",
            shape=(None, SIZE, SIZE),
            description="Grey values of a picture, row by row: what it shows, bright on black.",
            minimum=0,
            maximum=255,
        )
        return {
            "serving_default": Signature("serving_default", (image,), answer),
            "from_encoded": Signature("from_encoded", (_ENCODED,), answer),
        }

    def exportable(self, data: Images, plan: TrainingPlan) -> Exportable:
        network: DensePictures | Residual = plan.state
        logits = network.serving(plan.model)
        images = data.train[plan.validation].astype(np.float32)
        held_out = np.concatenate([logits(tf.constant(part)).numpy() for part in _parts(images)])
        labels = data.train_labels[plan.validation]
        scale = calibration.temperature(held_out, labels)

        def serve(image: Any) -> dict[str, Any]:
            probabilities = tf.nn.softmax(logits(image) / scale)
            class_id = tf.argmax(probabilities, axis=1)
            return {
                "label": tf.gather(tf.constant(data.labels), class_id),
                "class_id": class_id,
                "confidence": tf.reduce_max(probabilities, axis=1),
                "probabilities": probabilities,
            }

        def serve_encoded(image_bytes: Any) -> dict[str, Any]:
            spec = tf.TensorSpec((SIZE, SIZE), tf.float32)
            return serve(tf.map_fn(_prepare, image_bytes, fn_output_signature=spec))

        return Exportable(
            functions={"serving_default": serve, "from_encoded": serve_encoded},
            contract=self.contract(data),
            evaluation={"calibration": calibration.on_held_out(held_out, labels, scale)},
        )

    def golden(self, data: Images, predict: Predict) -> Sequence[Case]:
        images, labels = data.test[:_SHOWN], data.test_labels[:_SHOWN]
        answers = predict("serving_default", {"image": images.astype(np.float32)})
        right = answers["class_id"] == labels
        # Near a tie another processor could answer otherwise: a golden example should be clear.
        clear = margins(answers["probabilities"]) > 0.1
        rows = [
            int(np.flatnonzero(labels == label)[np.argmax((right & clear)[labels == label])])
            for label in np.unique(labels)
        ]
        cases = [_case(data, row) for row in rows]
        cases += [
            _case(data, int(row), "; hard: the model is wrong here")
            for row in np.flatnonzero(~right & clear)[:2]
        ]
        for row in rows[:2]:
            cases.append(_encoded_case(data, row, images[row], "; its PNG"))
            enlarged = 255 - images[row].repeat(4, 0).repeat(4, 1)
            photograph = np.pad(enlarged, (20, 40), constant_values=255)
            note = "; hard: a larger PNG, dark on white, off its centre"
            cases.append(_encoded_case(data, row, photograph, note))
        return cases

    def answers(self, data: Images, predict: Predict) -> ClassificationPredictions:
        probabilities = [
            predict("serving_default", {"image": part.astype(np.float32)})["probabilities"]
            for part in _parts(data.test)
        ]
        return ClassificationPredictions(
            names=data.labels,
            labels=data.test_labels,
            probabilities=np.concatenate(probabilities),
        )

    def originals(self, data: Images) -> Sequence[Original]:
        # A kind of file is what it is called and which class it lies in.
        kinds = [
            f"{path.suffix.lower()} {label}"
            for path, label in zip(data.test_files, data.test_labels, strict=False)
        ]
        return [
            Original(
                place=str(data.test_files[row]),
                signature="from_encoded",
                sent={"image_bytes": data.test_files[row]},
                measured_by="serving_default",
                measured={"image": data.test[row].astype(np.float32)},
            )
            for row in by_turns(kinds)
        ]

    def reference_rows(self, data: Images) -> ReferenceRows:
        return ReferenceRows(inputs={"image": data.test})

    def shown(self, data: Images, row: int) -> Array:
        return np.asarray(data.test[row])


# Large inputs go through a graph in parts of at most so many rows.
_PART = 500
# Golden examples are taken from the first test pictures.
_SHOWN = 500


def _parts(rows: Array) -> Sequence[Array]:
    return np.array_split(rows, -(-len(rows) // _PART))


def _prepare(encoded: Any) -> Any:
    """Turn an encoded picture, string [], into what the network sees, float32 [SIZE, SIZE]."""
    return from_encoded(encoded, SIZE)


def _note(data: Images, row: int, why: str) -> str:
    return f"test picture {row}, {data.labels[data.test_labels[row]]}{why}"


def _truth(data: Images, row: int) -> dict[str, str]:
    return {"label": data.labels[data.test_labels[row]]}


def _case(data: Images, row: int, why: str = "") -> Case:
    return Case(
        instance={"image": data.test[row].tolist()},
        note=_note(data, row, why),
        truth=_truth(data, row),
    )


def _encoded_case(data: Images, row: int, picture: Array, why: str) -> Case:
    png = tf.io.encode_png(picture[:, :, None]).numpy()
    return Case(
        signature="from_encoded",
        instance={"image_bytes": {"b64": base64.b64encode(png).decode()}},
        note=_note(data, row, why),
        truth=_truth(data, row),
    )


TASK = Clothing()
