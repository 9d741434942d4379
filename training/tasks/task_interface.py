"""The interface of a task: what is needed to train, export, measure and publish a model.

A task is a module in ``training/tasks`` with an object ``TASK`` that derives from ``Task``. All
that is particular to the model is there; the rest of the package knows tasks by this interface.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic

from service.repository.contract import Contract
from training.array_types import Array, Data, Predict
from training.data.dataset_location import DataSet, Found
from training.data.feedback.row_form import RowForm
from training.data.load import OwnData
from training.data.original_examples import Original
from training.evaluation.metrics import measure_classifier, measure_estimator
from training.evaluation.predictions import (
    ClassificationPredictions,
    Predictions,
    RegressionPredictions,
)
from training.fitting.config import TUNABLE, Settings, TrainingDefaults
from training.fitting.training_plan import TrainingPlan
from training.tasks.search_space import Search
from training.tasks.study_variants import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(TrainingDefaults):
    """One network for a task, with the settings that suit it.

    Attributes:
        description: what it is, in a sentence.
        search: what ``tune`` may try; ``None`` where it is not tuned.
    """

    description: str
    search: Search | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A real example that becomes a golden one.

    Attributes:
        instance: each input's value, as JSON.
        note: why it is there.
        signature: the signature that is called.
        truth: what the outputs should be, by name, as far as it is known.
    """

    instance: Mapping[str, Any]
    note: str
    signature: str = "serving_default"
    truth: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exportable:
    """A trained model as it will serve.

    Attributes:
        functions: for each signature, the TensorFlow function of its named inputs.
        contract: what the signatures take and give.
        tracked: the Keras and TensorFlow objects with variables or tables that they use.
        evaluation: what was measured without the test set (calibration, cross-validation); JSON
            for the card, where it stands over what ``Task.measure`` returns.
        out_of_fold: the answers of a cross-validation, each by networks that never saw the
            example, with ``keys``. A version that brings them is compared by them, and not by
            its answers to the test set.
    """

    functions: Mapping[str, Callable[..., Any]]
    contract: Contract
    tracked: Sequence[Any] = ()
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    out_of_fold: RegressionPredictions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRows:
    """Rows that live ones are compared with, to notice drift.

    Attributes:
        inputs: an array for each input of the signature, [rows, ...].
        origin: where they come from, for people: "the test set".
        held_out: whether the networks did not learn from them.
        signature: the signature that answers them.
        calibrated: whether probabilities among the answers are.
    """

    inputs: Mapping[str, Array]
    origin: str = "the test set"
    held_out: bool = True
    signature: str = "serving_default"
    calibrated: bool = True


class Task(ABC, Generic[Data]):
    """One model: its data, networks, signatures, golden examples and measurements.

    Attributes:
        name: the model's name in ``saved_models/``.
        title: the model in a few words.
        description: what it does and what it is not good for.
        kind: "classification" or "regression".
        data_set: the files that it is trained on.
        architectures: by name; ``default`` is taken when none is named.
        networks: the hyperparameters of an architecture, a dataclass, by its name; needed where it
            is studied or tuned.
        fine_tuning_unsupported: why a training cannot begin with the weights of a published
            version; empty where it can.
        min_quality: what the headline's value must reach for a version to be published: at least
            this for a classification, at most for a regression. ``None`` takes any.
        max_drift: the outputs that are numbers and must not jump from version to version on golden
            examples, each with the share of its value by which it may differ; it may also go as
            far as outputs ``<name>_low`` and ``<name>_high`` of the live version reach.
        own_data: what it takes in place of the standard data; ``None`` where nothing else.
        feedback_rows: how truths about live predictions become rows to learn from; ``None`` where
            they cannot.
        no_bf16: why an export cannot be measured in bfloat16; empty where it can.
        study: the networks that ``study`` compares; ``None`` where there are none.
    """

    name: str
    title: str
    description: str
    kind: str
    data_set: DataSet
    architectures: Mapping[str, Architecture]
    networks: Mapping[str, Any] = MappingProxyType({})
    min_quality: float | None = None
    max_drift: Mapping[str, float] = MappingProxyType({})
    own_data: OwnData[Data] | None = None
    feedback_rows: RowForm[Data] | None = None
    fine_tuning_unsupported: str = ""
    no_bf16: str = ""
    study: Study | None = None

    @abstractmethod
    def load(self, found: Found) -> Data:
        """Parse the data, or take it parsed from the cache.

        Raises:
            TrainingError: the files are not what they should be; the message names the place.
        """

    @abstractmethod
    def summary(self, data: Data) -> dict[str, Any]:
        """Say what the data is, for the card."""

    @abstractmethod
    def plan(self, data: Data, settings: Settings) -> TrainingPlan:
        """Build and compile the network, and divide the data."""

    def plan_as_published(self, data: Data, settings: Settings, version: Path) -> TrainingPlan:
        """Like ``plan``, for a network that is to take the weights of a published version.

        Needed only where the weights belong to something that the version carries beside them,
        such as a vocabulary: the network is then built with that.

        Args:
            data: what to learn from.
            settings: of the training.
            version: the version's folder.

        Raises:
            TrainingError: the version does not bring it.
        """
        return self.plan(data, settings)

    def default_hyperparameters(self, arch: str) -> dict[str, Any]:
        """Return an architecture's own value of each setting that its search may change."""
        architecture = self.architectures[arch]
        assert architecture.search is not None
        return {
            name: getattr(architecture if name in TUNABLE else self.networks[arch], name)
            for name in architecture.search.space
        }

    def classes(self, data: Data) -> Sequence[str]:
        """Return the names of the classes in the order of the outputs; empty without any."""
        return ()

    @abstractmethod
    def contract(self, data: Data) -> Contract:
        """Say what the signatures of a version that learns from ``data`` take and give.

        It is asked for before the training, so that a version that could not take another's place
        is noticed by then; ``exportable`` brings the same.
        """

    @abstractmethod
    def exportable(self, data: Data, plan: TrainingPlan) -> Exportable:
        """Turn the trained network of ``plan`` into what will serve.

        What is settled here (a temperature, an interval) uses held-out data, never test data.
        """

    def baselines(self, data: Data, plan: TrainingPlan) -> Mapping[str, Any]:
        """Measure well-known models on the examples that this one is measured by; for the card.

        Returns:
            nothing, or JSON: ``how`` it was done in a sentence, ``unit``, and ``models``, the mean
            absolute error of each by its name.
        """
        return {}

    @abstractmethod
    def golden(self, data: Data, predict: Predict) -> Sequence[Case]:
        """Return the requests of the golden examples: real ones, each signature at least once.

        ``predict`` calls the exported version, to find examples that are hard for it.
        """

    @abstractmethod
    def answers(self, data: Data, predict: Predict) -> Predictions:
        """Let an exported version answer the full test set; always the same examples, in order."""

    def originals(self, data: Data) -> Sequence[Original]:
        """Return examples of the test set as a client would send them; none where none are known.

        They are asked about before a version is published: ``training.publishing.serving_skew``.
        """
        return ()

    def reference_rows(self, data: Data) -> ReferenceRows | None:
        """Return the rows that live ones are compared with; ``None`` where none are suited.

        Held-out rows: a model is surer of what it has learned from.
        """
        return None

    def measure(self, answers: Predictions) -> dict[str, Any]:
        """Measure what ``answers`` returned.

        Returns:
            JSON for the card; ``headline`` in it is the figure that sums it up, an object of
            ``name``, ``value`` and, where known, ``low`` and ``high`` (95 % confidence).
        """
        if isinstance(answers, ClassificationPredictions):
            return measure_classifier(answers)
        return measure_estimator(answers)

    def shown(self, data: Data, row: int) -> Array | str:
        """Return an example that ``answers`` asks, for people.

        Returns:
            a picture, uint8 [height, width] or [height, width, 3], or a text.
        """
        return f"example {row}"
