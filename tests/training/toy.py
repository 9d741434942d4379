"""A toy task: which side of a line a point lies on. It is trained and exported in a second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training.array_types import Array, Predict
from training.data.dataset_location import DataSet, Found
from training.data.download import Remote
from training.evaluation import calibration
from training.evaluation.predictions import ClassificationPredictions
from training.fitting.config import Settings
from training.fitting.training_plan import TrainingPlan
from training.networks.frozen_weights import frozen
from training.tasks.task_interface import (
    Architecture,
    Case,
    Exportable,
    ReferenceRows,
    Task,
)

FILE = "points.csv"
SIDES = ("left", "<b>right</b>")  # markup in a label must not reach a report as such


@dataclass(frozen=True, slots=True)
class Points:
    x: npt.NDArray[np.float32]
    side: npt.NDArray[np.int64]
    fingerprint: str

    @property
    def test(self) -> slice:
        return slice(len(self.x) // 2, None)


def write_points(folder: Path, *, count: int = 400, seed: int = 0) -> Path:
    """Write points, x and y in -1..1, with the side of the diagonal that they lie on."""
    folder.mkdir(exist_ok=True)
    points = np.random.default_rng(seed).uniform(-1, 1, (count, 2))
    lines = [f"{x:.6f},{y:.6f},{int(x > y)}" for x, y in points]
    (folder / FILE).write_text("\n".join(lines) + "\n")
    return folder


class Toy(Task[Points]):
    name = "toy"
    title = "Sides & points"
    description = "Tells on which side of a line a point lies."
    kind = "classification"
    data_set = DataSet(
        name="points",
        files=(Remote(name=FILE, url="http://127.0.0.1:1/", algorithm="sha256", digest="0"),),
        folder="points",
        packages=(),
        homepage="http://points.example",
    )
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(description="Dense 2", epochs=4, batch_size=20, learning_rate=0.2)
    }
    min_quality = 0.7

    def load(self, found: Found) -> Points:
        rows = np.loadtxt(found.paths[0], delimiter=",", dtype=np.float32, ndmin=2)
        return Points(rows[:, :2], rows[:, 2].astype(np.int64), found.fingerprint())

    def summary(self, data: Points) -> dict[str, Any]:
        return {"name": "Points", "train": len(data.x) // 2, "fingerprint": data.fingerprint}

    def plan(self, data: Points, settings: Settings) -> TrainingPlan:
        point = keras.Input((2,))
        model = keras.Model(point, keras.layers.Dense(2)(point))
        model.compile(
            optimizer=keras.optimizers.Adam(settings.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )

        def batch(rows: npt.NDArray[np.int64], random: Any) -> tuple[Array, Array]:
            return data.x[rows], data.side[rows]

        rows = np.arange(len(data.x) // 2)
        return TrainingPlan(
            model=model,
            batch=batch,
            training=rows[: len(rows) * 3 // 4],
            validation=rows[len(rows) * 3 // 4 :],
            metric="accuracy",
            monitor="val_loss",
            mode="min",
        )

    def contract(self, data: Points) -> Contract:
        return {"serving_default": SIGNATURE}

    def exportable(self, data: Points, plan: TrainingPlan) -> Exportable:
        network = frozen(plan.model)
        logits = network(tf.constant(data.x[plan.validation])).numpy()
        labels = data.side[plan.validation]
        scale = calibration.temperature(logits, labels)

        def serve(point: Any) -> dict[str, Any]:
            probabilities = tf.nn.softmax(network(point) / scale)
            side = tf.gather(tf.constant(SIDES), tf.argmax(probabilities, axis=1))
            return {"side": side, "probabilities": probabilities}

        return Exportable(
            functions={"serving_default": serve},
            contract=self.contract(data),
            evaluation={"calibration": calibration.on_held_out(logits, labels, scale)},
        )

    def golden(self, data: Points, predict: Predict) -> Sequence[Case]:
        points = data.x[data.test][:20]
        clear = np.flatnonzero(np.abs(points[:, 0] - points[:, 1]) > 0.5)[:6]
        return [
            Case(
                instance={"point": points[row].tolist()},
                note=f"point {row}",
                truth={"side": SIDES[data.side[data.test][row]]},
            )
            for row in clear
        ]

    def answers(self, data: Points, predict: Predict) -> ClassificationPredictions:
        outputs = predict("serving_default", {"point": data.x[data.test]})
        return ClassificationPredictions(
            names=SIDES, labels=data.side[data.test], probabilities=outputs["probabilities"]
        )

    def reference_rows(self, data: Points) -> ReferenceRows:
        return ReferenceRows(inputs={"point": data.x[data.test]})

    def shown(self, data: Points, row: int) -> str:
        return f"<script>alert({data.x[data.test][row].tolist()})</script>"


SIGNATURE = Signature(
    "serving_default",
    (Field(name="point", dtype="float32", shape=(None, 2), minimum=-1, maximum=1),),
    (
        Field(name="side", dtype="string", shape=(None,), choices=SIDES),
        Field(name="probabilities", dtype="float32", shape=(None, 2)),
    ),
)
