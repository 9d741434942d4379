"""What a model has to bring, so that it can be trained, exported, measured and published.

A task is a module in ``training/tasks`` with an object ``TASK`` that derives from ``Task``. All
that is particular to the model lies there; the rest of the package knows tasks by this interface.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol

import numpy as np
import numpy.typing as npt

from service.repository.contract import Contract
from training.data.locate import DataSet, Found
from training.data.own.bad_rows import BadRows
from training.evaluation.metrics import classification, estimation
from training.evaluation.predictions import Answers, Classified, Estimated
from training.tasks.search_space import SETTINGS, Search
from training.tasks.study_variants import Study
from training.types import Array, Data, Predict

if TYPE_CHECKING:
    # Importing Keras takes seconds, which --help and list should not.
    import keras

    from training.fitting.config import Settings
    from training.fitting.initial_weights import Start
    from training.publishing.serving_skew import Original


class MakeBatch(Protocol):
    """Returns the model's inputs and targets for some rows of the data.

    ``random`` is given in training, for augmentation, and ``None`` where the rows must come as
    they are.
    """

    def __call__(self, rows: npt.NDArray[np.int64], random: np.random.Generator | None) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One network for a task, with the settings that suit it.

    Attributes:
        description: what it is, in a sentence.
        epochs: the default of ``--epochs``.
        batch_size: the default of ``--batch-size``.
        learning_rate: the default of ``--learning-rate``.
        patience: epochs without progress on the held-out data after which training ends;
            ``None`` where the schedule needs all its epochs.
        search: what ``tune`` may try; ``None`` where it is not tuned.
    """

    description: str
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None = None
    search: Search | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A training that is ready to run.

    Attributes:
        model: the compiled network.
        batch: makes its batches.
        training: the rows to learn from.
        validation: the rows that are held out; never test data.
        metric: the name of the compiled metric to show.
        monitor: the logged value that tells the best epoch; ``None`` keeps the last.
        mode: "min" or "max", which of ``monitor`` is better.
        state: what the task needs again to export the network.
    """

    model: "keras.Model"
    batch: MakeBatch
    training: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    metric: str
    monitor: str | None
    mode: str = "max"
    state: Any = None


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
    out_of_fold: Estimated | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData(Generic[Data]):
    """What a task takes in place of its standard data.

    Attributes:
        what: it is, in words: "a CSV file of cars".
        suffixes: how the file's name ends, in lower case; empty where it is a folder with a
            folder for each class.
        read: parses the path, and gathers the rows that are bad.
        title: the card's, in place of the task's, which tells of the standard data.
        description: the card's.
    """

    what: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, BadRows], Data]
    title: str
    description: str

    def is_meant_by(self, path: Path) -> bool:
        """Whether ``path`` has this form; nothing is read."""
        if self.suffixes:
            return path.is_file() and path.suffix.lower() in self.suffixes
        return path.is_dir() and any(
            child.is_dir() and not child.name.startswith(".") for child in path.iterdir()
        )


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
        no_start: why a training cannot begin with the weights of a published version; empty where
            it can.
        acceptable: what the headline's value must reach for a version to be published: at least
            this for a classification, at most for a regression. ``None`` takes any.
        steady: the outputs that are numbers and must not jump from version to version on golden
            examples, each with the share of its value by which it may differ; it may also go as
            far as outputs ``<name>_low`` and ``<name>_high`` of the live version reach.
        own_data: what it takes in place of the standard data; ``None`` where nothing else.
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
    acceptable: float | None = None
    steady: Mapping[str, float] = MappingProxyType({})
    own_data: OwnData[Data] | None = None
    no_start: str = ""
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
    def plan(self, data: Data, settings: "Settings") -> Plan:
        """Build and compile the network, and divide the data."""

    def plan_from(self, data: Data, settings: "Settings", start: "Start") -> Plan:
        """Like ``plan``, but begin with the weights of a published version.

        Raises:
            TrainingError: they are of another network or of other classes.
        """
        plan = self.plan(data, settings)
        start.give_to(plan.model, self.classes(data))
        return plan

    def untuned(self, arch: str) -> dict[str, Any]:
        """Return an architecture's own value of each setting that its search may change."""
        architecture = self.architectures[arch]
        assert architecture.search is not None
        return {
            name: getattr(architecture if name in SETTINGS else self.networks[arch], name)
            for name in architecture.search.space
        }

    def classes(self, data: Data) -> Sequence[str]:
        """Return the names of the classes in the order of the outputs; empty without any."""
        return ()

    @abstractmethod
    def exportable(self, data: Data, plan: Plan) -> Exportable:
        """Turn the trained network of ``plan`` into what will serve.

        What is settled here (a temperature, an interval) uses held-out data, never test data.
        """

    def rivals(self, data: Data, plan: Plan) -> Mapping[str, Any]:
        """Measure well-known models on the examples that this one is judged by; for the card.

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
    def answers(self, data: Data, predict: Predict) -> Answers:
        """Let an exported version answer the full test set; always the same examples, in order."""

    def originals(self, data: Data) -> "Sequence[Original]":
        """Return examples of the test set as a client would send them; none where none are known.

        They are asked about before a version is published: ``training.publishing.serving_skew``.
        """
        return ()

    def measure(self, answers: Answers) -> dict[str, Any]:
        """Measure what ``answers`` returned.

        Returns:
            JSON for the card; ``headline`` in it is the figure that sums it up, an object of
            ``name``, ``value`` and, where known, ``low`` and ``high`` (95 % confidence).
        """
        if isinstance(answers, Classified):
            return classification(answers)
        return estimation(answers)

    def shown(self, data: Data, row: int) -> Array | str:
        """Return an example that ``answers`` asks, for people.

        Returns:
            a picture, uint8 [height, width] or [height, width, 3], or a text.
        """
        return f"example {row}"
