"""Miles to the gallon: how far a car of the years 1970 to 1982 goes (Auto MPG, Quinlan 1993).

With 398 cars no single split can distinguish a good model from a lucky one, so the error is
measured by repeated cross-validation, and the served networks learn from all cars. The networks of
all folds and those that serve train at once, side by side in one Keras model, each with its own
cars.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from training.array_types import Array, Predict
from training.data import auto_mpg
from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_location import Found
from training.data.dataset_types import Table
from training.data.feedback.car_rows import CarRows
from training.data.fold_assignment import FoldAssignment, assign_folds
from training.data.load import OwnData
from training.data.own import car_table
from training.evaluation.baselines import (
    Learn,
    gaussian_process,
    linear_regression,
    mean_errors,
    median,
    random_forest,
)
from training.evaluation.cross_validation import cross_validation
from training.evaluation.intervals import log_reach
from training.evaluation.predictions import Predictions, RegressionPredictions
from training.fitting.config import Settings, with_hyperparameters
from training.fitting.training_plan import TrainingPlan
from training.networks.car_fields import car_fields
from training.networks.ensemble import Ensemble, KnownError
from training.preprocessing.cars import Features
from training.tasks.search_space import Range, Search
from training.tasks.study_variants import Study, Variant
from training.tasks.task_interface import (
    Architecture,
    Case,
    Exportable,
    ReferenceRows,
    Task,
)

_FOLDS = 5
_COVERAGE = 0.9
# Brings the logarithm of miles to the gallon to about zero mean and unit spread.
_LOG_CENTRE, _LOG_SCALE = 3.1, 0.34
# No car goes fewer miles: keeps logarithms of a bad network's answers finite.
_LEAST_MPG = 1.0


# The smallest and the large network of the study. They learn logarithms, which is faster; each car
# is held out once, which is enough to see a curve by.
_STUDIED = {"logarithmic": True, "repeats": 1}
_SMALL = _STUDIED | {"units": 1, "layers": 1}
_LARGE = _STUDIED | {"units": 256, "layers": 2}


@dataclass(frozen=True, slots=True)
class _Trained:
    """What export needs again."""

    spec: Ensemble
    features: Features
    views: npt.NDArray[np.float32]
    folds: FoldAssignment
    to_mpg: Callable[[Any], Any]


class Mpg(Task[Table]):
    """Fuel consumption of the cars of Auto MPG."""

    name = "mpg"
    title = "Fuel consumption of cars"
    description = (
        "Estimates how many miles a car of the model years 1970 to 1982 goes to the US gallon in "
        "the city, with an interval that holds the true value in nine of ten cases. Horsepower "
        "may be unknown. Cars unlike those sold in the USA at that time are out of its reach."
    )
    kind = "regression"
    data_set = auto_mpg.AUTO_MPG
    # Linear regression of log mpg errs by 2.06: what is worse than that is not worth serving.
    min_quality = 2.06
    # As far as the interval of an answer reaches, 18 % or so: good networks differ by as much on
    # a car that is like no other.
    max_drift: Mapping[str, float] = {"mpg": 0.2}
    networks: Mapping[str, Ensemble] = {
        "default": Ensemble(32, 2, "silu", True, 0.2, 0.05, True, 10, 8),
        "tutorial": Ensemble(64, 2, "relu", False, 0.0, 0.0, False, 1, 1),
    }
    architectures: Mapping[str, Architecture] = {
        "default": Architecture(
            description="8 networks of Dense 32, Dense 32 on logarithms, averaged",
            epochs=60,
            batch_size=398,
            learning_rate=0.02,
            search=Search(
                space={
                    "learning_rate": Range(0.003, 0.1, log=True),
                    "units": Range(8, 64, log=True),
                    "layers": Range(1, 3),
                    "noise": Range(0.0, 0.4),
                    "weight_decay": Range(0.001, 0.3, log=True),
                },
                metric="val_mae",
                mode="min",
                cheaper={"repeats": 2, "members": 2},
            ),
        ),
        "tutorial": Architecture(
            description="normalisation, Dense 64, Dense 64, Dense 1",
            epochs=100,
            batch_size=32,
            learning_rate=0.001,
            search=Search(
                space={
                    "learning_rate": Range(3e-4, 0.03, log=True),
                    "units": Range(4, 128, log=True),
                    "layers": Range(1, 3),
                },
                metric="val_mae",
                mode="min",
                cheaper={"repeats": 1},
            ),
        ),
    }
    study = Study(
        arch="tutorial",
        epochs=100,
        batch_size=64,
        learning_rate=0.003,
        curve="mae",
        variants={
            "small": Variant(description="Dense 1", hyperparameters=_SMALL),
            "middle": Variant(description="Dense 16", hyperparameters=_SMALL | {"units": 16}),
            "large": Variant(description="2 x Dense 256", hyperparameters=_LARGE),
            "large, L2": Variant(
                description="penalty of 0.003 x squares", hyperparameters=_LARGE | {"l2": 0.003}
            ),
            "large, dropout": Variant(
                description="leaves out 30 %", hyperparameters=_LARGE | {"dropout": 0.3}
            ),
            "large, both": Variant(
                description="penalty and dropout",
                hyperparameters=_LARGE | {"l2": 0.001, "dropout": 0.2},
            ),
            "large, early stopping": Variant(
                description="ends after 5 epochs without progress",
                hyperparameters=_LARGE,
                patience=5,
            ),
        },
    )

    fine_tuning_unsupported = (
        "its error comes from a cross-validation, and such weights have learned from cars that "
        "its networks must not have seen"
    )
    no_bf16 = "its error comes from a cross-validation of networks that compute in float32"
    own_data = OwnData(
        what="a CSV file of cars",
        suffixes=(".csv",),
        read=lambda path, bad: car_table.read(path, bad, standard=auto_mpg.ORIGINS),
        title="Fuel consumption of cars",
        description=(
            "Estimates how many miles a car goes to the US gallon, with an interval that holds "
            "the true value in nine of ten cases. Horsepower may be unknown. Cars unlike those "
            "that it learned from are out of its reach."
        ),
    )
    feedback_rows = CarRows()

    def load(self, found: Found) -> Table:
        return auto_mpg.read(found)

    def summary(self, data: Table) -> dict[str, Any]:
        return {
            "name": "own cars" if data.own else "Auto MPG",
            "train": len(data.mpg),
            "horsepower_unknown": int(np.isnan(data.numbers["horsepower"]).sum()),
            "fingerprint": data.fingerprint,
            **(data.own or {}),
        }

    def plan(self, data: Table, settings: Settings) -> TrainingPlan:
        spec = with_hyperparameters(self.networks[settings.arch], settings.hyperparameters)
        # Feedback is learned from by all networks and measures none: it is no fair sample.
        own = len(data.mpg) - (0 if data.added is None else len(data.added))
        networks = assign_folds(
            own,
            repeats=spec.repeats,
            parts=_FOLDS,
            members=spec.members,
            seed=settings.seed,
        )
        features = Features(data, spec.logarithmic)
        views = self._views(data, features)
        added = np.ones((len(data.mpg) - own, networks.networks), bool)
        learns = np.concatenate([networks.learns, added])
        target: Array = data.mpg
        if spec.logarithmic:
            target = (np.log(target) - _LOG_CENTRE) / _LOG_SCALE
        to_mpg = _from_log if spec.logarithmic else _at_least_something
        times = np.ones(own, np.int64) if data.added is None else data.added.after(own)
        training = np.tile(np.repeat(np.arange(len(target)), times), spec.passes)
        steps = settings.epochs * -(-len(training) // settings.batch_size)
        model = spec.build(networks.networks, views.shape[1])
        model.compile(
            optimizer=spec.optimizer(settings.learning_rate, steps),
            loss=spec.loss(),
            metrics=[KnownError(to_mpg)],
        )

        def batch(
            rows: npt.NDArray[np.int64], random: np.random.Generator | None
        ) -> tuple[Array, Array]:
            seen = np.repeat(views[rows, None], networks.networks, axis=1)
            if random is None:  # validation: each network on the cars that it never saw
                return seen, np.where(learns[rows], np.nan, target[rows, None])
            noise = spec.noise * random.standard_normal(seen.shape, np.float32)
            return seen + noise, np.where(learns[rows], target[rows, None], np.nan)

        return TrainingPlan(
            model=model,
            batch=batch,
            training=training,
            validation=np.arange(own),
            metric="mae",
            # The cross-validation must not choose the epoch that it then measures.
            monitor=None,
            mode="min",
            state=_Trained(spec, features, views[:own], networks, to_mpg),
        )

    def contract(self, data: Table) -> Contract:
        return {"serving_default": Signature("serving_default", car_fields(data), _OUTPUTS)}

    def exportable(self, data: Table, plan: TrainingPlan) -> Exportable:
        trained: _Trained = plan.state
        spec = trained.spec
        networks = trained.folds
        # Without the feedback, which stands behind.
        mpg, keys = data.mpg[: len(trained.views)], _keys(data)[: len(trained.views)]
        seen = np.repeat(trained.views[:, None], networks.networks, axis=1)
        unseen = networks.unseen(plan.model.predict_on_batch(seen), trained.to_mpg)
        reach = log_reach(mpg, unseen, _COVERAGE)
        network = spec.serving(plan.model)

        def serve(*inputs: Any) -> dict[str, Any]:
            named = dict(zip((*CAR_NUMBERS, "origin"), inputs, strict=True))
            views = tf.repeat(trained.features(named)[:, None], spec.members, axis=1)
            miles = trained.to_mpg(tf.reduce_mean(network(views), axis=1))
            return {
                "mpg": miles,
                "mpg_low": miles * math.exp(-reach),
                "mpg_high": miles * math.exp(reach),
            }

        return Exportable(
            functions={"serving_default": serve},
            contract=self.contract(data),
            evaluation={**cross_validation(mpg, unseen, networks.fold_of(), _COVERAGE)},
            out_of_fold=RegressionPredictions(
                unit="mi/gal", actual=mpg, predicted=unseen, keys=keys
            ),
        )

    def baselines(self, data: Table, plan: TrainingPlan) -> dict[str, Any]:
        if len(data.mpg) > _MOST_FOR_RIVALS:
            return {}
        trained: _Trained = plan.state
        held_out = trained.folds.held_out()
        # What is best for them as well: logarithms of what is never below zero.
        views = self._views(data, Features(data, logarithmic=True))
        return {
            "how": (
                "Each learned the logarithm of the miles from the same features as the default "
                f"network, on the same {len(held_out)} folds ({trained.spec.repeats} x {_FOLDS})."
            ),
            "unit": "mi/gal",
            "models": mean_errors(_RIVALS, views, np.log(data.mpg.astype(np.float64)), held_out),
        }

    def golden(self, data: Table, predict: Predict) -> Sequence[Case]:
        by_mpg = np.argsort(data.mpg, kind="stable")
        spread = by_mpg[np.linspace(0, len(by_mpg) - 1, 8).round().astype(int)]
        cases = [_case(data, row, "") for row in spread]
        unknown = np.flatnonzero(np.isnan(data.numbers["horsepower"]))[:2]
        cases += [_case(data, row, "; hard: horsepower unknown") for row in unknown]
        error = np.abs(predict("serving_default", _inputs(data))["mpg"] - data.mpg)
        worst = int(error.argmax())
        cases.append(_case(data, worst, f"; hard: the model errs by {error[worst]:.1f}"))
        return cases

    def answers(self, data: Table, predict: Predict) -> RegressionPredictions:
        outputs = predict("serving_default", _inputs(data))
        return RegressionPredictions(
            unit="mi/gal",
            actual=data.mpg,
            predicted=outputs["mpg"][None],
            low=outputs["mpg_low"],
            high=outputs["mpg_high"],
        )

    def measure(self, answers: Predictions) -> dict[str, Any]:
        figures = super().measure(answers)
        name, mae = "MAE on the cars that it learned from", figures["mae"]
        return {
            "headline": {"name": name, "value": mae},
            "examples": figures["examples"],
            "training_cars": {key: figures[key] for key in _TRAINING_FIGURES},
        }

    def reference_rows(self, data: Table) -> ReferenceRows:
        # Held-out cars have no answers by the networks that serve, which learned from all.
        return ReferenceRows(
            inputs=_inputs(data), origin="the cars that it learned from", held_out=False
        )

    def shown(self, data: Table, row: int) -> str:
        numbers = (f"{name} {data.numbers[name][row]:g}" for name in CAR_NUMBERS)
        return f"{data.names[row]}: {', '.join(numbers)}, {data.origin[row]}"

    def _views(self, data: Table, features: Features) -> npt.NDArray[np.float32]:
        views = features({**data.numbers, "origin": tf.constant(data.origin)})
        return np.asarray(views.numpy())


# A Gaussian process takes time with the third power of their number: a minute for so many.
_MOST_FOR_RIVALS = 1_000
_RIVALS: Mapping[str, Learn] = {
    "median of all cars": median,
    "linear regression": linear_regression,
    "random forest": random_forest,
    "Gaussian process": gaussian_process,
}
_TRAINING_FIGURES = ("mae", "rmse", "bias", "interval_coverage")


def _from_log(answer: Any) -> Any:
    return tf.exp(answer * _LOG_SCALE + _LOG_CENTRE)


def _at_least_something(answer: Any) -> Any:
    return tf.maximum(answer, _LEAST_MPG)


def _keys(data: Table) -> list[str]:
    """Return a digest of each car; cars that are alike in all are distinguished by their order."""
    columns = [*data.numbers.values(), data.origin, data.mpg, data.names]
    digests = [sha256(repr(row).encode()).hexdigest()[:16] for row in zip(*columns, strict=True)]
    seen: Counter[str] = Counter()
    for place, digest in enumerate(digests):
        seen[digest] += 1
        digests[place] = f"{digest}-{seen[digest]}"
    return digests


def _inputs(data: Table) -> dict[str, Array]:
    return {**data.numbers, "origin": data.origin.astype(object)}


def _case(data: Table, row: int, why: str) -> Case:
    # The shortest decimal that is this float32: 15.6, not 15.600000381.
    numbers = {name: float(str(data.numbers[name][row])) for name in CAR_NUMBERS}
    known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
    note = f"{data.names[row]}, {data.mpg[row]:g} mpg{why}"
    instance = {**known, "origin": str(data.origin[row])}
    return Case(instance=instance, note=note, truth={"mpg": float(str(data.mpg[row]))})


def _miles(name: str, description: str, example: float) -> Field:
    return Field(
        name=name,
        dtype="float32",
        shape=(None,),
        description=description,
        unit="mi/gal",
        minimum=0,
        example=example,
    )


_OUTPUTS = (
    _miles("mpg", "Miles to the US gallon in the city, estimated.", 26.6),
    _miles("mpg_low", "Lower end of the 90 % prediction interval.", 22.8),
    _miles("mpg_high", "Upper end of the 90 % prediction interval.", 31.1),
)

TASK = Mpg()
