"""A task so small that its trainings take no time: a line through 48 noisy points."""

from dataclasses import dataclass
from typing import Any, NoReturn

import keras
import numpy as np
import numpy.typing as npt

from training.data.dataset_location import DataSet
from training.fitting.config import Settings, with_hyperparameters
from training.fitting.training_plan import TrainingPlan
from training.tasks.search_space import Choice, Range, Search
from training.tasks.study_variants import Study, Variant
from training.tasks.task_interface import Architecture, Task

ROWS = np.arange(48)
X = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5, 0.0], np.float32))[:, None]


@dataclass(frozen=True)
class Network:
    units: int = 4
    scale: float = 1.0

    def build(self) -> keras.Model:
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(self.units, activation="relu")(inputs)
        return keras.Model(inputs, keras.layers.Dense(1)(hidden) * self.scale)


class Tiny(Task[None]):
    name = "tiny"
    title = "A line"
    description = "Made for tests."
    kind = "regression"
    data_set = DataSet(name="none", files=(), folder="", packages=(), homepage="")
    networks = {"default": Network()}  # noqa: RUF012
    architectures = {  # noqa: RUF012
        "default": Architecture(
            description="one layer",
            epochs=3,
            batch_size=8,
            learning_rate=0.05,
            search=Search(
                space={
                    "learning_rate": Range(0.001, 0.1, log=True),
                    "batch_size": Choice((8, 16)),
                    "units": Range(1, 8),
                },
                metric="val_mae",
                mode="min",
            ),
        )
    }
    study = Study(
        arch="default",
        epochs=3,
        batch_size=8,
        learning_rate=0.05,
        curve="mae",
        variants={
            "small": Variant(description="1 unit", hyperparameters={"units": 1}),
            "large": Variant(description="8 units", hyperparameters={"units": 8}),
            "large, early stopping": Variant(
                description="8 units", hyperparameters={"units": 8}, patience=1
            ),
        },
    )

    def __init__(self) -> None:
        self.planned: list[Settings] = []

    def load(self, found: Any) -> None:
        return None

    def summary(self, data: None) -> dict[str, Any]:
        return {"fingerprint": "0" * 64}

    def plan(self, data: None, settings: Settings) -> TrainingPlan:
        self.planned.append(settings)
        model = with_hyperparameters(Network(), settings.hyperparameters).build()
        model.compile(
            keras.optimizers.Adam(settings.learning_rate),
            "mse",
            metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
        )

        def batch(rows: npt.NDArray[np.int64], random: np.random.Generator | None) -> Any:
            return X[rows], Y[rows]

        return TrainingPlan(
            model=model,
            batch=batch,
            training=ROWS[:32],
            validation=ROWS[32:],
            metric="mae",
            monitor=None,
            mode="min",
        )

    def _never(self, *_: Any) -> NoReturn:
        raise AssertionError("what is compared here never sees the test set")

    contract = exportable = golden = evaluate = answers = _never
