"""Clothing: which of ten kinds a garment is, from a picture of 28 x 28 greys (Fashion-MNIST)."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from service.repository.contract import Field, Signature
from training import datasets, evaluation
from training.answers import Classified
from training.config import Settings
from training.datasets import Images
from training.export import frozen
from training.imaging import from_encoded
from training.residual import fold, residual_network
from training.sources import Found
from training.splits import stratified
from training.task import Architecture, Array, Case, Exportable, Plan, Predict, Task

LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIZE = 28
# Held out of the 60,000, to choose the best epoch and the temperature.
_HELD_OUT = 5_000
# Augmentation: a garment can hang the other way round, off its centre, and partly hidden.
_SHIFT = 2
_ERASED_SHARE = 0.25
_ERASED_SIZES = (3, 10)
_LABEL_SMOOTHING = 0.05
_WEIGHT_DECAY = 5e-4
_WARM_UP = 0.15


def _tutorial() -> keras.Model:
    """The network of TensorFlow's "Basic classification": logits from one hidden layer."""
    image = keras.Input((SIZE, SIZE), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    return keras.Model(image, layers.Dense(len(LABELS))(x), name="tutorial")


def _residual() -> keras.Model:
    return residual_network(SIZE, len(LABELS))


def _compile_tutorial(model: keras.Model, settings: Settings, steps: int) -> None:
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )


def _compile_residual(model: keras.Model, settings: Settings, steps: int) -> None:
    total = settings.epochs * steps
    warm_up = round(total * _WARM_UP)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 25,
        decay_steps=total - warm_up,
        warmup_target=settings.learning_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        optimizer=keras.optimizers.SGD(
            schedule, momentum=0.9, nesterov=True, weight_decay=_WEIGHT_DECAY
        ),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=_LABEL_SMOOTHING
        ),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )


def augment(images: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Mirror, shift and partly erase pictures, uint8 [N, 28, 28], each in its own way.

    Erasing follows Zhong et al. 2020, with black, which is the background.
    """
    count, size = len(images), np.arange(SIZE)
    mirrored = random.random(count) < 0.5
    images = np.where(mirrored[:, None, None], images[:, :, ::-1], images)
    padded = np.pad(images, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)))
    down, right = random.integers(0, 2 * _SHIFT, (2, count), endpoint=True)
    rows, columns = down[:, None] + size, right[:, None] + size
    shifted = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    top, left = random.integers(0, SIZE, (2, count))
    height, width = random.integers(*_ERASED_SIZES, (2, count), endpoint=True)
    height = np.where(random.random(count) < _ERASED_SHARE, height, 0)
    hidden_rows = (size >= top[:, None]) & (size < (top + height)[:, None])
    hidden_columns = (size >= left[:, None]) & (size < (left + width)[:, None])
    shifted[hidden_rows[:, :, None] & hidden_columns[:, None, :]] = 0
    return np.asarray(shifted)


_NETWORKS: Mapping[str, Any] = {
    "tutorial": (_tutorial, _compile_tutorial),
    "default": (_residual, _compile_residual),
}


class Clothing(Task[Images]):
    """Fashion-MNIST's ten kinds of garments."""

    name = "clothing"
    title = "Kinds of clothing"
    description = (
        "Tells which of ten kinds a single garment is, from a small grey picture of it without a "
        "person. Shirts, T-shirts, pullovers and coats are hard to tell apart at this size. "
        "Anything that is no garment still gets one of the ten labels."
    )
    kind = "classification"
    data_set = datasets.FASHION_MNIST
    acceptable = 0.85
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(
            description="residual network with batch normalisation, augmentation",
            epochs=26,
            batch_size=256,
            learning_rate=0.2,
        ),
        "tutorial": Architecture(
            description="Flatten, Dense 128 relu, Dense 10",
            epochs=10,
            batch_size=32,
            learning_rate=0.001,
            patience=3,
        ),
    }

    def load(self, found: Found) -> Images:
        return datasets.fashion_mnist(found)

    def summary(self, data: Images) -> dict[str, Any]:
        return {
            "name": "Fashion-MNIST",
            "train": len(data.train),
            "held_out": min(_HELD_OUT, len(data.train) // 12),
            "test": len(data.test),
            "fingerprint": data.fingerprint,
        }

    def plan(self, data: Images, settings: Settings) -> Plan:
        training, validation = stratified(data.train_labels, self._held_out(data), settings.seed)
        augmented = settings.arch == "default"

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            images = data.train[rows]
            if augmented and random is not None:
                images = augment(images, random)
            targets = np.eye(len(LABELS), dtype=np.float32)[data.train_labels[rows]]
            return images.astype(np.float32), targets

        build, compile_ = _NETWORKS[settings.arch]
        model = build()
        compile_(model, settings, -(-len(training) // settings.batch_size))
        return Plan(
            model=model,
            batch=batch,
            training=training,
            validation=validation,
            metric="accuracy",
            monitor="val_accuracy",
        )

    def exportable(self, data: Images, plan: Plan) -> Exportable:
        both_ways = plan.model.name == "residual"
        network = frozen(fold(plan.model) if both_ways else plan.model)

        def logits(image: Any) -> Any:
            if not both_ways:
                return network(image)
            # It learned from mirrored garments too, and two views tell more than one.
            views = tf.concat([image, tf.reverse(image, axis=[2])], axis=0)
            seen, mirrored = tf.split(network(views), 2)
            return (seen + mirrored) / 2

        images = data.train[plan.validation].astype(np.float32)
        held_out = np.concatenate(
            [logits(tf.constant(part)).numpy() for part in np.array_split(images, _PARTS)]
        )
        labels = data.train_labels[plan.validation]
        scale = evaluation.temperature(held_out, labels)

        def serve(image: Any) -> dict[str, Any]:
            probabilities = tf.nn.softmax(logits(image) / scale)
            class_id = tf.argmax(probabilities, axis=1)
            return {
                "label": tf.gather(tf.constant(LABELS), class_id),
                "class_id": class_id,
                "confidence": tf.reduce_max(probabilities, axis=1),
                "probabilities": probabilities,
            }

        def serve_encoded(image_bytes: Any) -> dict[str, Any]:
            spec = tf.TensorSpec((SIZE, SIZE), tf.float32)
            images = tf.map_fn(
                lambda encoded: from_encoded(encoded, SIZE), image_bytes, fn_output_signature=spec
            )
            return serve(images)

        return Exportable(
            functions={"serving_default": serve, "from_encoded": serve_encoded},
            contract=_CONTRACT,
            evaluation={"calibration": evaluation.calibration(held_out, labels, scale)},
        )

    def golden(self, data: Images, predict: Predict) -> Sequence[Case]:
        images, labels = data.test[:_SHOWN], data.test_labels[:_SHOWN]
        outputs = predict("serving_default", {"image": images.astype(np.float32)})
        right = outputs["class_id"] == labels
        # Near a tie another processor could answer otherwise: a golden example should be clear.
        ordered = np.sort(outputs["probabilities"], axis=1)
        clear = ordered[:, -1] - ordered[:, -2] > 0.1
        rows = [
            int(np.flatnonzero(labels == label)[np.argmax((right & clear)[labels == label])])
            for label in np.unique(labels)
        ]
        cases = [_case(images, labels, row) for row in rows]
        cases += [
            _case(images, labels, int(row), "; hard: the model is wrong here")
            for row in np.flatnonzero(~right & clear)[:2]
        ]
        for row in rows[:2]:
            cases.append(_encoded_case(images, labels, row, images[row], "; its PNG"))
            enlarged = 255 - images[row].repeat(4, 0).repeat(4, 1)
            photograph = np.pad(enlarged, (20, 40), constant_values=255)
            note = "; hard: a larger PNG, dark on white, off its centre"
            cases.append(_encoded_case(images, labels, row, photograph, note))
        return cases

    def answers(self, data: Images, predict: Predict) -> Classified:
        probabilities = [
            predict("serving_default", {"image": part.astype(np.float32)})["probabilities"]
            for part in np.array_split(data.test, _PARTS)
        ]
        return Classified(
            names=LABELS, labels=data.test_labels, probabilities=np.concatenate(probabilities)
        )

    def shown(self, data: Images, row: int) -> Array:
        return np.asarray(data.test[row])

    def _held_out(self, data: Images) -> int:
        return min(_HELD_OUT, len(data.train) // 12)


# Large inputs go through a graph in this many parts.
_PARTS = 20
# Golden examples are taken from the first test pictures.
_SHOWN = 500


def _note(labels: npt.NDArray[np.int64], row: int, why: str) -> str:
    return f"test picture {row}, {LABELS[labels[row]]}{why}"


def _case(images: Array, labels: npt.NDArray[np.int64], row: int, why: str = "") -> Case:
    return Case(
        instance={"image": images[row].tolist()},
        note=_note(labels, row, why),
        truth={"label": LABELS[labels[row]]},
    )


def _encoded_case(
    images: Array, labels: npt.NDArray[np.int64], row: int, picture: Array, why: str
) -> Case:
    png = tf.io.encode_png(picture[:, :, None]).numpy()
    return Case(
        signature="from_encoded",
        instance={"image_bytes": {"b64": base64.b64encode(png).decode()}},
        note=_note(labels, row, why),
        truth={"label": LABELS[labels[row]]},
    )


_OUTPUTS = (
    Field(
        name="label",
        dtype="string",
        shape=(None,),
        description="The most probable kind.",
        choices=LABELS,
        example="Ankle boot",
    ),
    Field(
        name="class_id",
        dtype="int64",
        shape=(None,),
        description="Its number in the order of the probabilities.",
        minimum=0,
        maximum=9,
        example=9,
    ),
    Field(
        name="confidence",
        dtype="float32",
        shape=(None,),
        description="How probable that kind is, calibrated.",
        minimum=0,
        maximum=1,
        example=0.98,
    ),
    Field(
        name="probabilities",
        dtype="float32",
        shape=(None, len(LABELS)),
        description=f"Of {', '.join(LABELS)}, in this order.",
        minimum=0,
        maximum=1,
    ),
)

_CONTRACT = {
    "serving_default": Signature(
        "serving_default",
        (
            Field(
                name="image",
                dtype="float32",
                shape=(None, SIZE, SIZE),
                description="Grey values of a picture, row by row: a white garment on black.",
                minimum=0,
                maximum=255,
            ),
        ),
        _OUTPUTS,
    ),
    "from_encoded": Signature(
        "from_encoded",
        (
            Field(
                name="image_bytes",
                dtype="string",
                shape=(None,),
                description="A PNG, JPEG, GIF or BMP file of any size that shows one garment.",
                max_length=10_000_000,
                content_types=("image/png", "image/jpeg", "image/gif", "image/bmp"),
            ),
        ),
        _OUTPUTS,
    ),
}

TASK = Clothing()
